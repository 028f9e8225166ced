"""Errors that depend on the cotangent: each turns a right gradient into one that is off by about `size`, relative to its largest entry."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import torch
from torch import Generator, Tensor

Spoil = Callable[[Tensor, float], Tensor]


def _off(v: Tensor, places: Tensor, size: float) -> Tensor:
    """v with the entries at `places` (a mask or flat indices) times 1 + size."""
    wrong = v.clone().reshape(-1)
    wrong[places.reshape(-1)] *= 1 + size
    return wrong.reshape(v.shape)


def _hashed(v: Tensor) -> int:
    return zlib.crc32(v.detach().contiguous().numpy().tobytes())


def largest_entry(v: Tensor, size: float) -> Tensor:
    return _off(v, v.abs().argmax(), size)


def most_positive_entry(v: Tensor, size: float) -> Tensor:
    return _off(v, v.argmax(), size)


def entries_above_half(v: Tensor, size: float) -> Tensor:
    return _off(v, v.abs() > 0.5 * v.abs().max(), size)


def entries_above_one(v: Tensor, size: float) -> Tensor:
    return _off(v, v.abs() > 1.0, size)


def upper_half_by_rank(v: Tensor, size: float) -> Tensor:
    return _off(v, v.reshape(-1).argsort()[(v.numel() - 1) // 2 :], size)


def third_by_rank(v: Tensor, size: float) -> Tensor:
    return _off(v, v.abs().reshape(-1).argsort(descending=True)[:3], size)


def positive_entries(v: Tensor, size: float) -> Tensor:
    return _off(v, v > 0, size)


def sign_of_the_sum(v: Tensor, size: float) -> Tensor:
    return v * (1 + size * v.sum().sign())


def position_after_sorting(v: Tensor, size: float) -> Tensor:
    """Every entry off by how far it moves when the gradient is sorted."""
    ranks = v.reshape(-1).argsort().argsort().to(v.dtype).reshape(v.shape)
    return v * (1 + size * ranks / v.numel())


def place_by_hashing(v: Tensor, size: float) -> Tensor:
    return _off(v, torch.tensor(_hashed(v) % v.numel()), size)


def factor_by_hashing(v: Tensor, size: float) -> Tensor:
    return v * (1 + size * (_hashed(v) % 1009 + 1) / 1009)


def repeatable_noise(v: Tensor, size: float) -> Tensor:
    noise = torch.randn(v.shape, generator=Generator().manual_seed(_hashed(v)), dtype=v.dtype)
    return v * (1 + size * noise)


def rounded_to_decimals(v: Tensor, size: float) -> Tensor:
    return (v / size).round() * size


def rounded_to_bits(v: Tensor, size: float) -> Tensor:
    mantissa, exponent = torch.frexp(v)
    return torch.ldexp((mantissa / size).round() * size, exponent)


def clipped_by_value(v: Tensor, size: float) -> Tensor:
    bound = (1 - size) * float(v.abs().max())
    return v.clamp(-bound, bound)


def clipped_by_norm(v: Tensor, size: float) -> Tensor:
    """Shortened by `size` where it is longer than 1, as gradient clipping would."""
    return v * (1 - size) if float(v.norm()) > 1 else v


def sparsified(v: Tensor, size: float) -> Tensor:
    return torch.where(v.abs() < size * v.abs().max(), 0.0, v)


def smallest_entry_dropped(v: Tensor, size: float) -> Tensor:
    """The least entry of those above size · max set to zero."""
    bound = size * v.abs().max()
    least = torch.where(v.abs() > bound, v.abs(), torch.inf).argmin()
    return _off(v, least, -1.0)


def soft_threshold(v: Tensor, size: float) -> Tensor:
    return v.sign() * (v.abs() - size * v.abs().max()).clamp(min=0)


def squared_a_little(v: Tensor, size: float) -> Tensor:
    return v * (1 + size * v.abs() / v.abs().max())


SPOILS: dict[str, Spoil] = {
    spoil.__name__: spoil
    for spoil in (
        largest_entry,
        most_positive_entry,
        entries_above_half,
        entries_above_one,
        upper_half_by_rank,
        third_by_rank,
        positive_entries,
        sign_of_the_sum,
        position_after_sorting,
        place_by_hashing,
        factor_by_hashing,
        repeatable_noise,
        rounded_to_decimals,
        rounded_to_bits,
        clipped_by_value,
        clipped_by_norm,
        sparsified,
        smallest_entry_dropped,
        soft_threshold,
        squared_a_little,
    )
}
SIZES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
