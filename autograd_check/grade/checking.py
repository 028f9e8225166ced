"""Several files graded one after the other, each in a process of its own; one record for each file, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from autograd_check.course.files import digest, read_text
from autograd_check.course.load import Course
from autograd_check.course.progress import Progress, Verified
from autograd_check.errors import CourseError
from autograd_check.grade.record import LessonRecord, failed_lesson
from autograd_check.grade.session import Session
from autograd_check.grade.targets import Target
from autograd_check.run.zygote import Zygote


def grade_all(
    course: Course, targets: Sequence[Target], *, seed: int = 0, isolated: bool = True, shrinks: bool = False, times: bool = False
) -> Iterator[LessonRecord]:
    """A record for every target, as soon as it is there. `isolated` False runs the code in this process.

    With `shrinks` what failed gets the smallest input that shows it, with `times` what passed how fast it is beside torch.

    A lesson that cannot be loaded raises `CourseError` where it is the only one; among others it has a record that says so. Nothing that
    is wrong with a submission raises.
    """
    with ExitStack() as stack:
        zygote = stack.enter_context(Zygote()) if isolated else None
        session = Session(course, zygote, seed, times)
        for target in targets:
            try:
                record = session.grade_file(target.lesson, target.path, target.shown)
            except CourseError as error:
                if len(targets) == 1:
                    raise
                says = str(error).splitlines()[0].rstrip(".")
                record = failed_lesson(target.lesson, target.shown, course.outline.lesson(target.lesson).points, says)
            yield session.with_smallest(record, target.path) if shrinks else record


def records_to_dict(records: Sequence[LessonRecord]) -> dict[str, Any]:
    """The records as `--format json` prints them (schema 1)."""
    return {"schema": 1, "lessons": [record.to_dict() for record in records]}


def remember(root: Path, targets: Sequence[Target], records: Sequence[LessonRecord]) -> None:
    """Keep the verdicts on the course's own lessons folder, each with the hash of the file it was given for."""
    progress = Progress.read(root)
    own = [(target, record) for target, record in zip(targets, records, strict=True) if target.own]
    for target, record in own:
        if target.path.is_file():
            verdict = Verified(str(record.status), record.score, record.max_score, digest(read_text(target.path)))
            progress = progress.with_verdict(target.lesson, verdict)
    if own:
        progress.save()
