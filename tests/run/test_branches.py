"""Branch signatures: every decision changes them, nothing else does, and a smooth run has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograd_check.run.branches import BranchRecorder
from autograd_check.verify.slope import SMOOTH


def signature(fn: Callable[..., Any], *inputs: Any) -> bytes:
    with torch.no_grad(), BranchRecorder() as recorder:
        fn(*inputs)
    return recorder.digest()


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


BELOW, ABOVE = vector(0.9, -0.1, 2.0, -3.1), vector(0.9, 0.1, 2.0, -3.1)
CROSSING: dict[str, tuple[Callable[..., Any], Tensor, Tensor]] = {
    "relu": (torch.relu, BELOW, ABOVE),
    "abs": (torch.abs, BELOW, ABOVE),
    "leaky_relu": (F.leaky_relu, BELOW, ABOVE),
    "elu": (F.elu, BELOW, ABOVE),
    "selu": (F.selu, BELOW, ABOVE),
    "relu6": (F.relu6, BELOW, ABOVE),
    "hardtanh": (F.hardtanh, vector(0.9), vector(1.1)),
    "clamp": (lambda x: x.clamp(0, 1), BELOW, ABOVE),
    "threshold": (lambda x: F.threshold(x, 0.5, 0.0), vector(0.4), vector(0.6)),
    "hardswish": (F.hardswish, vector(-3.1), vector(-2.9)),
    "hardsigmoid": (F.hardsigmoid, vector(2.9), vector(3.1)),
    "softshrink": (F.softshrink, vector(0.4), vector(0.6)),
    "hardshrink": (F.hardshrink, vector(0.4), vector(0.6)),
    "softplus": (F.softplus, vector(19.9), vector(20.1)),
    "huber": (lambda x: F.huber_loss(x, torch.zeros_like(x)), vector(0.9), vector(1.1)),
    "smooth_l1": (lambda x: F.smooth_l1_loss(x, torch.zeros_like(x), beta=0.5), vector(0.4), vector(0.6)),
    "l1": (lambda x: F.l1_loss(x, torch.zeros_like(x)), BELOW, ABOVE),
    "maximum": (lambda x: torch.maximum(x, torch.zeros_like(x)), BELOW, ABOVE),
    "minimum": (lambda x: torch.minimum(x, torch.zeros_like(x)), BELOW, ABOVE),
    "max": (lambda x: x.max(0), vector(1.0, 2.0), vector(2.0, 1.0)),
    "max of all": (lambda x: x.max(), vector(1.0, 2.0), vector(2.0, 1.0)),
    "amax": (lambda x: x.amax(0), vector(1.0, 2.0), vector(2.0, 1.0)),
    "sort": (lambda x: x.sort(), vector(1.0, 2.0), vector(2.0, 1.0)),
    "topk": (lambda x: x.topk(1), vector(1.0, 2.0), vector(2.0, 1.0)),
    "argmax": (lambda x: x.argmax(), vector(1.0, 2.0), vector(2.0, 1.0)),
    "median": (lambda x: x.median(0), vector(1.0, 2.0, 3.0), vector(2.0, 1.0, 3.0)),
    "cummax": (lambda x: x.cummax(0), vector(1.0, 2.0), vector(2.0, 1.0)),
    "max_pool1d": (lambda x: F.max_pool1d(x[None, None], 2), vector(1.0, 2.0), vector(2.0, 1.0)),
    "max_pool2d": (lambda x: F.max_pool2d(x.reshape(1, 1, 2, 2), 2), vector(1, 2, 3, 4), vector(1, 2, 4, 3)),
    "where": (lambda x: torch.where(x > 0, x, 0.0), BELOW, ABOVE),
    "mask assignment": (lambda x: x.clone().masked_fill_(x < 0, 0.0), BELOW, ABOVE),
    "floor": (torch.floor, vector(0.9), vector(1.1)),
    "round": (torch.round, vector(0.4), vector(0.6)),
    "remainder": (lambda x: x % 1.0, vector(0.9), vector(1.1)),
    "floor division": (lambda x: x // 1.0, vector(0.9), vector(1.1)),
    "norm 1": (lambda x: x.norm(p=1), BELOW, ABOVE),
    "norm inf": (lambda x: x.norm(p=float("inf")), vector(1.0, 2.0), vector(2.0, 1.0)),
    "python if": (lambda x: x * 2 if float(x[0]) > 1 else x.exp(), vector(0.9), vector(1.1)),
    "numpy-like sign": (torch.sign, BELOW, ABOVE),
}


@pytest.mark.parametrize("name", CROSSING)
def test_a_decision_changes_the_signature_and_a_small_step_does_not(name: str) -> None:
    fn, one, other = CROSSING[name]
    assert signature(fn, one) != signature(fn, other)
    assert signature(fn, one) == signature(fn, one * (1 + 1e-9))
    assert signature(fn, one) != SMOOTH


@pytest.mark.parametrize("fn", [torch.sin, torch.exp, lambda x: (x @ x).tanh(), lambda x: F.softmax(x, -1), F.gelu])
def test_a_smooth_run_decides_nothing(fn: Callable[..., Any]) -> None:
    assert signature(fn, BELOW) == SMOOTH


def test_every_pixel_of_a_sampling_grid_is_a_branch() -> None:
    image = torch.arange(16, dtype=torch.float64).reshape(1, 1, 4, 4)

    def sample(x: Tensor) -> Tensor:
        return F.grid_sample(image, x.reshape(1, 1, 1, 2), align_corners=False)

    assert signature(sample, vector(0.24, 0.3)) != signature(sample, vector(0.26, 0.3))
