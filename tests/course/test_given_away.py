"""Answers that stand where students read: refused with the line, whether in prose, in a docstring, a comment or a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.given_away import given_away
from autograd_check.course.handout import plan
from autograd_check.course.load import Course
from autograd_check.course.without_answers import released_texts
from autograd_check.errors import CourseError
from tests import support
from tests.toy import DOUBLE, make_course

ANSWER = "return dout * 2 + dout * 0.0"
LONG = DOUBLE.replace("return 2 * dout", f"dx = dout * 2 + dout * 0.0\n    {ANSWER}").replace(
    'edit("2 * dout"', 'edit("dout * 2"'
)
WHERE = Path("solutions/u01_toys/double.py")
SOLVED = next(number for number, line in enumerate(LONG.split("\n"), 1) if "dx = dout" in line)


@pytest.mark.parametrize(
    ("old", "new", "line", "what", "told"),
    [
        ('"""Twice x."""', '"""Twice x.\n\nThen dx = dout * 2 + dout * 0.0, says the rule.\n"""', 3, "this line", "dx = dout * 2 + dout * 0.0"),
        ("-> dx (N,).", "-> dx (N,): dout * 2 + dout * 0.0.", SOLVED - 2, "this line", "dout * 2 + dout * 0.0"),
        ("def helper", "# dx  =  dout * 2 + dout * 0.0\ndef helper", 6, "this line", "dx = dout * 2 + dout * 0.0"),
        ("Twice as fast as x.", "It is dout * 2 + dout * 0.0.", SOLVED + 13, "a hint", "dout * 2 + dout * 0.0"),
        ("Twice as fast as x.", "It is dout*2+dout*0.0.", SOLVED + 13, "a hint", "dout * 2 + dout * 0.0"),
        ("arithmetic", "dx = dout * 2 + dout * 0.0", SOLVED + 11, "source=", "dx = dout * 2 + dout * 0.0"),
    ],
)  # fmt: skip
def test_a_line_of_the_answer_is_found_where_students_read(old: str, new: str, line: int, what: str, told: str) -> None:
    text = LONG.replace(old, new)
    (fault,) = given_away(text, WHERE)
    solved = text[: text.index("dx = dout * 2 + dout * 0.0\n    return")].count("\n") + 1
    assert fault == (
        f"{WHERE}:{line}: {what} gives the answer away: {told!r} stands in the solution (line {solved}). Say it in words that "
        "lead there."
    )


def test_prose_may_say_the_equation_of_the_forward_as_its_code_does_and_a_hint_may_not() -> None:
    text = LONG.replace("out = 2 * x", "out = x + x + 0.0 * x.abs()")
    assert text != LONG
    assert given_away(text.replace('"""Twice x."""', '"""Twice x.\n\n    out = x + x + 0.0 * x.abs()\n"""'), WHERE) == []
    (fault,) = given_away(text.replace("Twice as fast as x.", "x + x + 0.0 * x.abs()"), WHERE)
    assert "a hint gives the answer away: 'x + x + 0.0 * x.abs()'" in fault


def test_what_says_less_than_the_answer_is_no_fault() -> None:
    assert given_away(LONG, WHERE) == []
    assert given_away(DOUBLE.replace("Twice x.", "2 * dout"), WHERE) == []  # fewer than 20 characters
    assert given_away(LONG.replace("Twice x.", "add_dout * 2 + dout * 0.0"), WHERE) == []  # part of another word


def test_no_lesson_gives_its_answer_away() -> None:
    course = support.course()
    for lesson in course.lessons:
        assert given_away(lesson.reference_source(), lesson.solution) == []


def test_a_course_that_gives_an_answer_away_is_neither_handed_out_nor_released(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    (root / WHERE).write_text(LONG.replace("Twice as fast as x.", ANSWER))
    for made in (plan, released_texts):
        with pytest.raises(CourseError, match=rf"^{WHERE}:\d+: a hint gives the answer away: '.*dout \* 2 "):
            made(Course.load(root))
