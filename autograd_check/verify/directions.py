"""Directions for difference quotients, exact in floating point: x ± h·u has no rounding error at any step of the ladder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

KINDS = ("uniform", "relative")
"""Sizes of a direction's entries: all of the size of rms(x), or each of the size of its own entry.

A third, "capped", is uniform, but moves no entry by more than a thousand times its own size: the finest steps of its ladder
are small for every entry.
"""
CAP = 2.0**10
INTEGERS = {8: torch.int64, 4: torch.int32, 2: torch.int16}
"""The integers whose bits are those of a floating-point number of so many bytes."""


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


def draw_directions(tensors: Sequence[Tensor], kinds: tuple[str, ...], generator: Generator) -> list[list[Direction]]:
    """For every tensor one direction of each kind: its shape and dtype, random signs, one to two times the kind's size.

    Every entry has so few significant digits that x + h·u is a floating-point number for every step h. (Sizes are not all
    powers of two, so that two errors hardly ever cancel.) Where x is zero its rms is the size (1 where all is zero); an
    entry that is not finite does not move. Real and imaginary parts of a complex tensor move independently.
    """
    reals = [torch.view_as_real(x.detach().resolve_conj()) if x.is_complex() else x.detach() for x in tensors]
    drawn: list[list[Direction]] = [[] for _ in tensors]
    for dtype in dict.fromkeys(x.dtype for x in reals):
        places = [place for place, x in enumerate(reals) if x.dtype is dtype]
        together = _draw([reals[place] for place in places], kinds, generator)
        for place, directions in zip(places, together, strict=True):
            drawn[place] = directions
    return [
        [replace(one, u=torch.view_as_complex(one.u)) for one in directions] if x.is_complex() else directions
        for x, directions in zip(tensors, drawn, strict=True)
    ]


def _draw(tensors: list[Tensor], kinds: tuple[str, ...], generator: Generator) -> list[list[Direction]]:
    """Directions for tensors of one dtype, drawn as one long vector: many small tensors cost as much as one."""
    counts = [x.numel() for x in tensors]
    size = torch.cat([x.reshape(-1) for x in tensors]).abs_() if len(tensors) > 1 else tensors[0].reshape(-1).abs()
    parts = size.split(counts)
    scales = [_rms(part) for part in parts]
    still = None
    if not all(map(math.isfinite, scales)):
        still = ~torch.isfinite(size)
        size = torch.where(still, 0, size)
        parts = size.split(counts)
        scales = [_rms(part) for part in parts]
    rms = torch.tensor(scales, dtype=size.dtype)
    rms = rms if len(scales) == 1 else torch.repeat_interleave(rms, torch.tensor(counts))
    own, least = size, scales
    if kinds != ("uniform",):
        least = [float(part.min()) for part in parts]
        if 0 in least:
            own = torch.where(size > 0, size, rms)
            least = [float(part.min()) for part in own.split(counts)]
    u = torch.empty((len(kinds), size.numel()), dtype=size.dtype).uniform_(-1, 1, generator=generator)
    u = u.add_(u.sign())
    rows = u.unbind(0)
    for row, kind in zip(rows, kinds, strict=True):
        row.mul_(own if kind == "relative" else torch.minimum(CAP * own, rms) if kind == "capped" else rms)
    _shorten(u, max(counts))
    if still is not None:
        u.masked_fill_(still, 0)
    split = [row.split(counts) for row in rows]
    return [
        [
            Direction(row[k].reshape(x.shape), least[k] if kind == "relative" else scales[k])
            for row, kind in zip(split, kinds, strict=True)
        ]
        for k, x in enumerate(tensors)
    ]


def _shorten(u: Tensor, count: int) -> None:
    """Cut the mantissas of u, in place, to what keeps x + h·u exact for x of `count` entries.

    A p-bit mantissa holds the smallest step 2⁻ˢ of an entry as large as u in its upper s bits, one bit goes for the sum, and
    no entry of x is above √count times the rms: p − s − 1 − ½·log₂ count bits are left for u.
    """
    digits = 1 - math.frexp(torch.finfo(u.dtype).eps)[1]
    spare = digits + math.frexp(ladder_of(u).smallest)[1] - 2 - math.ceil(0.5 * math.log2(count))
    integers = INTEGERS[u.dtype.itemsize]
    u.view(integers).bitwise_and_(-1 << min(digits, digits - max(0, spare)))


def _rms(size: Tensor) -> float:
    """Root of the mean square; 1 where all is zero, not finite where an entry is not."""
    rms = float(torch.linalg.vector_norm(size)) / math.sqrt(size.numel())
    if math.isfinite(rms) and rms > 0:
        return rms
    largest = float(size.max())
    if not math.isfinite(largest):
        return largest
    return float(torch.linalg.vector_norm(size / largest)) / math.sqrt(size.numel()) * largest if largest > 0 else 1.0
