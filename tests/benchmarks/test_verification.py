"""`ac.gradcheck`, the whole check with its contract, beside `torch.autograd.gradcheck`: ratios in one run, one thread, float64.

Within the tests each is run once, and nothing is said about its speed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import autograd_check as ac
from tests.benchmarks.functions import CASES, TanhLoss, normal

gradcheck = torch.autograd.gradcheck
X = normal(16, 20)


def seconds(call: Callable[[], Any]) -> float:
    """CPU seconds of one call in this thread: other programs on the machine do not count."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


def medians(calls: dict[str, Callable[[], Any]], rounds: dict[str, int]) -> dict[str, float]:
    """Medians of calls made in turn, after one of each to warm up; calls of fewer rounds are spread over all turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    turns = max(rounds.values())
    if turns > 1:
        for call in calls.values():
            call()
    for turn in range(turns):
        for name, call in calls.items():
            if turn * rounds[name] // turns != (turn - 1) * rounds[name] // turns:
                times[name].append(seconds(call))
    return {name: statistics.median(values) for name, values in times.items()}


@pytest.mark.benchmark(group="checking a gradient")
def test_speed_beside_torchs_gradcheck(benchmark: Any, full: bool, capsys: pytest.CaptureFixture[str]) -> None:
    rows: dict[str, dict[str, float]] = {}

    def measure() -> None:
        for name, (function, inputs) in CASES.items():
            fn = function.apply
            calls: dict[str, Callable[[], Any]] = {
                "ours": partial(ac.gradcheck, fn, inputs),
                "fast": partial(gradcheck, fn, inputs, fast_mode=True),
                "slow": partial(gradcheck, fn, inputs),
            }
            rounds = {"ours": 60, "fast": 60, "slow": 5}
            rows[name] = medians(calls, rounds if full else dict.fromkeys(calls, 1))

    benchmark.pedantic(measure, rounds=1)
    against_fast = statistics.median(row["ours"] / row["fast"] for row in rows.values())
    least_faster = min(row["slow"] / row["ours"] for row in rows.values())
    benchmark.extra_info.update(ratio_to_fast_mode=against_fast, least_ratio_to_slow_mode=least_faster)
    with capsys.disabled():
        print(f"\n{'milliseconds':30} {'ours':>8} {'fast':>8} {'slow':>9} {'ours/fast':>10} {'slow/ours':>10}")
        for name, row in rows.items():
            ratios = f"{row['ours'] / row['fast']:10.2f} {row['slow'] / row['ours']:10.1f}"
            print(f"{name:30} {1e3 * row['ours']:8.2f} {1e3 * row['fast']:8.2f} {1e3 * row['slow']:9.1f} {ratios}")
        print(f"median of ours/fast {against_fast:.2f} (goal: at most 3) {'met' if against_fast <= 3 else 'missed'}")
        print(f"least of slow/ours {least_faster:.1f} (goal: at least 25) {'met' if least_faster >= 25 else 'missed'}")
    assert len(rows) == len(CASES)
    if full:
        assert against_fast < 6
        assert least_faster > 10


SMOOTH: tuple[Callable[..., Tensor], ...] = (
    *(torch.tanh, torch.sigmoid, torch.exp, torch.sin, torch.cos, torch.erf, torch.atan, torch.sinh, torch.expm1, torch.square),
    *(F.gelu, F.silu, F.softplus, F.elu, F.selu, F.mish, F.logsigmoid, F.tanhshrink, F.softsign, torch.asinh),
)


@pytest.mark.benchmark(group="checking a gradient")
def test_many_functions_share_what_they_can(benchmark: Any, full: bool, capsys: pytest.CaptureFixture[str]) -> None:
    checks = {fn.__name__: (fn, (X,)) for fn in SMOOTH}
    calls: dict[str, Callable[[], Any]] = {
        "one by one": lambda: [ac.gradcheck(fn, inputs) for fn, inputs in checks.values()],
        "all": lambda: ac.gradcheck_all(checks),
    }
    found: dict[str, float] = {}
    rounds = 30 if full else 1
    benchmark.pedantic(lambda: found.update(medians(calls, dict.fromkeys(calls, rounds))), rounds=1)
    ratio = found["all"] / found["one by one"]
    benchmark.extra_info["all_to_one_by_one"] = ratio
    with capsys.disabled():
        print(f"\n{len(checks)} functions of one input, 16×20: all at once / one by one {ratio:.2f}")
    assert all(seconds > 0 for seconds in found.values())
    if full:
        assert ratio < 1


@pytest.mark.benchmark(group="checking a gradient")
def test_cost_grows_with_one_forward_and_not_with_the_parameters(
    benchmark: Any, full: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: dict[int, tuple[float, float]] = {}

    def measure() -> None:
        for side in (32, 100, 316, 1000) if full else (32, 316):
            w, x = (normal(side, side) / side**0.5).detach().requires_grad_(), normal(64, side, seed=1).detach()
            w_plain = w.detach()
            calls: dict[str, Callable[[], Any]] = {
                "forward": partial(TanhLoss.apply, w_plain, x),
                "check": partial(ac.gradcheck, TanhLoss.apply, (w, x)),
            }
            found = medians(calls, {"forward": 30, "check": 7} if full else dict.fromkeys(calls, 1))
            rows[side * side] = (found["forward"], found["check"])

    benchmark.pedantic(measure, rounds=1)
    with capsys.disabled():
        print(f"\n{'parameters':>12} {'forward ms':>12} {'check ms':>10} {'check/forward':>14}")
        for count, (forward, check) in rows.items():
            print(f"{count:12} {1e3 * forward:12.3f} {1e3 * check:10.2f} {check / forward:14.0f}")
    ratios = [check / forward for forward, check in rows.values()]
    benchmark.extra_info["checks_in_forwards"] = [round(ratio) for ratio in ratios]
    assert all(ratio > 0 for ratio in ratios)
    if full:
        assert ratios[-1] < 3 * ratios[0]
