from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autograd_check.course.handout import plan, write
from autograd_check.course.load import Course
from autograd_check.pytest_plugin import course_of
from tests import warm
from tests.toy import DOUBLE, RIGHT, WRONG, make_course

UNIT = "lessons/u01_toys"
FILES = {
    "double": RIGHT,
    "wrong": WRONG.replace("double_", "wrong_").replace("    return 3", "    print('dout has', len(dout))\n    return 3"),
    "test_case": "import warnings\n\n\ndef test_inside():\n    raise RuntimeError\n\n\n"
    "def test_case_forward(x):\n    warnings.warn('mind')\n    return 1 / 0\n\n\ndef test_case_backward(dout, cache):\n    pass\n",
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A right file, a wrong one, one that crashes (and is named like a module of tests), two stubs; a test and a note."""
    root = make_course(tmp_path_factory.mktemp("course"))
    for name in FILES:
        text = DOUBLE.replace('"double"', f'"{name}"').replace("double_", f"{name}_")
        (root / "solutions" / "u01_toys" / f"{name}.py").write_text(text)
    (root / "solutions" / "u01_toys" / "given.py").write_text("def pair(size):\n    return size, size\n")
    loaded = Course.load(root)
    write(loaded, plan(loaded))
    for name, text in FILES.items():
        (root / UNIT / f"{name}.py").write_text(text)
    (root / "test_ordinary.py").write_text("def test_one():\n    pass\n")
    (root / UNIT / "story.py").write_text("raise RuntimeError('not a lesson')\n")
    (root / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return root


def pytest_in(folder: Path, *arguments: str) -> str:
    return warm.pytest_in(folder, *arguments).stdout


@pytest.fixture(scope="module")
def output(course: Path) -> str:
    return pytest_in(course, "-v", "-rs", "lessons", "test_ordinary.py")


@pytest.mark.parametrize(
    "line",
    [
        f"{UNIT}/double.py::double::out PASSED",
        f"{UNIT}/double.py::double::dx PASSED",
        f"{UNIT}/double.py::double::conventions PASSED",
        f"{UNIT}/wrong.py::wrong::out PASSED",
        f"{UNIT}/wrong.py::wrong::dx FAILED",
        f"{UNIT}/quadruple.py::quadruple::dx SKIPPED",
        f"{UNIT}/test_case.py::test_case::out FAILED",
        "test_ordinary.py::test_one PASSED",
    ],
)
def test_every_check_and_gradient_is_an_item_of_its_own(output: str, line: str) -> None:
    assert len([found for found in output.splitlines() if found.startswith(line)]) == 1


def test_a_stub_is_skipped_with_its_reason(output: str) -> None:
    assert "todo: quadruple_forward not written yet" in output


def test_a_failure_has_the_words_of_the_terminal_and_no_traceback(output: str) -> None:
    assert "failed dx\n3 of 3 entries differ, worst at [" in output
    assert "(probe: N=3)\nEvery entry of dx is exactly 1.5 times the right value.\n" in output
    assert "Traceback" not in output
    assert "pytest_plugin.py" not in output


def test_a_crash_shows_the_students_own_line(output: str) -> None:
    assert "test_case_forward raised ZeroDivisionError: division by zero" in output
    assert "test_case.py:10" in output


def test_what_the_code_printed_is_shown_as_pytest_shows_it(output: str, course: Path) -> None:
    assert output.count("Captured stdout call") == 1
    assert "dout has 3\n" in output
    alone = pytest_in(course, "-s", f"{UNIT}/wrong.py::wrong::conventions")
    assert "wrong.py dout has 3\n" in alone


def test_a_lesson_is_no_module_of_tests_as_well(output: str) -> None:
    assert "test_inside" not in output
    assert "not a lesson" not in output


def test_one_gradient_can_be_named(course: Path) -> None:
    output = pytest_in(course, f"{UNIT}/wrong.py::wrong::dx", f"{UNIT}/double.py::double::dx")
    assert "1 failed, 1 passed" in output


def test_a_project_without_a_course_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "lessons" / "u01_things"
    folder.mkdir(parents=True)
    (folder / "test_mine.py").write_text("import sys\n\n\ndef test_mine():\n    assert 'torch' not in sys.modules\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]  # a new process: what it imports is the question
    assert "1 passed" in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout


def test_what_a_unit_is_given_is_no_lesson(course: Path, output: str) -> None:
    assert (course / UNIT / "given.py").exists()
    assert course_of(course / UNIT / "given.py") is None
    assert "given.py" not in output


def test_a_lesson_is_known_by_its_place(course: Path) -> None:
    assert course_of(course / UNIT / "double.py") == course
    assert course_of(course / UNIT / "story.py") is None
    assert course_of(course / "solutions" / "u01_toys" / "double.py") is None
    assert course_of(course / "lessons" / "README.md") is None
