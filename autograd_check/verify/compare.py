"""Two arrays, entry by entry: how many differ, and where the worst one is."""

from __future__ import annotations

import torch
from torch import Tensor

from autograd_check.verify.finding import Mismatch

RELATIVE, ABSOLUTE = 1e-10, 1e-13
"""Tolerance of a float64 gradient against autograd's: relative to the entry, and to the largest entry."""


def gradient_tolerance(reference: Tensor, spread: Tensor | None = None) -> Tensor:
    """1e-10·|r| + 1e-13·max|r| for every entry, widened by the measured `spread` (condition) of the reference."""
    size = torch.nan_to_num(reference.abs(), nan=0.0, posinf=0.0)
    largest = size.max() if size.numel() else size.sum()
    tolerance = RELATIVE * size + ABSOLUTE * largest
    return tolerance if spread is None else tolerance + torch.nan_to_num(spread, nan=0.0, posinf=0.0)


def compare(got: Tensor, expected: Tensor, tolerance: Tensor | float) -> Mismatch | None:
    """The mismatch of two arrays of one shape, or None where |got − expected| ≤ tolerance everywhere.

    Equal infinities are equal, and so are two nans; any other non-finite entry differs. Raises `ValueError` where the
    shapes differ: nothing is broadcast here.
    """
    if got.shape != expected.shape:
        raise ValueError(f"compare needs one shape, got {tuple(got.shape)} and {tuple(expected.shape)}")
    if got.numel() == 0:
        return None
    got = got.to(expected.dtype) if got.dtype is torch.bool else got  # torch does not subtract a bool
    same = (got == expected) | (torch.isnan(got) & torch.isnan(expected))
    error = (got - expected).abs()
    right = same | (error <= tolerance)
    if bool(right.all()):
        return None
    badness = torch.where(right, -1.0, torch.nan_to_num(error, nan=torch.inf, posinf=torch.inf).to(torch.float64))
    flat = int(badness.argmax())
    index = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), got.shape))
    mine, right_value = got[index].item(), expected[index].item()
    size = abs(right_value) if right_value == right_value else 0.0
    difference = float(badness.reshape(-1)[flat])
    relative = difference / size if size else float("inf")
    return Mismatch(int((~right).sum()), got.numel(), index, mine, right_value, relative)
