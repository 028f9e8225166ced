"""Grading one submission of a class, with everything warm, beside a new pytest process that does the same checks, in one run.

Within the tests each is run once, and nothing is said about its speed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograd_check.course.folder import start
from autograd_check.grade.jobs import Job, Setup, checker_version
from autograd_check.grade.pool import Workshop
from tests.support import ROOT

RIGHT = """\
def linear_forward(x, w, b):
    return x @ w + b, (x, w)


def linear_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)
"""

WARMING = 30
"""Submissions before the first that is timed: the zygote settles after ten, and has done so by then."""

MILLISECONDS, TIMES_PYTEST = 15, 200
"""The goal on quiet cores."""


def submission(number: int) -> Job:
    """The same functions in another text, as everybody writes them."""
    return Job(f"{number}", "linear", f"{RIGHT}# {number}\n", {"linear": 20_110}, {}, {})


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    """What a worker of `autograd-check grade` has."""
    made = Workshop.open(Setup(str(ROOT), checker_version(), allow_unsandboxed=True))
    yield made
    made.zygote.close()


def graded(workshop: Workshop, number: int) -> float:
    """Seconds by the clock of one submission, of which nothing is known before."""
    job = submission(number)
    started = time.perf_counter()
    result = workshop.grade(job)
    seconds = time.perf_counter() - started
    assert (result.status, result.score) == ("passed", 10)
    return seconds


def checked_by_pytest(folder: Path) -> float:
    """Seconds by the clock of a new pytest process that checks the same file in a course folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "lessons/u02_network/linear.py"]
    started = time.perf_counter()
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    assert "5 passed" in ran.stdout
    return seconds


@pytest.mark.benchmark(group="grading a class")
def test_a_warm_submission_beside_a_new_pytest_process(
    benchmark: Any, full: bool, workshop: Workshop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(tmp_path / "nn", ROOT)
    (tmp_path / "nn" / "lessons" / "u02_network" / "linear.py").write_text(RIGHT)
    ours: list[float] = []
    pytests: list[float] = []
    rounds, each = (10, 30) if full else (1, 1)

    def measure() -> None:
        for number in range(WARMING if full else 1):
            graded(workshop, -number - 1)
        for turn in range(rounds):
            pytests.append(checked_by_pytest(tmp_path / "nn"))
            ours.extend(graded(workshop, turn * each + number) for number in range(each))

    benchmark.pedantic(measure, rounds=1)
    median, whole = statistics.median(ours), statistics.median(pytests)
    benchmark.extra_info.update(milliseconds=1e3 * median, ratio_to_pytest=whole / median)
    if full:
        with capsys.disabled():
            met = "met" if 1e3 * median <= MILLISECONDS and whole / median >= TIMES_PYTEST else "missed"
            print(
                f"\none warm linear submission {1e3 * median:.1f} ms (least {1e3 * min(ours):.1f}), a new pytest process {whole:.2f} s"
            )
            print(f"{whole / median:.0f} times as fast (goal: at most {MILLISECONDS} ms and {TIMES_PYTEST} times) {met}")
        assert whole / median >= TIMES_PYTEST / 2
