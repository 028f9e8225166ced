"""Variants and whole functions that go wrong stand in a file of their own; what does not fit together is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.handout import plan
from autograd_check.course.load import Course
from autograd_check.course.mistakes import mistake_functions
from autograd_check.errors import CourseError
from tests.toy import DOUBLE, make_course

OTHERS = '''"""Twice x: other ways."""

from autograd_check.course import variant


def _added_forward(x):
    return x + x, None


def _thrice_backward(dout, cache):
    return 3 * dout


VARIANTS = (variant("a sum", double_forward=_added_forward),)
WRONG = (variant("thrice", double_backward=_thrice_backward),)
'''
LESSON = DOUBLE.replace(
    'mistakes=(edit("2 * dout", "3 * dout", "three times", Cause.CONSTANT_FACTOR),),',
    'mistakes=(wrong("thrice", Cause.CONSTANT_FACTOR), edit("2 * dout", "dout", "once", Cause.CONSTANT_FACTOR)),',
).replace("Lesson, edit", "Lesson, edit, wrong")


def course(root: Path, lesson: str = LESSON, others: str | None = OTHERS) -> Course:
    made = make_course(root)
    (made / "solutions" / "u01_toys" / "double.py").write_text(lesson)
    if others is not None:
        folder = made / "solutions" / "variants" / "u01_toys"
        folder.mkdir(parents=True)
        (folder / "double.py").write_text(others)
    return Course.load(made)


def test_a_lesson_has_the_variants_and_functions_of_the_other_file(tmp_path: Path) -> None:
    lesson = course(tmp_path).lesson("double")
    assert [variant.name for variant in lesson.spec.variants] == ["a sum"]
    thrice, once = lesson.spec.mistakes
    functions = mistake_functions(lesson.spec, thrice, lesson.reference_source(), "double.py")
    assert functions["double_backward"](2.0, None) == 6.0
    assert mistake_functions(lesson.spec, once, lesson.reference_source(), "double.py")["double_backward"](2.0, None) == 2.0


def test_the_other_file_is_no_lesson_and_is_not_handed_out(tmp_path: Path) -> None:
    made = course(tmp_path)
    assert [entry.name for entry in made.outline.lessons] == ["double", "quadruple"]
    assert not [handout.path for handout in plan(made) if "variants" in handout.path.parts]


@pytest.mark.parametrize(
    ("lesson", "others", "says"),
    [
        (
            LESSON,
            None,
            r"double.py:34: wrong\('thrice'\) has no functions: add variant\('thrice', ...\) to WRONG in solutions/variants",
        ),
        (LESSON.replace('"2 * dout", "dout"', '"2 * doubt", "dout"'), OTHERS, r"double.py:34: mistake 'once' edits '2 \* doubt'"),
        (LESSON.replace('wrong("thrice", Cause.CONSTANT_FACTOR), ', ""), OTHERS, "mistakes must be a tuple: add a comma"),
        (LESSON, OTHERS.replace('variant("thrice"', 'variant("treble"'), "has no functions"),
        (
            LESSON.replace('wrong("thrice", Cause.CONSTANT_FACTOR), ', "").replace("FACTOR)),", "FACTOR),),"),
            OTHERS,
            r"variants/u01_toys/double.py:15: 'thrice' in WRONG is no mistake of solutions/u01_toys/double.py: add wrong\('thrice'",
        ),
        (
            LESSON,
            OTHERS.replace("double_forward=_added", "forward=_added"),
            "'a sum' defines forward, and the lesson asks for double_f",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_with_its_place(tmp_path: Path, lesson: str, others: str | None, says: str) -> None:
    with pytest.raises(CourseError, match=says):
        course(tmp_path, lesson, others).lesson("double")
