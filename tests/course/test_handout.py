from __future__ import annotations

import json
from pathlib import Path

from autograd_check.course.files import MANIFEST
from autograd_check.course.handout import FileState, Handout, plan, reset, write
from autograd_check.course.load import Course
from autograd_check.report.generated import check_text, written_text
from tests import support
from tests.toy import make_course

STUB = Path("lessons/u01_toys/double.py")


def states(course: Course) -> dict[str, str]:
    return {handout.path.as_posix(): str(handout.state) for handout in plan(course)}


def test_the_lessons_of_this_repository_are_what_the_solutions_give() -> None:
    text, fine = check_text(plan(support.course()))
    assert fine, text


def test_a_new_course_gets_all_its_files(tmp_path: Path) -> None:
    course = Course.load(make_course(tmp_path))
    assert set(states(course).values()) == {"missing"}
    written = write(course, plan(course))
    assert [path.as_posix() for path in written.written] == [
        "lessons/u01_toys/double.py",
        "lessons/u01_toys/quadruple.py",
        "lessons/README.md",
    ]
    assert set(states(course).values()) == {"current"}
    assert write(course, plan(course)).written == ()


def test_an_outdated_file_is_replaced_and_an_edited_one_is_not(tmp_path: Path) -> None:
    root = make_course(tmp_path, stubs=True)
    mine = root / "lessons" / "u01_toys" / "quadruple.py"
    mine.write_text("my work\n")
    solution = root / "solutions" / "u01_toys" / "double.py"
    solution.write_text(solution.read_text().replace("Twice x.", "Two times x."))
    course = Course.load(root)
    assert states(course)[STUB.as_posix()] == "outdated"
    written = write(course, plan(course))
    assert written.written == (STUB,)
    assert written.refused == (Path("lessons/u01_toys/quadruple.py"),)
    assert (root / STUB).read_text().startswith('"""Two times x."""')
    assert mine.read_text() == "my work\n"


def test_force_replaces_an_edited_file_and_keeps_a_backup(tmp_path: Path) -> None:
    root = make_course(tmp_path, stubs=True)
    (root / STUB).write_text("my work\n")
    course = Course.load(root)
    written = write(course, plan(course), force=True)
    assert [backup.read_text() for backup in written.backups] == ["my work\n"]
    assert "NotImplementedError" in (root / STUB).read_text()


def test_without_a_record_of_what_was_generated_a_different_file_counts_as_edited(tmp_path: Path) -> None:
    root = make_course(tmp_path, stubs=True)
    (root / "lessons" / MANIFEST).write_text("not json")
    (root / STUB).write_text("something\n")
    assert states(Course.load(root))[STUB.as_posix()] == "edited by hand"


def test_a_stub_without_a_solution_goes_unless_it_was_edited(tmp_path: Path) -> None:
    root = make_course(tmp_path, stubs=True)
    (root / "solutions" / "u01_toys" / "quadruple.py").unlink()
    course = Course.load(root)
    path = "lessons/u01_toys/quadruple.py"
    assert states(course)[path] == "no longer generated"
    edited = (root / path).read_text()
    (root / path).write_text("my work\n")
    assert write(course, plan(course)).refused == (Path(path),)
    (root / path).write_text(edited)
    write(course, plan(course))
    assert not (root / path).exists()
    assert path not in json.loads((root / "lessons" / MANIFEST).read_text())


def test_reset_puts_the_stub_back_and_keeps_the_work(tmp_path: Path) -> None:
    root = make_course(tmp_path, stubs=True)
    course = Course.load(root)
    assert reset(course, "double") is None
    for work in ("first try\n", "second try\n"):
        (root / STUB).write_text(work)
        backup = reset(course, "double")
        assert backup is not None
        assert backup.read_text() == work
    assert "NotImplementedError" in (root / STUB).read_text()


def test_the_check_names_the_files_and_the_mending_command() -> None:
    behind = Handout(STUB, "", FileState.OUTDATED)
    assert check_text([behind]) == (
        "lessons/ is not what solutions/ would give:\n  lessons/u01_toys/double.py: outdated\nTo fix it: autograd-check stubs",
        False,
    )
    edited = Handout(STUB, "", FileState.EDITED)
    assert check_text([behind, edited])[0].endswith("To fix it: autograd-check stubs --force")
    assert check_text([Handout(STUB, "", FileState.CURRENT)]) == ("All 1 files of lessons/ are up to date.", True)


def test_what_was_written_and_refused_is_said(tmp_path: Path) -> None:
    root = make_course(tmp_path, stubs=True)
    course = Course.load(root)
    assert written_text(write(course, plan(course))) == ("0 files of lessons/ written, all are up to date.", True)
    (root / STUB).write_text("my work\n")
    text, fine = written_text(write(course, plan(course)))
    assert not fine
    assert text.endswith("(--force replaces them and keeps a backup):\n  lessons/u01_toys/double.py")


def test_the_syllabus_lists_what_each_lesson_checks(tmp_path: Path) -> None:
    make_course(tmp_path, stubs=True)
    text = (tmp_path / "lessons" / "README.md").read_text()
    assert "2 lessons, 14 points, about 20 minutes." in text
    assert "## Unit 1 · toys" in text
    assert r"| [double](u01_toys/double.py) | Twice \| x | – | 5 min | 4 |" in text
    assert "| [quadruple](u01_toys/quadruple.py) | Four times x | double | 15 min | 10 |" in text
    assert "- **double**: `double_forward` and `double_backward`: the value of `out` and `dx` (N=3; batch of one)." in text
