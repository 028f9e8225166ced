"""Wrong entries found by bisection alone: no reference is used."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import Function

import autograd_check as ac
from tests.verify.spoiling import scaler, spoiler


def network(kind: str, seed: int) -> tuple[Any, Tensor]:
    """A loss of one weight matrix of 20,000 entries; `make(spoil)` puts an identity with a spoilt backward in front."""
    g = torch.Generator().manual_seed(seed)
    x, w = torch.randn(8, 100, generator=g, dtype=torch.float64), torch.randn(100, 200, generator=g, dtype=torch.float64) / 10
    v, y = torch.randn(200, generator=g, dtype=torch.float64) / 10, torch.randn(8, generator=g, dtype=torch.float64)
    bend = {"linear": lambda z: z, "tanh": torch.tanh, "relu": torch.relu}[kind]
    return lambda spoil: lambda w: ((bend(x @ spoil(w)) @ v - y) ** 2).mean(), w.requires_grad_()


@pytest.mark.parametrize("kind", ["linear", "tanh", "relu"])
@pytest.mark.parametrize(("count", "size"), [(1, 1e-1), (1, 1e-4), (5, 1e-2), (20, 1e-1)])
def test_every_set_of_wrong_entries_is_found_exactly(kind: str, count: int, size: float) -> None:
    make, w = network(kind, count)
    places = torch.randperm(w.numel(), generator=torch.Generator().manual_seed(count)).tolist()
    (gradient,) = torch.autograd.grad(make(lambda w: w)(w), w)
    places = [place for place in places if abs(float(gradient.view(-1)[place])) > 1e-4][:count]
    report = ac.gradcheck(make(spoiler(places, size)), (w,), raise_exception=False)
    (finding,) = [f for f in report.findings if f.status is ac.Status.FAILED]
    assert (finding.check, finding.subject) == ("finite differences", "dw")
    assert finding.mismatch is not None
    assert (finding.mismatch.wrong, finding.mismatch.total) == (count, w.numel())
    row, column = finding.mismatch.index
    assert row * 200 + column in places
    assert finding.mismatch.relative_error == pytest.approx(size, rel=1e-2)


def test_two_errors_that_cancel_are_both_found() -> None:
    w = torch.full((64,), 0.5, dtype=torch.float64, requires_grad=True)
    spoil = spoiler([9, 40], [1e-3, -1e-3])
    report = ac.gradcheck(lambda w: spoil(w).sum(), (w,), raise_exception=False)
    (finding,) = [f for f in report.findings if f.status is ac.Status.FAILED]
    assert finding.mismatch is not None
    assert finding.mismatch.wrong == 2


def test_one_wrong_entry_of_a_complex_gradient() -> None:
    z = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.complex128).requires_grad_()
    spoil = spoiler([17], 0.01)
    report = ac.gradcheck(lambda z: (spoil(z) * z).abs().square(), (z,), raise_exception=False)
    (finding,) = [f for f in report.findings if f.status is ac.Status.FAILED]
    assert finding.mismatch is not None
    assert (finding.mismatch.wrong, finding.mismatch.index) == (1, (3, 2))


def test_a_gradient_that_is_wrong_everywhere_is_explained_as_a_whole() -> None:
    class Doubled(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return 2 * grad * ctx.saved_tensors[0].cos()

    x = torch.randn(40, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    report = ac.gradcheck(Doubled.apply, (x,), raise_exception=False)
    (finding,) = [f for f in report.findings if f.status is ac.Status.FAILED]
    assert finding.mismatch is not None
    assert finding.mismatch.wrong == 2000
    assert finding.diagnosis is not None
    assert finding.diagnosis.cause == "constant_factor"


@pytest.mark.parametrize("factor", [1.01, 0.0])
def test_a_wrong_gradient_beside_entries_that_are_infinite(factor: float) -> None:
    x = torch.tensor([[0.5, -math.inf, 1.0], [-math.inf, -2.0, 0.25]], dtype=torch.float64, requires_grad=True)
    report = ac.gradcheck(lambda x: torch.softmax(scaler(factor)(x), -1), x, raise_exception=False)
    assert report.status is ac.Status.FAILED
    (finding,) = [f for f in report.findings if f.status is ac.Status.FAILED]
    assert finding.mismatch is not None
    assert (finding.mismatch.wrong, finding.mismatch.total) == (4, 6)
