"""Right random compositions: sparse, complex, integer and non-differentiable parts, axes of length 0 and 1. Never an exception, never a wrong verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

import autograd_check as ac
from tests.verify.spoiling import scaler

STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "sin": torch.sin,
    "tanh": torch.tanh,
    "square": torch.square,
    "exp of a tenth": lambda x: (0.1 * x).exp(),
    "scaled": lambda x: 3 * x - 1,
    "sum kept": lambda x: x.sum(-1, keepdim=True) + x,
    "mean away": lambda x: x - x.mean() if x.numel() else x,
    "flipped": lambda x: x.flip(-1),
    "transposed": lambda x: x.mT.contiguous().mT,
    "its own product": lambda x: x @ x.mT @ x,
    "cumulative sum": lambda x: x.cumsum(0),
    "every second row": lambda x: torch.cat([x[::2], x[1::2]]),
    "expanded": lambda x: (x[None] * torch.ones(2, 1, 1, dtype=torch.float64)).sum(0),
    "through complex": lambda x: (torch.complex(x, 2 * x) * (1 - 1j)).real if not x.is_complex() else x * (1 + 0.5j),
    "through sparse": lambda x: x if x.is_complex() else x.to_sparse().to_dense(),
    "in place on a copy": lambda x: x.clone().mul_(0.5).add_(1),
}
ENDS: dict[str, Callable[[Tensor], Any]] = {
    "plain": lambda x: x,
    "with integers": lambda x: (x, x.real.argsort(-1), x.shape),
    "with a detached part": lambda x: {"out": x, "kept": x.detach() * 2, "text": "nothing"},
    "sum and parts": lambda x: (x.sum(), [x[:1], None]),
    "sparse": lambda x: x if x.is_complex() else x.to_sparse(),
    "absolute square": lambda x: (x * x.conj()).real,
}
DTYPES = (torch.float64, torch.complex128, torch.float32)


@st.composite
def compositions(draw: st.DrawFn) -> tuple[Callable[[Tensor], Any], Tensor, bool]:
    names = draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=3))
    end = draw(st.sampled_from(sorted(ENDS)))
    shape = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    dtype = draw(st.sampled_from(DTYPES))
    x = torch.randn(shape, generator=Generator().manual_seed(draw(st.integers(0, 2**30))), dtype=dtype).requires_grad_()

    def func(x: Tensor) -> Any:
        for name in names:
            x = STEPS[name](x)
        return ENDS[end](x)

    func.__name__ = " · ".join([*names, end, str(tuple(shape)), str(dtype)])
    return func, x, draw(st.booleans())


def holds(composition: tuple[Callable[[Tensor], Any], Tensor, bool]) -> None:
    func, x, forward = composition
    forward = forward and "sparse" not in func.__name__  # torch has no forward mode for sparse tensors
    report = ac.gradcheck(func, x, check_forward_ad=forward, raise_exception=False)
    if not bool(torch.isfinite(_gradient(func, x)).all()):  # cubes of cubes in an exponent overflow
        assert report.status is not ac.Status.PASSED, report.to_text()
        assert "finite" in report.to_text()
        return
    assert report.status is ac.Status.PASSED, report.to_text()
    if x.numel() and "sparse" not in func.__name__ and float(_gradient(func, x).abs().max()) > 1e-3:
        wrong = ac.gradcheck(lambda x: func(scaler(1.01)(x)), x, raise_exception=False)
        assert wrong.status is ac.Status.FAILED, wrong.to_text()


def _gradient(func: Callable[[Tensor], Any], x: Tensor) -> Tensor:
    """What torch gives for the sum of sizes of the first output."""
    (grad,) = torch.autograd.grad(_first(func(x)).to_dense().abs().sum(), x)
    return grad


def _first(out: Any) -> Tensor:
    first = out if isinstance(out, Tensor) else next(iter(out.values() if isinstance(out, dict) else out))
    assert isinstance(first, Tensor)
    return first


QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(compositions())
def test_some_compositions(composition: tuple[Callable[[Tensor], Any], Tensor, bool]) -> None:
    holds(composition)


@pytest.mark.long
@settings(max_examples=1000, deadline=None, suppress_health_check=QUIET)
@given(compositions())
def test_a_thousand_compositions(composition: tuple[Callable[[Tensor], Any], Tensor, bool]) -> None:
    holds(composition)
