"""How long a call may take: so much processor time, so that a busy machine makes nobody slow, and so much patience by the clock.

In this process an alarm raises in the student's code, again and again until it gives up. A process of its own is watched
and ended by the grader (`Isolated`), who reads its processor time from the kernel and not from the process.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from autograd_check.run.failures import DeadlineReached

Value = TypeVar("Value")

DEADLINE = 5.0
"""Seconds of processor time that one call of a student's function may take."""

PATIENCE = 60.0
"""Seconds by the clock after which a call is stopped anyway: one that sleeps or waits uses no processor time."""

SHARE = 0.25
"""Where the kernel does not tell the processor time of another process, it counts as this part of the time by the clock."""

SHORTEST = 1e-3
"""Seconds between two looks at least."""

FIRST_GAP, LAST_GAP = 0.05, 2e-5
"""Seconds between two alarms, halved each time: a loop of `except BaseException: pass` swallows some, until one rings
while it is outside its `try`."""


class Stopwatch:
    """What is left of the time that one call may take: `seconds` by `clock`, and `patience` seconds by the clock on the wall.

    `clock` tells the processor time of whoever runs the call, in seconds. It is a system call, so it is read for the first
    time when a tenth of the `seconds` has gone by, and counts from there: nearly every call is over by then.
    """

    def __init__(self, seconds: float, patience: float, clock: Callable[[], float] = time.thread_time) -> None:
        self._seconds, self._patience, self._clock = seconds, patience, clock
        self._started = time.monotonic()
        self._from: float | None = None
        self._asked = False
        self._granted = 0.0

    def grant(self, seconds: float) -> None:
        """Let the call take so much processor time more: what it costs to be lent something is not the call's own."""
        self._granted += seconds

    def left(self) -> float:
        """Seconds after which to look again, at least `SHORTEST`; 0 when the time is over."""
        if not self._asked:
            self._asked = True
            return min(self._seconds / 10, self._patience)
        left = min(self._seconds + self._granted - self._used(), self._patience - time.monotonic() + self._started)
        return max(left, SHORTEST) if left > 0 else 0.0

    @property
    def reached(self) -> float:
        """The limit that was reached, in seconds: of processor time or else of patience."""
        return self._seconds if self._used() >= self._seconds + self._granted else self._patience

    def _used(self) -> float:
        now = self._clock()
        if self._from is None:
            self._from = now
        return now - self._from


def processor_clock(pid: int) -> Callable[[], float]:
    """A clock of the processor time that another process has used, in seconds, all its threads together.

    The number of a process's clock is what `clock_getcpuclockid(3)` gives, which python does not offer; the kernel tells
    it of any process. A process that is gone has used nothing.
    """
    if not sys.platform.startswith("linux"):
        return lambda: SHARE * time.monotonic()
    number = (~pid << 3) | 2

    def clock() -> float:
        try:
            return time.clock_gettime(number)
        except OSError:
            return 0.0

    return clock


def available() -> bool:
    """Whether a deadline can be kept here: alarms exist on POSIX, and only the main thread receives them."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


class Deadline:
    """Runs calls that may take `seconds` of this thread's processor time each, and `patience` seconds by the clock.

    Where alarms are not available calls simply run. An alarm cannot interrupt one long operation in C (a huge matrix
    product): that takes a process of its own.
    """

    def __init__(self, seconds: float, patience: float = PATIENCE) -> None:
        self.seconds = seconds
        self.patience = patience
        self._watching = False
        self._armed = False
        self._gap = FIRST_GAP
        self._stopwatch: Stopwatch

    @contextmanager
    def watch(self) -> Iterator[None]:
        """One alarm for all calls inside, each still with a deadline of its own: to set one up takes longer than most calls."""
        if not available():
            yield
            return
        started = time.monotonic()
        handler = signal.signal(signal.SIGALRM, self._ring)
        remaining, interval = signal.setitimer(signal.ITIMER_REAL, self._first_look)
        self._watching = True
        try:
            yield
        finally:
            self._watching = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
            if remaining:
                left = max(remaining - (time.monotonic() - started), 1e-3)
                signal.setitimer(signal.ITIMER_REAL, left, interval)

    def run(self, call: Callable[[], Value]) -> Value:
        """The call's value.

        Raises:
            DeadlineReached: the call took longer.
        """
        if self._watching:
            return self._timed(call)
        with self.watch():
            return self._timed(call)

    def _timed(self, call: Callable[[], Value]) -> Value:
        if not self._watching:
            return call()
        self._gap = FIRST_GAP
        self._stopwatch = Stopwatch(self.seconds, self.patience)
        self._armed = True
        try:
            return call()
        finally:
            # Without a call: an alarm that rings from here on does nothing.
            self._armed = False

    @property
    def _first_look(self) -> float:
        return min(self.seconds / 10, self.patience)

    def _ring(self, number: int, frame: FrameType | None) -> Any:
        if not self._armed:
            if self._watching:
                signal.setitimer(signal.ITIMER_REAL, self._first_look)
            return
        left = self._stopwatch.left()
        if left:
            signal.setitimer(signal.ITIMER_REAL, left)
            return
        signal.setitimer(signal.ITIMER_REAL, self._gap)
        self._gap = max(self._gap / 2, LAST_GAP)
        raise DeadlineReached(self._stopwatch.reached)


class NoDeadline(Deadline):
    """Calls simply run: somebody outside this process keeps the time."""

    @contextmanager
    def watch(self) -> Iterator[None]:
        """No alarm."""
        yield

    def run(self, call: Callable[[], Value]) -> Value:
        """The call's value."""
        return call()
