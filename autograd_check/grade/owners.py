"""Whose a file is, by the names that Canvas, Moodle and Gradescope give their exports, or by its folder.

ada/linear.py                                         a folder a student
linear__ada.py                                        LESSON__STUDENT.py
Ada Lovelace_1001_assignsubmission_file_/linear.py    Moodle: the participant's number, not the student's
ngmina_LATE_9001_4711_linear-1.py                     Canvas: user id, attachment id, how often it was handed in again
submission_77/linear.py + submission_metadata.yml     Gradescope: only the metadata tells who
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autograd_check.errors import SubmissionError
from autograd_check.grade.inbox import clean, escapes, is_archive

METADATA = "submission_metadata.yml"

MOODLE = re.compile(r"^(?P<name>.+)_(?P<uid>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)$")
CANVAS = re.compile(r"^(?:(?P<name>.*?)_)?(?P<late>LATE_)?(?P<uid>\d+)_(?P<attachment>\d{1,18}|text|link)[_.](?P<file>.+)$")
CANVAS_ANONYMOUS = re.compile(r"^(?P<late>LATE_)?anon_(?P<uid>[^_]+)_(?P<attachment>\d{1,18})_(?P<file>.+)$")


@dataclass(frozen=True)
class Owner:
    """A student as an export names one. `file` is the name that the student gave, `order` grows with each handing in."""

    student: str
    name: str = ""
    email: str = ""
    late: bool | None = None
    submitted: str = ""
    file: str = ""
    order: int = 0


def owner_of(top: str, is_folder: bool, lessons: Collection[str], wanted: Sequence[str] = ()) -> Owner | None:
    """Whose a folder or a file at the top of an inbox is; None where its name does not tell.

    Where a single lesson is `wanted`, a file may be named after its student alone.
    """
    moodle = MOODLE.match(top)
    if moodle:
        return Owner(f"{clean(moodle['name'])} ({moodle['uid']})", clean(moodle["name"]), file=clean(moodle["file"]))
    if escapes(top):
        return None
    if is_folder:
        return Owner(clean(top))
    stem, _, ending = top.rpartition(".")
    lesson, separator, student = stem.partition("__")
    if separator and lesson in lessons and student:
        return Owner(clean(student), file=f"{lesson}.{ending}")
    canvas = CANVAS_ANONYMOUS.match(top) or CANVAS.match(top)
    if canvas:
        found = canvas.groupdict()
        order = int(found["attachment"]) if found["attachment"].isdecimal() else 0
        name = clean(found.get("name") or "")
        return Owner(found["uid"], name, late=bool(found["late"]), file=clean(found["file"]), order=order)
    if is_archive(top):
        return Owner(clean(stem), file=clean(top))
    if len(wanted) == 1 and ending.lower() in ("py", "ipynb") and stem not in lessons:
        return Owner(clean(stem), file=f"{wanted[0]}.{ending}")
    return None


def read_metadata(content: bytes, path: Path) -> dict[str, tuple[Owner, ...]]:
    """The students of every folder of a Gradescope export. Raises `SubmissionError` where it is not what Gradescope writes."""
    # it makes texts only: no objects, and a student's number keeps its leading zeros
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        table = yaml.load(content, loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SubmissionError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(table, dict):
        raise SubmissionError(f"{path} is not what Gradescope writes: expected a table of submissions")
    return {str(folder): _submitters(str(folder), entry) for folder, entry in table.items()}


def _submitters(folder: str, entry: Any) -> tuple[Owner, ...]:
    about: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    people = about.get(":submitters")
    submitted = _text(about, ":created_at")
    found = []
    for person in people if isinstance(people, list) else []:
        if isinstance(person, dict):
            name, sid, email = (_text(person, key) for key in (":name", ":sid", ":email"))
            found.append(Owner(sid or email or name or clean(folder), name, email, submitted=submitted))
    return tuple(found) or (Owner(clean(folder), submitted=submitted),)


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return clean(value.strip()) if isinstance(value, str) and value not in ("null", "~") else ""
