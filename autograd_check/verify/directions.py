"""Directions for difference quotients, exact in floating point: x ± h·u has no rounding error at any step of the ladder."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

KINDS = ("uniform", "relative")
"""Sizes of a direction's entries: all of the size of rms(x), or each of the size of its own entry."""


@dataclass(frozen=True)
class Ladder:
    """The steps of a precision: from `largest` down to `smallest`, both powers of two."""

    largest: float
    smallest: float


LADDERS = {torch.float64: Ladder(2.0**-6, 2.0**-30), torch.float32: Ladder(2.0**-3, 2.0**-11)}


def real_dtype(x: Tensor) -> torch.dtype:
    """The dtype of x, or of its real part."""
    return x.dtype.to_real() if x.is_complex() else x.dtype


def ladder_of(x: Tensor) -> Ladder:
    """The ladder for x: double precision has room for 24 halvings, single for 8 (half precision is treated as single)."""
    return LADDERS[torch.float64 if real_dtype(x) is torch.float64 else torch.float32]


@dataclass(frozen=True)
class Direction:
    """Entries `u` of the shape and dtype of x, and `narrowest`, the least |u| of an entry that moves."""

    u: Tensor
    narrowest: float


def draw_directions(x: Tensor, kinds: tuple[str, ...], generator: Generator) -> list[Direction]:
    """One direction of each kind: the shape and dtype of x, random signs, sizes between one and two times the kind's.

    Every entry is a multiple of 2·ulp(x)/h for the smallest step h, so that x + h·u is a floating-point number. (Sizes
    are not all powers of two, so that two errors hardly ever cancel.) Where x is zero its rms is the size (1 where all is
    zero); an entry that is not finite does not move. Real and imaginary parts of a complex tensor move independently.
    """
    if x.is_complex():
        drawn = draw_directions(torch.view_as_real(x.detach().resolve_conj()), kinds, generator)
        return [replace(one, u=torch.view_as_complex(one.u.contiguous())) for one in drawn]
    size = x.detach().abs()
    rms = _rms(size)
    if math.isfinite(rms) and rms > 0:
        return _draw(size, rms, kinds, generator)
    still = ~torch.isfinite(size)
    size = torch.where(still, 0, size)
    largest = float(size.max()) if size.numel() else 0.0
    rms = _rms(size / largest) * largest if largest > 0 else 1.0
    return [replace(one, u=torch.where(still, 0, one.u)) for one in _draw(size, rms, kinds, generator)]


def _rms(size: Tensor) -> float:
    return float(torch.linalg.vector_norm(size)) / math.sqrt(max(size.numel(), 1))


def _draw(size: Tensor, rms: float, kinds: tuple[str, ...], generator: Generator) -> list[Direction]:
    shape = (len(kinds), *size.shape)
    draw = torch.empty(shape, dtype=size.dtype).uniform_(-1, 1, generator=generator)
    u = draw.add_(torch.copysign(torch.ones((), dtype=size.dtype), draw))
    narrowest = [rms] * len(kinds)
    own = torch.where(size > 0, size, rms) if "relative" in kinds else size
    for place, kind in enumerate(kinds):
        if kind == "relative":
            narrowest[place] = float(own.min()) if own.numel() else rms
        u[place] *= own if kind == "relative" else rms
    ladder = ladder_of(size)
    reach = torch.maximum(2 * size, u.abs().mul_(4 * ladder.largest))
    quantum = _power_of_two(reach).mul_(2 * torch.finfo(size.dtype).eps / ladder.smallest)
    u = u.div_(quantum).round_().mul_(quantum)
    return [Direction(u[place], least) for place, least in enumerate(narrowest)]


def _power_of_two(x: Tensor) -> Tensor:
    """The largest power of two not above x > 0: the exponent bits alone."""
    x = x.clamp_min(torch.finfo(x.dtype).tiny)
    if x.dtype is torch.float64:
        return (x.view(torch.int64) & 0x7FF0000000000000).view(torch.float64)
    if x.dtype is torch.float32:
        return (x.view(torch.int32) & 0x7F800000).view(torch.float32)
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp(torch.full_like(mantissa, 0.5), exponent)
