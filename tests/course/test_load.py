from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from autograd_check.course.load import Course
from autograd_check.errors import CourseError, UnknownCauseError
from tests.toy import DOUBLE, make_course


def test_a_lesson_is_loaded_with_its_files(tmp_path: Path) -> None:
    lesson = Course.load(make_course(tmp_path)).lesson("double")
    assert lesson.spec.points == 4
    assert lesson.functions() == ("double_forward", "double_backward")
    assert lesson.reference_source() == DOUBLE
    assert "NotImplementedError" in lesson.stub_source()
    assert lesson.unit == "u01_toys"


def test_loading_one_lesson_runs_no_other(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    marker = root / "ran"
    path = root / "solutions" / "u01_toys" / "quadruple.py"
    path.write_text(f"open({str(marker)!r}, 'w').close()\n" + path.read_text())
    course = Course.load(root)
    course.lesson("double")
    assert not marker.exists()
    assert [lesson.spec.name for lesson in course.lessons] == ["double", "quadruple"]
    assert marker.exists()


def test_a_later_lesson_imports_an_earlier_one_and_leaves_no_trace(tmp_path: Path) -> None:
    course = Course.load(make_course(tmp_path))
    before = list(sys.path)
    module = course.run_file(course.lesson("quadruple").solution)
    assert torch.equal(module.quadruple_forward(torch.ones(2))[0], torch.full((2,), 4.0))
    assert sys.path == before
    assert not [name for name in sys.modules if name.startswith("solutions.u01_toys")]


def test_two_courses_never_mix(tmp_path: Path) -> None:
    first, second = make_course(tmp_path / "a"), make_course(tmp_path / "b")
    changed = second / "solutions" / "u01_toys" / "double.py"
    changed.write_text(changed.read_text().replace("out = 2 * x", "out = 5 * x"))
    outs = []
    for root in (first, second, first):
        course = Course.load(root)
        outs.append(course.run_file(course.lesson("quadruple").solution).quadruple_forward(torch.ones(1))[0].item())
    assert outs == [4.0, 25.0, 4.0]


def test_a_lesson_that_cannot_be_run_says_what_it_raised(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    path = root / "solutions" / "u01_toys" / "double.py"
    path.write_text("import no_such_module_anywhere\n" + path.read_text())
    with pytest.raises(CourseError, match=r"double\.py could not be run: ModuleNotFoundError: No module named 'no_such"):
        Course.load(root).lesson("double")


def test_a_specification_of_another_type_is_refused(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    text = "def Lesson(**named):\n    return 3\n\n\nLESSON = Lesson(name='double', title='x')\n"
    (root / "solutions" / "u01_toys" / "double.py").write_text(text)
    with pytest.raises(CourseError, match="expected LESSON to be a Lesson, found int"):
        Course.load(root).lesson("double")


@pytest.mark.parametrize(
    ("word", "hint"), [("constant_facto", "did you mean constant_factor?"), ("bananas", "the causes are sign, constant_factor, ")]
)
@pytest.mark.parametrize("written", ['"{}"', "Cause.{}"])
def test_a_cause_outside_the_vocabulary_is_refused_where_it_stands(tmp_path: Path, word: str, hint: str, written: str) -> None:
    root = make_course(tmp_path)
    path = root / "solutions" / "u01_toys" / "double.py"
    text = written.format(word.upper() if written.startswith("Cause") else word)
    path.write_text(DOUBLE.replace("Cause.CONSTANT_FACTOR", text))
    line = next(number for number, line in enumerate(path.read_text().split("\n"), 1) if text in line)
    with pytest.raises(UnknownCauseError) as refused:
        Course.load(root).lesson("double")
    assert str(refused.value).startswith(f"solutions/u01_toys/double.py:{line}: There is no cause {word!r}: {hint}")


def test_a_course_is_found_from_a_folder_inside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_course(tmp_path)
    monkeypatch.chdir(root / "lessons")
    assert Course.find().root == root
