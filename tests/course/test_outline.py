from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from autograd_check.course.load import Course
from autograd_check.course.outline import LessonEntry, find_course, read_lessons, read_outline, unit_title
from autograd_check.course.spec import Lesson
from autograd_check.errors import CourseError
from tests.toy import DOUBLE, make_course


def test_lessons_are_read_without_running_them(tmp_path: Path) -> None:
    outline = read_outline(make_course(tmp_path))
    double, quadruple = outline.lessons
    assert (double.name, double.title, double.unit, double.points, double.minutes) == ("double", "Twice | x", "u01_toys", 4, 5)
    assert double.hints == ("How fast does 2 x grow?", "Twice as fast as x.")
    assert quadruple.requires == ("double",)
    assert quadruple.stub == tmp_path / "lessons" / "u01_toys" / "quadruple.py"


def test_reading_an_outline_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from autograd_check.course.outline import read_outline\n"
        f"assert len(read_outline(Path({str(make_course(tmp_path))!r})).lessons) == 2\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_defaults_are_those_of_a_lesson() -> None:
    defaults = {field.name: field.default for field in fields(Lesson)}
    for field in fields(LessonEntry):
        if field.name in ("requires", "points", "minutes", "given"):
            assert field.default == defaults[field.name], field.name


def test_prerequisites_come_first_and_the_alphabet_decides_the_rest(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    unit = root / "solutions" / "u01_toys"
    (unit / "adder.py").write_text(_lesson("adder", requires=("quadruple",)))
    (unit / "zero.py").write_text(_lesson("zero"))
    later = root / "solutions" / "u02_more"
    later.mkdir()
    (later / "aaa.py").write_text(_lesson("aaa", requires=("double",)))
    assert [entry.name for entry in read_outline(root).lessons] == ["double", "quadruple", "adder", "zero", "aaa"]


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("circle.py", "circle", "circle.py:1: lessons require each other in a circle: circle → circle. Take one of them out of"),
        ("lost.py", "lost", "requires 'duoble'. There is no lesson named 'duoble'"),
        ("hasty.py", "hasty", "requires late, which comes later (u02_more)"),
        ("other.py", "LESSON = Lesson(name='nother', title='x')\n", "calls itself 'nother'; its name must be 'other'"),
        ("blank.py", "LESSON = Lesson(name='blank')\n", "LESSON has no title"),
        ("made.py", "LESSON = make()\nx = 1\n", "calls itself None"),
        ("half.py", "x = 1\nLESSON = Lesson(\n", "half.py:2: the specification is not valid Python"),
        (
            "leson.py",
            "### BEGIN SPEC\nLESON = Lesson(\n",
            "leson.py:2: expected LESSON = Lesson(...) in the specification, found LESON = Lesson(...).",
        ),
        (
            "empty.py",
            "### BEGIN SPEC\n### END SPEC\n",
            "empty.py:1: expected LESSON = Lesson(...) in the specification, and there is none.",
        ),
        ("odd.py", "LESSON = Lesson(name='odd', title=str(3))\n", "title must be a literal"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(tmp_path: Path, file: str, text: str, says: str) -> None:
    root = make_course(tmp_path)
    later = root / "solutions" / "u02_more"
    later.mkdir()
    (later / "late.py").write_text(_lesson("late"))
    needs = {"circle": ("circle",), "lost": ("duoble",), "hasty": ("late",)}
    content = _lesson(text, requires=needs[text]) if text in needs else text
    (root / "solutions" / "u01_toys" / file).write_text(content)
    outline = read_outline(root)
    assert [entry.name for entry in outline.lessons][:2] == ["double", "quadruple"]  # the others go on
    assert says in outline.broken[file.removesuffix(".py")]
    assert re.match(r"solutions/u0\d_\w+/\w+\.py:\d+: ", outline.broken[file.removesuffix(".py")])
    with pytest.raises(CourseError, match=re.escape(says)):
        outline.lesson(file)
    with pytest.raises(CourseError, match=re.escape(says)):
        read_lessons(root, root)


def test_two_lessons_of_one_name_are_refused(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    (root / "solutions" / "u02_more").mkdir()
    (root / "solutions" / "u02_more" / "double.py").write_text(DOUBLE)
    with pytest.raises(CourseError, match=r"Two lessons are named 'double': .*u01_toys.*u02_more"):
        read_outline(root).lesson("double")


def test_a_lesson_in_a_folder_that_is_no_unit_says_so(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    (root / "solutions" / "u01_toys").rename(root / "solutions" / "toys")
    outline = read_outline(root)
    assert outline.lessons == ()
    assert outline.broken["double"] == (
        "solutions/toys/double.py:1: toys/ is no unit: rename the folder to a number and a word, as in u01_first."
    )


def test_what_requires_a_broken_lesson_goes_on(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    (root / "solutions" / "u01_toys" / "double.py").write_text("LESSON = Lesson(\n")
    outline = read_outline(root)
    assert [entry.name for entry in outline.lessons] == ["quadruple"]
    assert list(outline.broken) == ["double"]
    with pytest.raises(CourseError, match="the specification is not valid Python"):
        _ = Course(outline).lessons


def test_an_unknown_lesson_is_answered_with_near_names(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="no lesson named 'duble' .* Did you mean double"):
        read_outline(make_course(tmp_path)).lesson("duble")
    with pytest.raises(CourseError, match="`autograd-check list` shows all lessons"):
        read_outline(tmp_path).lesson("xyzzy")


def test_a_course_is_found_from_below_and_missed_with_advice(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    assert find_course(root / "solutions" / "u01_toys") == root
    with pytest.raises(CourseError, match="No course was found: .* --course DIR"):
        find_course(tmp_path)
    with pytest.raises(CourseError, match="is not a course: it needs a lessons/ and a solutions/ folder"):
        read_outline(tmp_path)


def test_units_have_titles_for_people() -> None:
    assert unit_title("u02_network") == "Unit 2 · network"
    assert unit_title("u10_the_engine") == "Unit 10 · the engine"


def _lesson(name: str, requires: tuple[str, ...] = ()) -> str:
    return f"LESSON = Lesson(name={name!r}, title='x', requires={requires!r}, tasks=(), hints=(), source='')\n"
