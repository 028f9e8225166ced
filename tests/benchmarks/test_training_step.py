"""One hand-written training step beside torch.nn, autograd and torch.optim.SGD: batch 455, float64, one thread, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from solutions.network import DIMS, initial_parameters, sgd_training_step
from solutions.ops import load_ops
from solutions.train import one_thread

ROWS = 455
LEARNING_RATE = 0.1
ROUNDS = 600

Step = Callable[[], Any]


def hand_written(x: torch.Tensor, y: torch.Tensor) -> Step:
    ops = load_ops("solutions", Path(__file__).parents[2])
    params = initial_parameters(ops, 0)

    def step() -> None:
        nonlocal params
        _, params = sgd_training_step(ops, x, y, params, LEARNING_RATE)

    return step


def torchs_own(x: torch.Tensor, y: torch.Tensor) -> Step:
    layers: list[torch.nn.Module] = []
    for fan_in, fan_out in zip(DIMS[:-1], DIMS[1:], strict=True):
        layers += [torch.nn.Linear(fan_in, fan_out, dtype=torch.float64), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    loss_of = torch.nn.BCEWithLogitsLoss()
    optimiser = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def step() -> None:
        optimiser.zero_grad()
        loss_of(model(x), y).backward()
        optimiser.step()

    return step


@pytest.mark.benchmark(group="training step")
def test_hand_written_step_against_torch(benchmark: Any) -> None:
    """`extra_info["ratio_to_torch"]` is the ratio of medians of steps taken in turn; the goal is at most 0.5."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, DIMS[0], generator=generator, dtype=torch.float64)
    y = (torch.rand(ROWS, 1, generator=generator, dtype=torch.float64) < 0.63).to(torch.float64)
    ours, theirs = hand_written(x, y), torchs_own(x, y)
    times: dict[str, list[float]] = {"ours": [], "theirs": []}

    def timed(name: str, step: Step) -> None:
        start = time.perf_counter()
        step()
        times[name].append(time.perf_counter() - start)

    with one_thread():
        for step in (ours, theirs):
            for _ in range(50):
                step()
        benchmark.pedantic(timed, args=("ours", ours), setup=lambda: timed("theirs", theirs), rounds=ROUNDS)
    medians = {name: statistics.median(values) for name, values in times.items()}
    benchmark.extra_info["ratio_to_torch"] = medians["ours"] / medians["theirs"]
    benchmark.extra_info["torch_median_s"] = medians["theirs"]
    print(
        f"hand-written {medians['ours'] * 1e6:.0f} µs, torch {medians['theirs'] * 1e6:.0f} µs,"
        f" ratio {medians['ours'] / medians['theirs']:.3f}"
    )
    assert len(times["ours"]) == len(times["theirs"]) == ROUNDS
