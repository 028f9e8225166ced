"""Solution files without answers: no line of one is left, and what is left makes the same stub and the same lesson."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from autograd_check.course.load import Course
from autograd_check.course.wheel import package_files
from autograd_check.course.without_answers import leaks, released_texts, secret_lines, unpacked, without_answers
from autograd_check.errors import CourseError
from tests import support
from tests.toy import make_course

SECRET = "adam is lerped twice here"


def written(texts: Mapping[Path, str], root: Path) -> Course:
    """A course without answers, in a folder."""
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "lessons").mkdir(exist_ok=True)
    return Course.load(root)


def test_no_line_of_any_answer_is_left_in_the_course_or_the_package() -> None:
    secrets = secret_lines(support.course())
    assert len(secrets) > 1500
    assert {
        "inputs.append((inputs[-1] @ w + b).clamp(min=0))",
        "return param - lr * m_hat / (v_hat.sqrt() + eps), (m, v, t)",
    } <= secrets.keys()
    handed_out = "\n".join(lesson.stub_source() for lesson in support.course().lessons)
    assert not leaks(handed_out, {line for line in secrets if "\n" in line})
    texts = {path.as_posix(): text for path, text in support.released().items()}
    texts |= {name: content.decode() for name, content in package_files().items() if name.endswith(".py")}
    assert len(texts) > 200
    found = [(name, line) for name, text in texts.items() for _, line in leaks(text, secrets.keys())]
    assert found == []


def test_the_same_stubs_and_lessons_come_of_it(tmp_path: Path) -> None:
    whole, released = support.course(), written(support.released(), tmp_path)
    assert [lesson.spec.name for lesson in released.lessons] == support.names()
    for mine, theirs in zip(released.lessons, whole.lessons, strict=True):
        assert mine.stub_source() == theirs.stub_source()
        assert (mine.spec.mistakes, mine.spec.variants) == ((), ())
        for field in ("title", "hints", "points", "requires", "forbids", "allows", "given", "functions"):
            assert getattr(mine.spec, field) == getattr(theirs.spec, field), mine.spec.name
        assert [type(task) for task in mine.spec.tasks] == [type(task) for task in theirs.spec.tasks]


def test_later_files_find_the_functions_of_the_lesson(tmp_path: Path) -> None:
    root = tmp_path / "without"
    root.mkdir()
    released = written(released_texts(Course.load(make_course(tmp_path / "toys"))), root)
    functions = vars(released.run_file(released.lesson("double").solution))
    out, cache = functions["double_forward"](3.0)
    assert out == 6.0
    text = released.lesson("double").reference_source()
    assert "raise NotImplementedError('double_forward')" in text
    assert "2 * x" not in text
    assert "three times" not in text


def test_a_text_that_holds_an_answer_is_packed() -> None:
    source = f'### BEGIN SPEC\nfrom x import Lesson, unused\nRIGHT = """\n{SECRET}\n"""\nOTHER = 1\nLESSON = Lesson(name=RIGHT)\n### END SPEC\n'
    text = without_answers(source, Path("a.py"), (), [SECRET])
    assert SECRET not in text
    assert "unused" not in text
    assert "OTHER" not in text
    packed = text.partition("unpacked('")[2].partition("')")[0]
    assert unpacked(packed) == f"\n{SECRET}\n"
    assert "OTHER = 1" in without_answers(source, Path("a.py"), ["OTHER"], [SECRET])


def test_a_course_that_would_give_an_answer_away_is_refused(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    (root / "solutions" / "train.py").write_text("def f(x):\n    return double_forward(double_forward(x)[0])[0], None\n")
    with pytest.raises(
        CourseError, match=r"solutions/train.py:2: this would give away a line of an answer to quadruple: 'return"
    ):
        released_texts(Course.load(root))
