"""Directions for difference quotients, exact in floating point: x ± h·u has no rounding error at any step of the ladder."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

SMALLEST_STEP = 2.0**-30
LARGEST_STEP = 2.0**-6


def direction(x: Tensor, kind: str, generator: Generator) -> Tensor:
    """Signed powers of two: all of the size of rms(x) (`uniform`), or each of the size of its own entry (`relative`).

    Every entry is a multiple of 2·ulp(x)/h for the smallest step h, so that x + h·u is a floating-point number.
    """
    signs = (torch.randint(0, 2, x.shape, generator=generator) * 2 - 1).to(x.dtype)
    size = x.abs()
    rms = size.pow(2).mean().sqrt() if x.numel() else size.sum()
    rms = torch.where(rms > 0, rms, torch.ones_like(rms))
    width = torch.where(size > 0, size, rms) if kind == "relative" else rms.expand_as(size)
    width = torch.exp2(torch.round(torch.log2(width)))
    quantum = 2 * _ulp(2 * torch.maximum(size, width * 2.0**-5)) / SMALLEST_STEP
    rounded = torch.where(width >= quantum, torch.round(width / quantum) * quantum, quantum)
    return signs * rounded


def _ulp(x: Tensor) -> Tensor:
    """Distance to the next floating-point number above |x|."""
    tiny = torch.finfo(x.dtype).tiny
    return torch.finfo(x.dtype).eps * torch.exp2(torch.floor(torch.log2(x.clamp_min(tiny))))
