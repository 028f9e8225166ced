"""Where files of a class are graded: a process that has the course loaded and one zygote, and takes jobs.

A job says everything that its result depends on, so it may be done anywhere, and twice: the result is the same.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from autograd_check.course.load import Course
from autograd_check.errors import AutogradCheckError
from autograd_check.grade.jobs import Graded, Job, Setup, graded
from autograd_check.grade.keys import checker_version
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.session import Session
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Status

CONFINED = 1
"""The level of isolation from which on code of strangers may be run."""

ATTEMPTS = 3
"""How often a file is graded whose zygote was lost meanwhile. One that ends its zygote each time is judged as it is."""


@dataclass(frozen=True)
class Workshop:
    """A session of the course with its zygote."""

    session: Session
    zygote: Zygote

    @classmethod
    def open(cls, setup: Setup) -> Workshop:
        """Start the zygote, then load the course. Raises `AutogradCheckError` where it must not grade here."""
        if checker_version() != setup.checker:
            raise AutogradCheckError(
                f"this worker has autograd_check {checker_version()}, and the class is graded with {setup.checker}: install the same"
            )
        zygote = Zygote(start="spawn")
        try:
            require_confinement(zygote, allow_unsandboxed=setup.allow_unsandboxed)
            return cls(Session(Course.load(setup.root), zygote), zygote)
        except BaseException:
            zygote.close()
            raise

    def grade(self, job: Job) -> Graded:
        """The result of one job; whatever happens, there is one."""
        started = time.perf_counter()
        record = self.record(job)
        return graded(job.key, record, round(time.perf_counter() - started, 4))

    def record(self, job: Job) -> LessonRecord:
        """The record of one job, graded again where the zygote was lost: that is nobody's answer."""
        for _ in range(ATTEMPTS):
            starts = self.zygote.starts
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # python's own about a student's text
                record = self._graded_once(job)
            if self.zygote.starts == starts:
                break
        return record

    def _graded_once(self, job: Job) -> LessonRecord:
        def own(earlier: str) -> str | None:
            source = job.beside.get(earlier)
            if source is None:
                return None
            passes = job.passed.get(earlier)
            if passes is None:
                found = self.session.grade_source(earlier, source, f"{earlier}.py", own, job.seeds[earlier])
                passes = found.status is Status.PASSED
            return source if passes else None

        return self.session.grade_source(job.lesson, job.source, f"{job.lesson}.py", own, job.seeds[job.lesson])


def require_confinement(zygote: Zygote, *, allow_unsandboxed: bool) -> None:
    """Refuse to run strangers' code where nothing holds it but the deadline. Raises `AutogradCheckError`."""
    if not allow_unsandboxed and confinement_level(zygote) < CONFINED:
        raise AutogradCheckError(
            f"students' code cannot be confined here ({zygote.isolation}), so a class is not graded: "
            "`autograd-check doctor` says what is missing. If you trust every file: --allow-unsandboxed"
        )


def confinement_level(zygote: Zygote) -> int:
    """The level of isolation: 0 for trusted code only, 1 where the kernel confines it, 2 with namespaces of its own."""
    return int("no new privileges" in zygote.isolation)


@functools.cache
def workshop(setup: Setup) -> Workshop:
    """The workshop of this process: opened with the first job, and closed with the process."""
    return Workshop.open(setup)


def grade_jobs(setup: Setup, jobs: Sequence[Job]) -> list[Graded]:
    """Grade jobs in this process's workshop. Raises `AutogradCheckError` where there must not be one."""
    here = workshop(setup)
    return [here.grade(job) for job in jobs]
