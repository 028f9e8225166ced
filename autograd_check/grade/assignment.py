"""What counts in a class: the assigned lessons, the points of each, and when they are due.

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

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from autograd_check.course.outline import Outline
from autograd_check.errors import SubmissionError

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
