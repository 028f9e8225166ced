"""One hand-written training step beside torch.nn, autograd and torch.optim.SGD: batch 455, float64, one thread, in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograd_check.course.load import Course
from solutions.train import one_thread

ROUNDS = 200
# each side's turn is some milliseconds, so that neither pays for the other's code in the processor's caches
STEPS = 10


@pytest.mark.benchmark(group="training step")
def test_hand_written_step_against_torch(benchmark: Any) -> None:
    """`extra_info["ratio_to_torch"]` is the median of the ratios of neighbouring turns; the goal is at most 0.5."""
    course = Course.load(Path(__file__).parents[2])
    lesson = course.lesson("training")
    (step,) = lesson.spec.benchmarks
    ours, theirs = step.make(vars(course.run_file(lesson.solution)))
    times: dict[str, list[float]] = {"ours": [], "theirs": []}

    def turn(name: str, call: Callable[[], Any]) -> None:
        start = time.perf_counter()
        for _ in range(STEPS):
            call()
        times[name].append((time.perf_counter() - start) / STEPS)

    with one_thread():
        for _ in range(50):
            ours()
            theirs()
        benchmark.pedantic(turn, args=("ours", ours), setup=lambda: turn("theirs", theirs), rounds=ROUNDS)
    ratio = statistics.median(ours / theirs for ours, theirs in zip(times["ours"], times["theirs"], strict=True))
    benchmark.extra_info["ratio_to_torch"] = ratio
    benchmark.extra_info["torch_median_s"] = statistics.median(times["theirs"])
    print(
        f"hand-written {statistics.median(times['ours']) * 1e6:.0f} µs, "
        f"torch {statistics.median(times['theirs']) * 1e6:.0f} µs, ratio {ratio:.3f}"
    )
    # with benchmarks switched off (in the plain test run) there is one turn each
    assert len(times["ours"]) == len(times["theirs"]) >= 1
    assert ratio > 0
