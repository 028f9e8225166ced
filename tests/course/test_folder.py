"""A folder of one's own: what is put there, and that a newer course never touches what somebody wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.files import MANIFEST, digest
from autograd_check.course.folder import Change, Update, What, start, update
from autograd_check.course.load import Course
from autograd_check.course.outline import find_course, read_outline
from autograd_check.course.own import course_version, installed_course
from autograd_check.course.progress import STATE_FILE, Progress, Stage, Verified, stages
from autograd_check.errors import CourseError
from autograd_check.report.generated import started_text, updated_text
from tests.support import ROOT
from tests.toy import DOUBLE, RIGHT, make_course

UNIT = "lessons/u01_toys"
LESSON = DOUBLE.replace("double", "treble").replace("2 * x", "3 * x").replace("2 * dout", "3 * dout").replace("x + x", "3 * x")
LESSON = LESSON.replace('edit("3 * dout", "3 * dout"', 'edit("3 * dout", "4 * dout"')


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_course(tmp_path / "course", stubs=True)


@pytest.fixture
def mine(source: Path, tmp_path: Path) -> Path:
    return start(tmp_path / "mine", source).root


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def newer(source: Path) -> None:
    """A course in which every solution has another first line."""
    for path in (source / "solutions" / "u01_toys").glob("[!_]*.py"):
        path.write_text(path.read_text().replace('"""', '"""Newly told: ', 1))


def test_a_folder_has_the_stubs_and_no_solutions_or_tests(source: Path, mine: Path) -> None:
    there = files(mine)
    assert set(there) == {
        ".gitignore",
        "course.toml",
        f"lessons/{MANIFEST}",
        "lessons/README.md",
        f"{UNIT}/double.py",
        f"{UNIT}/quadruple.py",
    }
    for name in ("double", "quadruple"):
        assert there[f"{UNIT}/{name}.py"] == (source / UNIT / f"{name}.py").read_bytes()
    assert {STATE_FILE, ".autograd_check_backups/", "__pycache__/", "/*.png"} <= set(there[".gitignore"].decode().split())
    assert f'course = "../course"\nversion = "{course_version(source)}"\n' in there["course.toml"].decode()
    assert "the lessons beside it are yours" in there["lessons/README.md"].decode()
    assert "autograd-check stubs" not in there["lessons/README.md"].decode()


def test_the_folder_is_a_course_from_anywhere_inside(source: Path, mine: Path) -> None:
    assert find_course(mine / UNIT) == mine
    outline = read_outline(mine)
    assert (outline.root, outline.source, outline.own) == (mine, source, True)
    assert outline.lesson("double").stub == mine / UNIT / "double.py"
    assert outline.lesson("double").solution == source / "solutions" / "u01_toys" / "double.py"
    assert not read_outline(source).own


def test_without_a_name_the_course_is_the_installed_one(monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path) -> None:
    assert installed_course() == ROOT
    package = tmp_path / "package"
    (package / "curriculum").mkdir(parents=True)
    monkeypatch.setattr("autograd_check.course.own.PACKAGE", package)
    with pytest.raises(CourseError, match="The course is missing from .*pip install --force-reinstall autograd_check"):
        start(tmp_path / "mine")
    (source / "solutions").rename(package / "curriculum" / "solutions")
    made = start(tmp_path / "mine")
    assert made.source == package / "curriculum"
    assert 'course = "autograd_check"' in (made.root / "course.toml").read_text()
    assert read_outline(made.root).source == made.source


def test_notebooks_come_on_request(source: Path, tmp_path: Path) -> None:
    (source / UNIT / "story.ipynb").write_text("{}\n")
    without, with_them = start(tmp_path / "a", source).root, start(tmp_path / "b", source, notebooks=True).root
    assert not list(without.rglob("*.ipynb"))
    assert (with_them / UNIT / "story.ipynb").read_text() == "{}\n"
    (source / UNIT / "story.ipynb").write_text('{"newer": 1}\n')
    assert [change.what for change in update(Course.load(with_them)).changes] == [What.REPLACED]
    assert update(Course.load(without)).changes == ()
    assert update(Course.load(without), notebooks=True).changes == (Change(Path(UNIT, "story.ipynb"), What.NEW),)


def test_what_is_in_the_folder_already_stays(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / ".gitignore").write_text("mine\n")
    (root / "notes.txt").write_text("mine\n")
    start(root, source)
    assert (root / ".gitignore").read_text() == (root / "notes.txt").read_text() == "mine\n"


@pytest.mark.parametrize("what", ["course", "own", "lessons", "file", "read-only", "no course"])
def test_a_folder_that_cannot_be_is_refused(source: Path, mine: Path, tmp_path: Path, what: str) -> None:
    (tmp_path / "lessons_only" / "lessons").mkdir(parents=True)
    (tmp_path / "a_file").write_text("")
    folder, given, said = {
        "course": (
            source,
            source,
            "is a course folder already. To bring a newer course to it:\n\n  cd .* && autograd-check update",
        ),
        "own": (mine, source, "is a course folder already"),
        "lessons": (tmp_path / "lessons_only", source, "has a lessons/ already. Name a folder that is new or empty."),
        "file": (tmp_path / "a_file", source, "is a file. Name a folder that is new or empty."),
        "read-only": (Path("/proc/nn"), source, "/proc/nn cannot be written: "),
        "no course": (tmp_path / "x", tmp_path, "is not a course: it needs a lessons/ and a solutions/ folder."),
    }[what]
    before = files(tmp_path)
    with pytest.raises(CourseError, match=said):
        start(folder, given)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("course = ", 'course.toml cannot be read .*It should hold: course = "autograd_check" and version'),
        ("course = 3\nversion = ''\n", "course.toml must say course and version, each a string"),
        (
            "course = 'nowhere'\nversion = ''\n",
            "says that the course is in .*nowhere, but there is no solutions/ folder. Correct",
        ),
    ],
)
def test_a_course_file_that_makes_no_sense_is_said(mine: Path, text: str, said: str) -> None:
    (mine / "course.toml").write_text(text)
    with pytest.raises(CourseError, match=said):
        read_outline(mine)


def test_an_update_without_news_changes_nothing(mine: Path) -> None:
    before = files(mine)
    done = update(Course.load(mine))
    assert (done.changes, done.begun, done.before) == ((), 0, done.after)
    assert files(mine) == before


def test_an_update_loses_nothing_and_says_everything(source: Path, mine: Path) -> None:
    """Half-finished work, a renamed file, a deleted one, progress; and a course that is newer in every way."""
    (source / "solutions" / "u01_toys" / "treble.py").write_text(LESSON)
    (source / "solutions" / "u01_toys" / "gone.py").write_text(LESSON.replace("treble", "gone"))
    (source / "solutions" / "u01_toys" / "begun_and_gone.py").write_text(LESSON.replace("treble", "begun_and_gone"))
    update(Course.load(mine))
    half, renamed, deleted, gone = (mine / UNIT / f"{name}.py" for name in ("double", "my_quadruple", "treble", "begun_and_gone"))
    half.write_text(RIGHT)
    (mine / UNIT / "quadruple.py").rename(renamed)
    renamed.write_text("my own try\n")
    deleted.unlink()
    gone.write_text("half of it\n")
    Progress.read(mine).with_verdict("double", Verified("passed", 4, 4, digest(RIGHT))).with_hints("double", 1).save()
    work = {path: path.read_bytes() for path in (half, renamed, gone, mine / STATE_FILE)}

    newer(source)
    for name in ("gone", "begun_and_gone"):
        (source / "solutions" / "u01_toys" / f"{name}.py").unlink()
    (source / "solutions" / "u01_toys" / "fourth.py").write_text(LESSON.replace("treble", "fourth"))
    done = update(Course.load(mine))

    assert {path: path.read_bytes() for path in work} == work
    assert {change.path.name: change.what for change in done.changes} == {
        "double.py": What.KEPT,
        "my_quadruple.py": What.UNKNOWN,
        "quadruple.py": What.BACK,
        "treble.py": What.BACK,
        "begun_and_gone.py": What.LEFT,
        "gone.py": What.REMOVED,
        "fourth.py": What.NEW,
        "README.md": What.REPLACED,
    }
    assert done.begun == 2
    assert (done.before != done.after, done.after) == (True, course_version(source))
    assert (mine / UNIT / "treble.py").read_text().startswith('"""Newly told: ')
    assert stages(read_outline(mine)) == {
        "double": Stage.DONE,
        "fourth": Stage.OPEN,
        "treble": Stage.OPEN,
        "quadruple": Stage.OPEN,
    }
    assert f'version = "{done.after}"' in (mine / "course.toml").read_text()
    again = update(Course.load(mine))  # what was told once is not told again, except what lies about
    assert {change.path.name: change.what for change in again.changes} == {
        "my_quadruple.py": What.UNKNOWN,
        "begun_and_gone.py": What.LEFT,
    }
    assert {path: path.read_bytes() for path in work} == work


def test_an_untouched_stub_gets_its_new_version(source: Path, mine: Path) -> None:
    newer(source)
    done = update(Course.load(mine))
    assert [change.what for change in done.changes] == [What.REPLACED, What.REPLACED]
    assert (mine / UNIT / "double.py").read_text().startswith('"""Newly told: Twice x.')


def test_a_file_saved_while_the_update_runs_is_kept(source: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer(source)
    from autograd_check.course import folder, handout

    def saved_meanwhile(course: Course, *, notebooks: bool) -> tuple[handout.Handout, ...]:
        planned = handout.plan(course, notebooks=notebooks)
        (mine / UNIT / "double.py").write_text(RIGHT)
        return planned

    monkeypatch.setattr(folder, "plan", saved_meanwhile)
    done = update(Course.load(mine))
    assert (mine / UNIT / "double.py").read_text() == RIGHT
    assert Change(Path(UNIT, "double.py"), What.KEPT) in done.changes


def test_without_a_record_every_file_that_differs_is_kept(source: Path, mine: Path) -> None:
    (mine / "lessons" / MANIFEST).unlink()
    (mine / UNIT / "double.py").write_text(RIGHT)
    newer(source)
    done = update(Course.load(mine))
    assert (done.recorded, done.begun) == (False, 2)
    assert (mine / UNIT / "double.py").read_text() == RIGHT
    assert updated_text(done).splitlines()[1] == (
        "There was no record of what was handed out, so every file that differs counts as yours."
    )


def test_a_lesson_that_comes_under_the_name_of_ones_own_file_leaves_it(source: Path, mine: Path) -> None:
    (mine / UNIT / "treble.py").write_text("mine\n")
    (source / "solutions" / "u01_toys" / "treble.py").write_text(LESSON)
    assert Change(Path(UNIT, "treble.py"), What.KEPT) in update(Course.load(mine)).changes
    assert (mine / UNIT / "treble.py").read_text() == "mine\n"


def test_the_course_itself_is_not_updated_and_ones_own_folder_has_no_stubs_to_make(source: Path, mine: Path) -> None:
    with pytest.raises(CourseError, match="holds the course itself. To make lessons/ from solutions/: autograd-check stubs"):
        update(Course.load(source))
    with pytest.raises(CourseError, match="own folder, without solutions/. To bring a newer course: autograd-check update"):
        Course.load(mine).authored()
    assert Course.load(source).authored().root == source


def test_a_folder_that_cannot_be_written_is_said(mine: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer(source)

    def no_room(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("autograd_check.course.handout.replace_text", no_room)
    with pytest.raises(CourseError, match="mine cannot be written: No space left on device"):
        update(Course.load(mine))


def test_a_new_folder_says_what_to_type(mine: Path) -> None:
    version = (mine / "course.toml").read_text().split('"')[-2]
    assert started_text(read_outline(mine), "my nn") == (
        f"my nn is your course folder: 2 lessons in 1 unit, version {version}.\n\n"
        "  cd 'my nn'\n"
        "  autograd-check    where you stand, and what comes next\n"
        "  open the first lesson, lessons/u01_toys/double.py, and then\n"
        "  autograd-check check double"
    )


def test_an_update_is_told_by_what_became_of_each_file() -> None:
    paths = [Path(f"lessons/u01/{what.name.lower()}.py") for what in What]
    changes = tuple(Change(path, what) for path, what in zip(paths, What, strict=True))
    assert updated_text(Update("11111111", "22222222", changes, 2, True)) == (
        "Course 11111111 → 22222222\n"
        "new:\n  lessons/u01/new.py\n"
        "replaced by its new version (you had not begun it):\n  lessons/u01/replaced.py\n"
        "put back (it was gone):\n  lessons/u01/back.py\n"
        "removed (no longer in the course, and you had not begun it):\n  lessons/u01/removed.py\n"
        "changed in the course; yours is kept:\n  lessons/u01/kept.py\n"
        "To begin such a lesson again from its new stub: autograd-check reset NAME (your file is kept as a backup)\n"
        "no longer in the course; yours is kept:\n  lessons/u01/left.py\n"
        "of no lesson; left as it is:\n  lessons/u01/unknown.py\n"
        "2 files hold work of yours: not touched. Progress is as it was."
    )
    assert updated_text(Update("1", "1", (), 0, True)) == "Course 1, the newest here.\nNo file had to be changed."
    assert updated_text(Update("", "2", (), 1, True)).splitlines() == [
        "Course of no version → 2",
        "No file had to be changed.",
        "1 file holds work of yours: not touched. Progress is as it was.",
    ]
