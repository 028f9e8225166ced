"""Processor time counts; the clock on the wall only after much longer."""

from __future__ import annotations

import os
import signal
import time

import pytest

from autograd_check.run.deadline import SHARE, SHORTEST, Stopwatch, processor_clock


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("autograd_check.run.deadline.time.monotonic", clock)
    return clock


def test_a_machine_that_gives_little_time_costs_nobody_anything(wall: Clock) -> None:
    used = Clock()
    stopwatch = Stopwatch(5.0, 60.0, used)
    assert [stopwatch.left(), stopwatch.left()] == [0.5, 5.0]
    wall.now, used.now = wall.now + 50, used.now + 4
    assert stopwatch.left() == 1.0
    used.now += 1
    assert (stopwatch.left(), stopwatch.reached) == (0.0, 5.0)


def test_what_is_lent_is_not_on_the_account_of_the_call(wall: Clock) -> None:
    used = Clock()
    watch = Stopwatch(5.0, 60.0, used)
    watch.left(), watch.left()
    used.now += 4.0
    assert watch.left() == pytest.approx(1.0)
    watch.grant(2.5)
    assert watch.left() == pytest.approx(3.5)
    used.now += 3.5
    assert watch.left() == 0.0
    assert watch.reached == 5.0  # what is said is the rule, not the account


def test_patience_ends_too(wall: Clock) -> None:
    stopwatch = Stopwatch(5.0, 60.0, Clock())
    assert stopwatch.left() == 0.5
    wall.now += 58
    assert stopwatch.left() == 2.0
    wall.now += 2 - SHORTEST / 2
    assert stopwatch.left() == SHORTEST
    wall.now += SHORTEST
    assert (stopwatch.left(), stopwatch.reached) == (0.0, 60.0)


def test_a_call_that_is_soon_over_reads_no_clock() -> None:
    def never() -> float:
        raise AssertionError

    assert Stopwatch(5.0, 60.0, never).left() == 0.5


def test_the_kernel_tells_what_another_process_uses() -> None:
    pid = os.fork()
    if pid == 0:
        while True:
            pass
    clock = processor_clock(pid)
    try:
        while clock() < 0.05:
            time.sleep(0.001)
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        stopped = clock()
        time.sleep(0.05)
        assert clock() == stopped
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert clock() == 0.0


def test_elsewhere_a_part_of_the_time_by_the_clock_counts(wall: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograd_check.run.deadline.sys.platform", "darwin")
    clock = processor_clock(1)
    before = clock()
    wall.now += 8
    assert clock() - before == 8 * SHARE
