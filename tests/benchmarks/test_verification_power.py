"""One wrong entry among 100,000: how often it is found and named, here and by the fast mode of torch's gradcheck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

import autograd_check as ac
from tests.verify.spoiling import spoiler

pytestmark = pytest.mark.timeout(1800)

Loss = Callable[[Tensor], Tensor]
SIZES = (1e-1, 1e-2, 1e-3, 1e-4)
KINDS = ("linear-MSE", "tanh-MLP", "relu-MLP")


def draw(kind: str, g: Generator) -> tuple[Callable[[Loss], Loss], Tensor]:
    """A loss of 100,000 weights; what is given stands in front of the weights."""

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=g, dtype=torch.float64) * scale

    if kind == "linear-MSE":
        x, y, w = normal(32, 1000), normal(32, 100), normal(1000, 100, scale=1000**-0.5)
        return lambda front: lambda w: ((x @ front(w) - y) ** 2).mean(), w.requires_grad_()
    bend = torch.tanh if kind == "tanh-MLP" else torch.relu
    x, v, y, w = normal(16, 250), normal(400, 1, scale=0.05), normal(16, 1), normal(250, 400, scale=250**-0.5)
    return lambda front: lambda w: ((bend(x @ front(w)) @ v - y) ** 2).mean(), w.requires_grad_()


def wrong_entries(kind: str, seed: int, count: int) -> tuple[Callable[[Loss], Loss], Tensor, list[int]]:
    """Random entries whose gradient is not zero (a dead unit's cannot be off by a factor)."""
    g = Generator().manual_seed(seed)
    make, w = draw(kind, g)
    (gradient,) = torch.autograd.grad(make(lambda w: w)(w), w)
    order = torch.randperm(w.numel(), generator=g).tolist()
    return make, w, [place for place in order[: 4 * count + 50] if float(gradient.view(-1)[place]) != 0][:count]


@pytest.mark.benchmark(group="power")
def test_one_wrong_entry_in_a_hundred_thousand(benchmark: Any, full: bool, capsys: pytest.CaptureFixture[str]) -> None:
    trials = 20 if full else 1
    rows: dict[tuple[str, float], tuple[int, int, int]] = {}

    def measure() -> None:
        for kind in KINDS:
            for size in SIZES if full else SIZES[-1:]:
                found = named = torchs = 0
                for seed in range(trials):
                    make, w, places = wrong_entries(kind, seed, 1)
                    fn = make(spoiler(places, size))
                    report = ac.gradcheck(fn, (w,), raise_exception=False, seed=seed)
                    mismatches = [f.mismatch for f in report.findings if f.mismatch is not None]
                    found += report.status is ac.Status.FAILED
                    right = [m for m in mismatches if m.wrong == 1 and m.index[0] * w.shape[1] + m.index[1] == places[0]]
                    named += bool(right)
                    torchs += not torch.autograd.gradcheck(fn, (w,), fast_mode=True, raise_exception=False)
                rows[kind, size] = (found, named, torchs)

    benchmark.pedantic(measure, rounds=1)
    with capsys.disabled():
        print(f"\n{'wrong by':20} {'found':>8} {'located':>8} {'torch, fast mode':>18}  of {trials}")
        for (kind, size), (found, named, torchs) in rows.items():
            print(f"{kind:12} {size:7.0e} {found:8} {named:8} {torchs:18}")
    assert all(found >= 0.95 * trials for found, _, _ in rows.values())
    assert all(named >= 0.95 * trials for _, named, _ in rows.values())


@pytest.mark.benchmark(group="power")
def test_sets_of_wrong_entries_are_located_exactly(benchmark: Any, full: bool, capsys: pytest.CaptureFixture[str]) -> None:
    trials = 5 if full else 1
    rows: dict[tuple[str, int], int] = {}

    def measure() -> None:
        for kind in KINDS if full else KINDS[-1:]:
            for count in (1, 5, 20) if full else (5,):
                exact = 0
                for seed in range(trials):
                    make, w, places = wrong_entries(kind, 1000 + seed, count)
                    report = ac.gradcheck(make(spoiler(places, 0.1)), (w,), raise_exception=False, seed=seed)
                    exact += any(f.mismatch is not None and f.mismatch.wrong == count for f in report.findings)
                rows[kind, count] = exact

    benchmark.pedantic(measure, rounds=1)
    with capsys.disabled():
        for (kind, count), exact in rows.items():
            print(f"\n{kind:12} {count:3} wrong entries: located exactly in {exact} of {trials}", end="")
    assert all(exact == trials for exact in rows.values())
