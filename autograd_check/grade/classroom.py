"""One run over a class: collect what was handed in, grade what the store does not know, write what the store knows."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from autograd_check.course.outline import Outline
from autograd_check.errors import SubmissionError
from autograd_check.grade.collect import collect
from autograd_check.grade.gradebook.publish import Summary, publish
from autograd_check.grade.jobs import Graded, Keys, Setup, checker_version, graded, read_secret
from autograd_check.grade.pool import Crew, Workshop, do_jobs
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.roster import points_of, read_assignment
from autograd_check.grade.store import Store

if TYPE_CHECKING:
    from autograd_check.course.load import Course


@dataclass(frozen=True)
class Plan:
    """What a run is about: the submissions, the folder for what comes of them, and what counts."""

    submissions: Path
    out: Path
    lessons: Sequence[str] = ()
    roster: Path | None = None
    key_file: Path | None = None
    allow_unsandboxed: bool = False

    def setup(self, outline: Outline, lessons: tuple[str, ...]) -> Setup:
        """What its workers must know."""
        return Setup(str(outline.root), checker_version(), self.allow_unsandboxed, lessons)


@dataclass(frozen=True)
class Run:
    """A class that was collected. `total` results are needed, of which `done` were in the store before."""

    outline: Outline
    store: Store
    keys: Keys
    number: int
    lessons: tuple[str, ...]
    total: int
    done: int
    out: Path

    @classmethod
    @contextmanager
    def open(cls, outline: Outline, plan: Plan) -> Iterator[Run]:
        """Collect the class into its store.

        Raises `SubmissionError` for submissions, a roster or an assignment that cannot be read; nothing that a student
        did raises.
        """
        for kept in (outline.root / "lessons", outline.source / "solutions"):
            if plan.out.resolve().is_relative_to(kept):
                raise SubmissionError(f"{plan.out} is part of the course in {kept.parent}. Name another folder with --out.")
        keys = Keys(outline, read_secret(plan.key_file))
        folder = plan.submissions if plan.submissions.is_dir() else plan.submissions.parent
        assignment = read_assignment(outline, plan.lessons, folder)
        handins = collect(plan.submissions, outline, asked_functions(outline), assignment, plan.roster)
        first = next(handins, None)
        if first is None:
            raise SubmissionError(f"{plan.submissions} holds no submissions: expected a folder or a file for each student.")
        with Store.open(plan.out, make=True) as store:
            about = {"course": str(outline.root), "key_file": str(plan.key_file.resolve()) if plan.key_file else None}
            number = store.begin_run({**about, "secret": bool(keys.secret), "title": assignment.title})
            for _ in store.receive((handin for group in ([first], handins) for handin in group), keys, number):
                pass
            handed = store.handed_lessons(number)
            points = dict(assignment.points) or points_of(outline, sorted(handed))
            if not points:
                raise SubmissionError(
                    f"{plan.submissions}: no file is a lesson of {outline.root}; name the assigned lessons with --lessons."
                )
            store.set_about("points", points)
            total, done = store.counts(number, list(points))
            yield cls(outline, store, keys, number, tuple(points), total, done, plan.out)

    def grade(self, crew: Crew) -> Iterator[Graded]:
        """Grade what the store does not have. Every result is in the store before it is seen here."""
        jobs = self.store.pending(self.number, self.lessons, self.keys)
        for one in do_jobs(jobs, crew, lambda lesson: float(self.outline.lesson(lesson).points)):
            self.store.add([one], self.keys)
            yield one

    def finish(self) -> Summary:
        """Write the files of the class; the next run is compared with this one."""
        summary = publish(self.store, self.out, self.outline)
        self.store.end_run()
        return summary


def override(folder: Path, outline: Outline, student: str, lesson: str, points: float, why: str) -> Summary:
    """Give a student's lesson points of the instructor's own, with the reason. Raises `SubmissionError`, `CourseError`."""
    if not (math.isfinite(points) and points >= 0):
        raise SubmissionError(f"expected points of at least 0, got {points:g}.")
    if not why.strip():
        raise SubmissionError("expected a reason: --why TEXT. It is kept with the points.")
    with Store.open(folder) as store:
        _require(store, student, lesson)
        store.override(student, lesson, points, why.strip(), datetime.now(UTC).isoformat(timespec="seconds"))
        return publish(store, folder, outline)


@dataclass(frozen=True)
class Regraded:
    """One file graded again: the record as its student would see it, and the outcome before."""

    record: LessonRecord
    before: tuple[str, float] | None

    @property
    def changed(self) -> bool:
        """Whether status or points are others than before."""
        return self.before is not None and self.before != (str(self.record.status), self.record.score)


def regrade(folder: Path, outline: Outline, student: str, lesson: str, *, allow_unsandboxed: bool = False) -> Regraded:
    """Grade one file of the store again, with the course and the checker as they are now, and keep the result."""
    with Store.open(folder) as store:
        _require(store, student, lesson)
        key_file = store.about("key_file")
        keys = Keys(outline, read_secret(Path(key_file)) if key_file else b"")
        kept = store.lessons_of(student).get(lesson)
        before = (kept.status, kept.score) if kept is not None and kept.status is not None else None
        job = store.rekey(student, lesson, store.job(student, lesson, keys), keys)
        workshop = Workshop.open(Setup(str(outline.root), checker_version(), allow_unsandboxed))
        with workshop.zygote:
            record = workshop.record(job)
        store.add([graded(job.key, record, kept.seconds if kept is not None else 0.0)], keys)
        publish(store, folder, outline)
        return Regraded(record, before)


def asked_functions(outline: Outline) -> Callable[[str], Sequence[str]]:
    """The names that a lesson asks for. The first question imports torch, and each lesson that is asked about is run."""

    @functools.cache
    def course() -> Course:
        from autograd_check.course.load import Course

        return Course(outline)

    return lambda lesson: course().lesson(lesson).functions()


def course_of(folder: Path) -> Path:
    """The course that a class was graded in. Raises `SubmissionError`."""
    with Store.open(folder) as store:
        return Path(str(store.about("course", "")))


def _require(store: Store, student: str, lesson: str) -> None:
    """Raise `SubmissionError`, with near matches, where the class has no such student or no such lesson."""
    students = store.students()
    if student not in students:
        near = difflib.get_close_matches(student, students, n=3, cutoff=0.5)
        raise SubmissionError(f"There is no student {student!r} in this class. {_advice(near, students)}")
    points = store.about("points", {})
    if lesson not in points:
        raise SubmissionError(f"{lesson!r} is not assigned in this class: {', '.join(points)} are.")


def _advice(near: Sequence[str], names: Sequence[str]) -> str:
    return f"Did you mean {' or '.join(near)}?" if near else f"Its students: {', '.join(islice(names, 5))}, …"
