"""`records.jsonl` and `grades.csv`, written from the store in one pass, and the summary that this pass gives.

Each file is written under another name first and then put in place, so that it is never seen half written.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from autograd_check.course.outline import Outline
from autograd_check.grade.gradebook.marks import Row, rows
from autograd_check.grade.store import Difference, Store

RECORDS, GRADES = "records.jsonl", "grades.csv"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
MOST_SAME = 20


@dataclass(frozen=True)
class LessonCount:
    """How a lesson went: students by status, and the sum of their points."""

    most: float
    statuses: Counter[str] = field(default_factory=Counter)
    points: float = 0.0


@dataclass(frozen=True)
class Summary:
    """A class at a glance. `causes` counts students by lesson and cause of the first finding that failed."""

    students: int
    lessons: Mapping[str, LessonCount]
    causes: Mapping[tuple[str, str], int]
    isolation: Mapping[str, int]
    late: int
    noted: int
    overridden: int
    former: int
    secret: bool
    differences: tuple[Difference, ...]
    same_files: tuple[tuple[str, int, list[str]], ...]
    folder: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record (schema 1)."""
        return {
            "schema": 1,
            "students": self.students,
            "lessons": [
                {"lesson": name, "max_score": one.most, "mean": _mean(one), "statuses": dict(one.statuses)}
                for name, one in self.lessons.items()
            ],
            "causes": [{"lesson": lesson, "cause": cause, "students": n} for (lesson, cause), n in self.causes.items()],
            "isolation": dict(self.isolation),
            **{name: getattr(self, name) for name in ("late", "noted", "overridden", "former")},
            "differences": [asdict(one) for one in self.differences],
            "same_files": [{"lesson": lesson, "students": n, "first": first} for lesson, n, first in self.same_files],
            "folder": self.folder,
        }


def publish(store: Store, folder: Path, outline: Outline) -> Summary:
    """Write both files for the students of the last run. The store says what is assigned."""
    run, points = int(store.about("run", 0)), store.about("points", {})
    counts = {lesson: LessonCount(most) for lesson, most in points.items()}
    causes: Counter[tuple[str, str]] = Counter()
    isolation: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    sums = dict.fromkeys(points, 0.0)
    with ExitStack() as stack:
        records = stack.enter_context(replaced(folder / RECORDS))
        table = csv.writer(stack.enter_context(replaced(folder / GRADES)), lineterminator="\n")
        table.writerow(["student", "name", "email", *points, "total"])
        for row in rows(store, run, points, outline):
            records.write(json.dumps(_record(row), ensure_ascii=False, allow_nan=False) + "\n")
            table.writerow(_cells(row))
            totals.update(students=1, late=bool(row.member.late), noted=bool(row.member.notes or row.member.problem))
            isolation[row.isolation] += 1
            for mark in row.marks:
                counts[mark.lesson].statuses[mark.status] += 1
                sums[mark.lesson] += mark.points
                totals["overridden"] += mark.override is not None
                if mark.cause:
                    causes[mark.lesson, mark.cause] += 1
    return Summary(
        totals["students"],
        {name: LessonCount(one.most, one.statuses, sums[name]) for name, one in counts.items()},
        dict(causes.most_common()),
        dict(isolation.most_common()),
        totals["late"],
        totals["noted"],
        totals["overridden"],
        store.former(run),
        bool(store.about("secret", False)),
        tuple(store.differences(run, list(points))),
        tuple(store.same_files(run, list(points), MOST_SAME)),
        str(folder),
    )


@contextmanager
def replaced(path: Path) -> Iterator[IO[str]]:
    """A text file to write; it takes the place of the old one when it is complete."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with draft.open("w", encoding="utf-8", newline="", errors="backslashreplace") as stream:
            yield stream
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def plain_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def number(value: float) -> str:
    """Points as people write them: `7.75`, `10`."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _record(row: Row) -> dict[str, Any]:
    member = row.member
    return {
        "submission": member.student,
        "status": row.status,
        "score": row.score,
        "max_score": row.max_score,
        "isolation": row.isolation,
        "seconds": row.seconds,
        "name": member.name,
        "email": member.email,
        "late": member.late,
        "submitted": member.submitted,
        "notes": [*([member.problem] if member.problem else []), *member.notes],
        "lessons": [dict(mark.entry) for mark in row.marks],
    }


def _cells(row: Row) -> list[str]:
    """A student's row; an empty cell is a lesson that was not handed in."""
    member = row.member
    points = ["" if mark.status == "missing" and mark.override is None else number(mark.points) for mark in row.marks]
    return [*map(plain_cell, (member.student, member.name, member.email)), *points, number(row.score)]


def _mean(one: LessonCount) -> float:
    students = one.statuses.total()
    return round(one.points / students, 2) if students else 0.0
