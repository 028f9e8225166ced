from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from autograd_check.grade.bench import Timing, compare_calls, one_thread
from autograd_check.report.timings import render_timings, timings_to_dict


def test_ratios_are_those_of_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def lasting(seconds: float) -> Callable[[], None]:
        def call() -> None:
            nonlocal now
            now += seconds

        return call

    monkeypatch.setattr("autograd_check.grade.bench.time.perf_counter", lambda: now)
    median, ratios = compare_calls(lasting(0.5), lasting(0.25), rounds=5)
    assert (median, ratios) == (0.5, [2.0] * 5)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_table_and_a_record() -> None:
    rows = [
        Timing("linear", "forward", "x (4, 3)", "float64", 1, 3.4e-6, 0.56, (0.5, 0.6)),
        Timing("linear", "training step", "x (4, 3)", "float64", 1, 2.5e-3, 1.25, (1.0, 1.5), 0.5),
        Timing("linear", "step", "x (4, 3)", "float64", 1, 2.5e-3, 0.25, (0.2, 0.3), 1.0),
    ]
    assert render_timings(rows).splitlines()[2:] == [
        "linear: x (4, 3)",
        "  forward                3.4 µs    0.56  0.50 to 0.60",
        "  training step         2.50 ms    1.25  1.00 to 1.50  missed (at most 0.5)",
        "  step                  2.50 ms    0.25  0.20 to 0.30  met (at most 1)",
    ]
    assert timings_to_dict(rows)["benchmarks"][0] == {
        "lesson": "linear",
        "part": "forward",
        "size": "x (4, 3)",
        "dtype": "float64",
        "threads": 1,
        "median_s": 3.4e-6,
        "ratio_to_torch": 0.56,
        "quartiles": [0.5, 0.6],
        "target": None,
        "met": None,
    }
    assert render_timings([]).startswith("Nothing to time")
