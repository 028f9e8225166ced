"""The list of a class: a CSV file with the columns student, name, email, path, of which only `student` must be there.

`path` names a file or a folder that the student handed in, as seen from the roster; several rows of one student name
several. `submitted` (a time) and `late` (yes or no) may be there too; other columns are not read.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
