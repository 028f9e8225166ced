"""A student's marks: a status and points for every assigned lesson, whether it was handed in or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autograd_check.course.outline import Outline
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.store import MISSING, Kept, Member, Override, Store
from autograd_check.grade.submission import unreadable

SEVERITY = ("passed", "skipped", "inconclusive", "todo", MISSING, "failed", "error")
"""Statuses of a lesson in a class, from harmless to worst; a submission has that of its worst lesson."""


@dataclass(frozen=True)
class Mark:
    """A lesson of a student: its points of `most`, and its entry as `check` prints it. `points` are an override's where there is one."""

    lesson: str
    status: str
    points: float
    most: float
    entry: Mapping[str, Any]
    override: Override | None = None

    @property
    def cause(self) -> str:
        """The cause of the first finding that failed; empty where there is none."""
        bad = (finding for finding in self.entry["findings"] if finding["status"] in ("failed", "error", "inconclusive"))
        return next((finding["diagnosis"]["cause"] for finding in bad if finding["diagnosis"]), "")


@dataclass(frozen=True)
class Row:
    """A student and the marks, in the order of the course."""

    member: Member
    marks: tuple[Mark, ...]
    isolation: str
    seconds: float

    @property
    def status(self) -> str:
        """The worst lesson's."""
        return max((mark.status for mark in self.marks), key=SEVERITY.index, default=MISSING)

    @property
    def score(self) -> float:
        """Points of all assigned lessons; one that is missing has none."""
        return round(sum(mark.points for mark in self.marks), 2)

    @property
    def max_score(self) -> float:
        """What the assigned lessons are worth together."""
        return round(sum(mark.most for mark in self.marks), 2)


def rows(store: Store, run: int, points: Mapping[str, float], outline: Outline) -> Iterator[Row]:
    """The students of a run, one after the other."""
    for member in store.members(run):
        kept, overrides = store.lessons_of(member.student), store.overrides(member.student)
        marks = tuple(
            _mark(member, lesson, most, kept.get(lesson), overrides.get(lesson), outline) for lesson, most in points.items()
        )
        mine = [kept[lesson] for lesson in points if lesson in kept]
        isolation = " | ".join(dict.fromkeys(one.isolation for one in mine if one.isolation != "not run")) or "not run"
        yield Row(member, marks, isolation, round(sum(one.seconds for one in mine), 4))


def _mark(member: Member, lesson: str, most: float, kept: Kept | None, override: Override | None, outline: Outline) -> Mark:
    entry = _entry(member, lesson, kept, outline)
    worth = entry["max_score"]
    share = entry["score"] / worth if worth else 0.0
    points = round(most * share, 2) if override is None else override.points
    if override is not None:
        entry = {**entry, "override": {"points": override.points, "why": override.why, "made": override.made}}
    return Mark(lesson, entry["status"], points, most, entry, override)


def _entry(member: Member, lesson: str, kept: Kept | None, outline: Outline) -> dict[str, Any]:
    """The entry of a lesson: its result's, or what stands for one that could not be read or is not there."""
    if kept is not None and kept.record is not None:
        return {**json.loads(kept.record), "file": kept.path}
    worth = float(outline.lesson(lesson).points)
    problem = kept.problem if kept is not None else member.problem
    if problem:
        path = kept.path if kept is not None else ""
        return LessonRecord(lesson, path, (unreadable(problem),), worth, "not run").to_dict()
    nothing = LessonRecord(lesson, "", (), worth, "not run").to_dict()
    return {**nothing, "status": MISSING}
