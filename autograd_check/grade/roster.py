"""Who is in a class, and what counts in it: the roster and the assignment.

The roster is a CSV file with the columns student, name, email, path, of which only `student` must be there. `path` names a file
or a folder that the student handed in; several rows of one student name several. `submitted` (a time) and `late` (yes or no)
may be there too; other columns are not read.

`assignment.toml` lies beside the submissions:

    title = "Week 3"
    due = 2026-03-06T23:59:00+01:00

    [lessons]
    linear = 10
    relu = 5

Without it, `--lessons` says it (`linear,relu`, `linear=20`, or a unit's folder name); without either, every lesson counts
that anybody handed in, with its own points.
"""

from __future__ import annotations

import csv
import io
import math
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from autograd_check.course.outline import Outline
from autograd_check.errors import SubmissionError
from autograd_check.grade.inbox import clean

ROSTER_FILE = "roster.csv"
COLUMNS = {
    "student": ("student", "id", "student id", "sid", "username", "login"),
    "name": ("name", "full name"),
    "email": ("email", "email address", "e-mail"),
    "path": ("path", "file"),
    "submitted": ("submitted", "submission time", "created_at"),
    "late": ("late",),
}


@dataclass(frozen=True)
class Enrolled:
    """One student of a class. `paths` is where the work lies, where the roster says it."""

    student: str
    name: str = ""
    email: str = ""
    paths: tuple[str, ...] = ()
    submitted: str = ""
    late: bool | None = None
    note: str = ""

    def known_as(self) -> tuple[str, ...]:
        """By what an archive may call this student, the surest first: id, address, name, and the name as Canvas writes it."""
        family_first = "".join([*self.name.split()[-1:], *self.name.split()[:-1]])
        return tuple(map(squeezed, (self.student, self.email, self.email.partition("@")[0], self.name, family_first)))


def read_roster(path: Path) -> tuple[Enrolled, ...]:
    """The students of a roster, each once, in its order. Raises `SubmissionError` where it is not a roster."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_bytes().decode("cp1252", "replace")  # how spreadsheets of old write
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        rows = list(csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=_delimiter(text)))
    except csv.Error as error:
        raise SubmissionError(f"{path} is not a roster: {error}") from error
    places = _places(rows[0] if rows else [], path)
    students: dict[str, Enrolled] = {}
    for row in rows[1:]:
        cells = {column: clean(row[place].strip()) if place < len(row) else "" for column, place in places.items()}
        if any(cells.values()):
            _enrol(students, cells)
    return tuple(students.values())


def index(roster: Sequence[Enrolled]) -> Mapping[str, Enrolled]:
    """The students by what they may be called; a name that two of them share stands for neither."""
    found: dict[str, Enrolled] = {}
    for names in zip(*(enrolled.known_as() for enrolled in roster), strict=True):
        shared = {name for name, count in Counter(names).items() if count > 1}
        for name, enrolled in zip(names, roster, strict=True):
            if name and name not in shared:
                found.setdefault(name, enrolled)
    return found


def squeezed(name: str) -> str:
    """A name by its letters and digits alone, for comparison."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()


def _enrol(students: dict[str, Enrolled], cells: dict[str, str]) -> None:
    late = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(cells.get("late", "").lower())
    paths = (cells["path"],) if cells.get("path") else ()
    who = cells["student"] or cells.get("email", "") or cells.get("name", "")
    one = Enrolled(who, cells.get("name", ""), cells.get("email", ""), paths, cells.get("submitted", ""), late)
    same = students.get(one.student)
    if same is None:
        students[one.student] = one
    elif (same.name, same.email) == (one.name, one.email) and paths and not set(paths) <= set(same.paths):
        students[one.student] = replace(same, paths=same.paths + paths)
    else:
        number = next(n for n in range(2, len(students) + 3) if f"{one.student} ({n})" not in students)
        note = f"the roster has {one.student!r} more than once: this is row {number} of that name"
        students[f"{one.student} ({number})"] = replace(one, student=f"{one.student} ({number})", note=note)


def _delimiter(text: str) -> str:
    head = text.split("\n", 1)[0]
    return max(",;\t", key=head.count)


def _places(header: Sequence[str], path: Path) -> dict[str, int]:
    found = [cell.strip().casefold() for cell in header]
    places = {column: found.index(name) for column, names in COLUMNS.items() for name in reversed(names) if name in found}
    if "student" not in places:
        raise SubmissionError(
            f"{path} is not a roster: expected a first row with the columns student, name, email, path, "
            f"found {', '.join(header[:6]) or 'nothing'}."
        )
    return places


ASSIGNMENT_FILE = "assignment.toml"


@dataclass(frozen=True)
class Assignment:
    """`points` of the assigned lessons by name, in the order of the course; empty: whatever is handed in."""

    points: Mapping[str, float]
    due: datetime | None = None
    title: str = ""

    def late(self, submitted: str) -> bool | None:
        """Whether a time (ISO 8601) is after the due one; None where either is not known. Lateness is never scored."""
        if self.due is None or not submitted:
            return None
        try:
            when = datetime.fromisoformat(submitted.strip().replace(" UTC", "+00:00"))
        except ValueError:
            return None
        if when.tzinfo is None or self.due.tzinfo is None:
            return when.replace(tzinfo=None) > self.due.replace(tzinfo=None)
        return when > self.due


def read_assignment(outline: Outline, lessons: Sequence[str], folder: Path) -> Assignment:
    """What `--lessons` names, else what `assignment.toml` says. Raises `SubmissionError`, `CourseError`."""
    path = folder / ASSIGNMENT_FILE
    found = _read_toml(outline, path) if path.is_file() else Assignment({})
    named = [word.strip() for text in lessons for word in text.split(",") if word.strip()]
    return Assignment(_ordered(outline, _named(outline, named)), found.due, found.title) if named else found


def points_of(outline: Outline, names: Sequence[str]) -> dict[str, float]:
    """The lessons' own points, in the order of the course."""
    return _ordered(outline, {name: float(outline.lesson(name).points) for name in names})


def _named(outline: Outline, words: Sequence[str]) -> dict[str, float]:
    chosen: dict[str, float] = {}
    for word in words:
        name, _, weight = word.partition("=")
        entries = outline.units.get(name) or (outline.lesson(name),)
        for entry in entries:
            chosen[entry.name] = _weight(weight, word) if weight else float(entry.points)
    return chosen


def _weight(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise SubmissionError(f"{where}: expected LESSON=POINTS with points of at least 0, such as linear=10.")
    return value


def _read_toml(outline: Outline, path: Path) -> Assignment:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SubmissionError(f"{path} cannot be read: {error}") from error
    lessons, due = table.get("lessons", {}), table.get("due")
    if isinstance(lessons, list):
        lessons = {str(name): outline.lesson(str(name)).points for name in lessons}
    if not isinstance(lessons, dict) or not all(isinstance(value, (int, float)) for value in lessons.values()):
        raise SubmissionError(f"{path}: expected a table [lessons] with a line LESSON = POINTS for each lesson.")
    if due is not None and not isinstance(due, datetime):
        raise SubmissionError(f"{path}: expected due to be a time such as 2026-03-06T23:59:00+01:00, found {due!r}.")
    points = {name: _weight(str(value), f"{path}: {name} = {value}") for name, value in lessons.items()}
    return Assignment(_ordered(outline, points), due, str(table.get("title", "")))


def _ordered(outline: Outline, points: Mapping[str, float]) -> dict[str, float]:
    for name in points:
        outline.lesson(name)
    return {entry.name: points[entry.name] for entry in outline.lessons if entry.name in points}
