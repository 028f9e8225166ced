"""Jobs done by several workers at once, each with the course loaded and one zygote: what a lost worker had is given out again.

A job says everything that its result depends on, so it may be done anywhere, and twice. The loop is the same for processes on
this machine and for a cluster: both are a `Crew`. The program that gives out the jobs does without torch.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Protocol

from autograd_check.errors import AutogradCheckError
from autograd_check.grade.jobs import Graded, Job, Setup, checker_version, given_up, graded
from autograd_check.grade.record import LessonRecord
from autograd_check.run import limits
from autograd_check.verify.finding import Status

if TYPE_CHECKING:
    from autograd_check.grade.session import Session
    from autograd_check.run.zygote import Zygote

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
        """Start the zygote, then load the course. Raises `AutogradCheckError` where it must not grade here, or not yet."""
        from autograd_check.course.load import Course
        from autograd_check.grade.session import Session
        from autograd_check.run.zygote import Zygote

        if checker_version() != setup.checker:
            raise AutogradCheckError(
                f"this worker has autograd_check {checker_version()}, and the class is graded with {setup.checker}: install the same"
            )
        zygote = Zygote(start="spawn", ahead=True)
        try:
            require_confinement(zygote, allow_unsandboxed=setup.allow_unsandboxed)
            course = Course.load(setup.root)
            course.require(setup.lessons)
            return cls(Session(course, zygote), zygote)
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
    if not allow_unsandboxed and zygote.confinement.level < CONFINED:
        raise AutogradCheckError(
            f"students' code cannot be confined here ({zygote.isolation}), so a class is not graded: "
            "`autograd-check doctor` says what is missing. If you trust every file: --allow-unsandboxed"
        )


@functools.cache
def workshop(setup: Setup) -> Workshop:
    """The workshop of this process: opened with the first job, and closed with the process."""
    return Workshop.open(setup)


def grade_jobs(setup: Setup, jobs: Sequence[Job]) -> list[Graded]:
    """Grade jobs in this process's workshop. Raises `AutogradCheckError` where there must not be one."""
    here = workshop(setup)
    return [here.grade(job) for job in jobs]


MOST_ATTEMPTS = 5
"""How many workers one file may take with it, before the run goes on without it."""


class Crew(Protocol):
    """Those who do the jobs."""

    @property
    def window(self) -> int:
        """How many batches are worth handing out at once."""
        ...

    @property
    def batch(self) -> int:
        """How many jobs make a batch."""
        ...

    def submit(self, jobs: Sequence[Job]) -> Future[list[Graded]]:
        """Hand out a batch."""
        ...

    def close(self) -> None:
        """Send everybody home, at once."""
        ...


def do_jobs(jobs: Iterable[Job], crew: Crew, points: Callable[[str], float]) -> Iterator[Graded]:
    """The results, as they come: one or more for every job. `points` says what a lesson is worth.

    Raises `AutogradCheckError` where no worker may grade; nothing else that happens to a worker raises.
    """
    source = iter(jobs)
    again: deque[tuple[Job, int]] = deque()
    waiting: dict[Future[list[Graded]], tuple[tuple[Job, int], ...]] = {}
    while True:
        while len(waiting) < crew.window:
            # what was lost is tried alone, so that only the one to blame is given up
            batch = (again.popleft(),) if again else tuple((job, 0) for job in islice(source, crew.batch))
            if not batch:
                break
            waiting[crew.submit([job for job, _ in batch])] = batch
        if not waiting:
            return
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            batch = waiting.pop(future)
            try:
                yield from future.result()
            except AutogradCheckError:
                raise
            except Exception as error:
                for job, attempts in batch:
                    if attempts + 1 < MOST_ATTEMPTS:
                        again.append((job, attempts + 1))
                    else:
                        what = f"{type(error).__name__} in each of {MOST_ATTEMPTS} workers"
                        yield given_up(job, points(job.lesson), what)


@dataclass(frozen=True)
class Worker:
    """A process of its own behind an executor's interface."""

    executor: ProcessPoolExecutor
    process: BaseProcess

    @classmethod
    def hire(cls, setup: Setup) -> Worker:
        """Start a process that imports torch and opens its workshop."""
        before = set(multiprocessing.active_children())
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(setup, os.getpid()))
        with _interrupts_ignored():  # Ctrl-C is for the program, which tells its workers
            executor.submit(os.getpid)
        (process,) = set(multiprocessing.active_children()) - before
        return cls(executor, process)

    def dismiss(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.executor.shutdown(wait=True, cancel_futures=True)


class LocalPool:
    """Workers on this machine, each with a zygote of its own; one that dies is replaced."""

    batch = 4

    def __init__(self, setup: Setup, jobs: int) -> None:
        self._setup = setup
        self._workers = [Worker.hire(setup) for _ in range(max(jobs, 1))]
        self._busy: dict[Future[list[Graded]], int] = {}

    @property
    def window(self) -> int:
        """Two batches a worker, so that none waits for the writer."""
        return 2 * len(self._workers)

    def submit(self, jobs: Sequence[Job]) -> Future[list[Graded]]:
        """Hand a batch to the worker that has least to do."""
        self._busy = {future: place for future, place in self._busy.items() if not future.done()}
        places = list(self._busy.values())
        place = min(range(len(self._workers)), key=places.count)
        for _ in range(MOST_ATTEMPTS):
            try:
                future = self._workers[place].executor.submit(grade_jobs, self._setup, jobs)
            except BrokenExecutor:
                self._workers[place].dismiss()
                self._workers[place] = Worker.hire(self._setup)
            else:
                self._busy[future] = place
                return future
        raise AutogradCheckError(f"the processes that grade end as soon as they start; {MOST_ATTEMPTS} were tried")

    def close(self) -> None:
        """End all workers; their zygotes, and all that these started, end with them."""
        for worker in self._workers:
            worker.dismiss()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if limits.linux() else os.cpu_count() or 1


def _begin(setup: Setup, parent: int) -> None:
    """The first thing that a worker does: die with the program, then import torch and start the zygote."""
    limits.prctl(limits.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    with contextlib.suppress(AutogradCheckError):  # the first job raises it, where it can be told
        grade_jobs(setup, [])


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """What is started here does not hear Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kept)


@contextlib.contextmanager
def hired(setup: Setup, jobs: int, scheduler: str | None = None) -> Iterator[Crew]:
    """A crew until the end of the block; then everybody is sent home at once, whatever they are doing.

    Raises `AutogradCheckError` where the scheduler does not answer, `ModuleNotFoundError` without the extra `cluster`.
    """
    crew: Crew
    if scheduler is None:
        crew = LocalPool(setup, jobs)
    else:
        from autograd_check.grade.cluster import Cluster  # an extra

        crew = Cluster(scheduler, setup)
    try:
        yield crew
    finally:
        crew.close()
