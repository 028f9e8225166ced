"""Every command in a folder of one's own, whose course lies elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_check.course.folder import start
from tests import warm
from tests.cli.running import Program
from tests.toy import RIGHT, WRONG, make_course

UNIT = "lessons/u01_toys"
TRAIN = """
from solutions.u01_toys.double import double_forward


def train_command(*, ops, root, **others):
    from importlib import import_module
    import sys

    sys.path.insert(0, str(root))
    whose = import_module(f"{ops}.u01_toys.double")
    sys.path.remove(str(root))
    print(ops, "in", root.name, "from", whose.__file__)
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own of the toy course, and the working directory inside it."""
    root = start(tmp_path / "mine", make_course(tmp_path / "course", stubs=True)).root
    monkeypatch.chdir(root)
    return root


def test_start_makes_a_folder_and_says_what_to_type(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_course(tmp_path / "course")
    monkeypatch.chdir(tmp_path)
    ran = program("start", "nn", "--course", str(source))
    assert ran.code == 0
    assert "nn is your course folder: 2 lessons in 1 unit" in ran.out
    assert "autograd-check check double" in ran.out
    ran = program("start", "nn")
    assert ran.code == 2
    assert "nn is a course folder already" in ran.err
    monkeypatch.chdir(tmp_path / "nn")
    assert "0 of 2 done" in program().out


def test_check_and_progress(program: Program, mine: Path) -> None:
    assert "double_forward not written yet" in " ".join(program("check", "double").out.split())
    (mine / UNIT / "double.py").write_text(RIGHT)
    ran = program("check", "double")
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"double · passed · 4 of 4 points · {UNIT}/double.py")
    assert json.loads(program("list", "--format", "json").out)["lessons"][0]["stage"] == "done"
    ran = program("check", "quadruple", "--lessons", "solutions")
    assert ran.code == 0  # the reference, wherever it is


def test_verbose_gives_lines_to_paste_into_python(program: Program, mine: Path) -> None:
    (mine / UNIT / "double.py").write_text(WRONG)
    ran = program("check", "double", "-v")
    _, lines = ran.out.split("The smallest input that shows it, to paste into python in the course folder:\n\n")
    lines = lines.partition("\n\n")[0] + "\n"
    assert ran.code == 1
    assert "to paste" not in program("check", "double").out
    said = subprocess.run([sys.executable, "-"], input=lines, cwd=mine, capture_output=True, text=True, check=True)
    assert said.stdout == "you return           dx = [3.0]\nthe definition gives dx = [2.0]\n"


def test_after_a_pass_the_reference_and_the_speed_are_shown(program: Program, mine: Path) -> None:
    (mine / UNIT / "double.py").write_text(RIGHT)
    shown = program("check", "double").out
    assert "One forward and backward takes" in shown
    assert shown.partition("\nThe reference, to compare with yours:\n\n")[2] == (
        "def double_forward(x):\n    out = 2 * x\n    return out, None\n\n"
        "def double_backward(dout, cache):\n    return 2 * dout\n\nNext lesson: quadruple\n"
    )
    assert "The reference" not in program("check").out


def test_hint_reset_derive_plot_and_bench(program: Program, mine: Path) -> None:
    assert "hint 1 of 2" in program("hint", "double").out
    assert "dx[0] = 2*g0" in program("derive", "double").out
    assert '"forward+backward"' in program("bench", "double", "--format", "json").out
    (mine / UNIT / "double.py").write_text(RIGHT)
    assert "every gradient right" in program("plot", "double").out
    assert f"{UNIT}/double.py is the stub again. Your file: .autograd_check_backups/double-" in " ".join(
        program("reset", "double", "-y").out.split()
    )
    assert "2 lessons in" in program("doctor").out


def test_train_takes_layers_from_here_and_the_rest_from_the_course(program: Program, mine: Path) -> None:
    (mine.parent / "course" / "solutions" / "train.py").write_text(TRAIN)
    assert f"lessons in mine from {mine / UNIT / 'double.py'}" in program("train", "--ops", "lessons").out
    assert f"solutions in mine from {mine.parent / 'course' / 'solutions'}" in program("train").out


def test_update_says_what_is_new_and_stubs_are_not_made_here(program: Program, mine: Path) -> None:
    assert "No file had to be changed." in program("update").out
    ran = program("stubs")
    assert ran.code == 2
    assert "To bring a newer course: autograd-check update" in " ".join(ran.err.split())


def test_release_is_for_who_has_the_course(program: Program, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = program("release", "handout")
    assert ran.code == 2
    assert "is somebody's own folder, without solutions/" in " ".join(ran.err.split())
    monkeypatch.chdir(tmp_path / "course")
    ran = program("release", str(tmp_path / "handout"))
    assert ran.code == 0
    assert "is a release: a course folder, and a package without answers" in " ".join(ran.out.split())
    assert "They get the same status and points as with the whole course" in ran.out
    assert {path.name for path in (tmp_path / "handout").iterdir() if path.suffix != ".whl"} == {
        "lessons",
        "course.toml",
        ".gitignore",
    }
    ran = program("release", str(tmp_path / "handout"))
    assert ran.code == 2
    assert "is not empty. Name a folder that is new or empty." in " ".join(ran.err.split())


def test_pytest_grades_the_lessons_here(mine: Path) -> None:
    (mine / UNIT / "double.py").write_text(RIGHT)
    ran = warm.pytest_in(mine, "-q", "lessons")
    assert "3 passed, 3 skipped" in ran.stdout, ran.stdout
    (mine / "course.toml").write_text("course = 'nowhere'\nversion = ''\n")
    ran = warm.pytest_in(mine, "-q", "lessons")
    assert ran.returncode == pytest.ExitCode.INTERRUPTED
    assert "Correct its line `course =`" in ran.stdout


def test_a_reset_can_be_undone_and_the_undo_as_well(program: Program, mine: Path) -> None:
    file = mine / UNIT / "double.py"
    stub = file.read_text()
    ran = program("reset", "double", "--undo")
    assert ran.code == 2
    assert f"There is nothing to undo: no backup of {UNIT}/double.py was made." in " ".join(ran.err.split())
    file.write_text(RIGHT)
    assert program("check", "double").code == 0
    assert "To have it back: autograd-check reset double --undo" in program("reset", "double", "-y").out
    assert file.read_text() == stub
    assert program("reset", "double", "--undo").out == f"{UNIT}/double.py is as it was.\n"
    assert file.read_text() == RIGHT
    assert json.loads(program("list", "--format", "json").out)["lessons"][0]["stage"] == "done"
    assert program("reset", "double", "-y").code == 0
    file.write_text(WRONG)
    assert f"{UNIT}/double.py is as it was. What stood there: .autograd_check_backups/double-" in " ".join(
        program("reset", "double", "--undo").out.split()
    )
    assert file.read_text() == RIGHT
    assert program("reset", "double", "--undo").code == 0
    assert file.read_text() == WRONG
    file.unlink()
    assert program("reset", "double", "--undo").code == 0
    assert file.read_text() == RIGHT
