"""Jobs done by several workers at once: a bounded window of batches, and what a lost worker had is given out again.

The loop is the same for processes on this machine and for a cluster: both are a `Crew`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from multiprocessing.process import BaseProcess
from typing import Protocol

from autograd_check.errors import AutogradCheckError
from autograd_check.grade.jobs import Graded, Job, Setup, given_up
from autograd_check.run import limits

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
                future = self._workers[place].executor.submit(_grade, self._setup, jobs)
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
        _grade(setup, [])


def _grade(setup: Setup, jobs: Sequence[Job]) -> list[Graded]:
    """What a worker does. Torch is imported here: the program that hands out the jobs does without."""
    from autograd_check.grade.workshop import grade_jobs

    return grade_jobs(setup, jobs)


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
