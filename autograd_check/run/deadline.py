"""A deadline on a call in this process: an alarm that raises in the student's code, again and again until it gives up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

from autograd_check.run.failures import DeadlineReached

Value = TypeVar("Value")

FIRST_GAP, LAST_GAP = 0.05, 2e-5
"""Seconds between two alarms, halved each time: a loop of `except BaseException: pass` swallows some, until one rings
while it is outside its `try`."""


def available() -> bool:
    """Whether a deadline can be kept here: alarms exist on POSIX, and only the main thread receives them."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


class Deadline:
    """Runs calls that may take `seconds` each. Where alarms are not available calls simply run.

    An alarm cannot interrupt one long operation in C (a huge matrix product): that takes a process of its own.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._armed = False
        self._gap = FIRST_GAP

    def run(self, call: Callable[[], Value]) -> Value:
        """The call's value.

        Raises:
            DeadlineReached: the call took longer.
        """
        if not available():
            return call()
        started = time.monotonic()
        handler = signal.signal(signal.SIGALRM, self._ring)
        self._gap = FIRST_GAP
        remaining, interval = signal.setitimer(signal.ITIMER_REAL, self.seconds)
        self._armed = True
        try:
            return call()
        finally:
            # First, and without a call: an alarm that rings between two calls of this block then does nothing.
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
            if remaining:
                left = max(remaining - (time.monotonic() - started), 1e-3)
                signal.setitimer(signal.ITIMER_REAL, left, interval)

    def _ring(self, number: int, frame: FrameType | None) -> Any:
        if self._armed:
            signal.setitimer(signal.ITIMER_REAL, self._gap)
            self._gap = max(self._gap / 2, LAST_GAP)
            raise DeadlineReached


class NoDeadline(Deadline):
    """Calls simply run: somebody outside this process keeps the time."""

    def run(self, call: Callable[[], Value]) -> Value:
        """The call's value."""
        return call()
