"""A gradient entry by entry from finite differences: slow, and only asked for where a direction has found an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.tree import is_differentiable, leaves

Sweep = Callable[[Sequence[Point], bool], Sequence[tuple[Any, bytes | None]]]

STEP = 2.0**-10
"""Relative step; Richardson's column of two levels leaves an error of h⁴ ≈ 1e-12 and round-off of about 1e-12."""


def entry_gradient(sweep: Sweep, point: Point, name: str, dout: Any, flat: Sequence[int]) -> Tensor:
    """The gradient of ⟨dout, f⟩ with respect to the entries `flat` (flat indices) of the real primal `name`, float64.

    Four evaluations an entry, all in one request; nan where the forward has no value.
    """
    x: Tensor = point.primals[name]
    scale = x.detach().abs().to(torch.float64)
    rms = float(scale.pow(2).mean().sqrt()) or 1.0
    steps = [2.0 ** round(torch.log2(torch.tensor(max(float(scale.reshape(-1)[i]), 2.0**-5 * rms))).item()) * STEP for i in flat]
    points = [_shifted(point, name, i, k * h) for i, h in zip(flat, steps, strict=True) for k in (1, -1, 0.25, -0.25)]
    values = [out for out, _ in sweep(points, False)]
    slopes = []
    for place, h in enumerate(steps):
        plus, minus, near_plus, near_minus = values[4 * place : 4 * place + 4]
        coarse = _difference(plus, minus, dout) / (2 * h)
        fine = _difference(near_plus, near_minus, dout) / (2 * h / 4)
        slopes.append((16 * fine - coarse) / 15)
    return torch.tensor(slopes, dtype=torch.float64)


def _shifted(point: Point, name: str, index: int, t: float) -> Point:
    moved = point.primals[name].detach().clone(memory_format=torch.contiguous_format)
    moved.view(-1)[index] += t
    return Point({**point.primals, name: moved}, point.hyper)


def _difference(one: Any, other: Any, dout: Any) -> float:
    if one is None or other is None:
        return float("nan")
    triples = zip(leaves(one), leaves(other), leaves(dout), strict=True)
    return sum(
        float(((a - b) * d.conj()).sum(dtype=a.dtype).real)
        for a, b, d in triples
        if is_differentiable(a) and is_differentiable(d)
    )
