"""When two arrays count as equal for a diagnosis: far looser than a verdict, far tighter than a coincidence."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

LOOSE = 1e-7
"""Relative to the largest entry. A coincidence of independent random arrays at this level does not happen."""

UNEXPLAINED = 0.01
"""The share of the difference of an entry that a factor may leave unexplained."""


def floating(leaf: Any) -> Any:
    """Integers and booleans as float64, with which a diagnosis can calculate; anything else as it is."""
    whole = isinstance(leaf, Tensor) and not leaf.is_floating_point() and not leaf.is_complex()
    return leaf.to(torch.float64) if whole else leaf


def close(one: Tensor, other: Tensor, scale: float = 0.0) -> bool:
    """Same shape, both finite, and equal to `LOOSE` relative to the largest entry (or to `scale`, if that is larger)."""
    if one.shape != other.shape:
        return False
    if one.numel() == 0:
        return True
    one, other = floating(one), floating(other)
    largest = [float(x.abs().max()) for x in (one, other)]
    if not all(map(math.isfinite, largest)):
        return False
    scale = max(scale, *largest)
    return float((one - other).abs().max()) <= LOOSE * scale


def factor(got: Tensor, expected: Tensor) -> float | None:
    """The number c with got = c·expected, or None. Neither may be all zero, and c explains nearly all of every difference."""
    if got.shape != expected.shape or got.numel() == 0 or got.is_complex() or expected.is_complex():
        return None
    norm = float((expected * expected).sum())
    if norm == 0 or norm - norm != 0:
        return None
    c = float((got * expected).sum()) / norm
    left, off = ((got - one).abs() for one in (c * expected, expected))
    rounding = 8 * torch.finfo(torch.float64).eps * float(got.abs().max())
    return c if c != 0 and close(got, c * expected) and bool((left <= UNEXPLAINED * off + rounding).all()) else None
