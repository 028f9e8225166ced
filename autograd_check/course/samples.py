"""Where probes get their tensors: each function returns a `Sample`, which draws one float64 (or integer) tensor.

A sample is a function of a `torch.Generator`, so a specification says what to draw and the grader says with which seed.
Edge cases are `literal`s: an edge that is only random is sometimes not an edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

Sample = Callable[[Generator], Any]


def normal(*shape: int, scale: float = 1.0, shift: float = 0.0) -> Sample:
    """Normal entries with standard deviation `scale` and mean `shift`; shape `shape`, float64."""
    return lambda generator: torch.randn(shape, generator=generator, dtype=torch.float64) * scale + shift


def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Sample:
    """Entries uniform in [low, high); shape `shape`, float64."""
    return lambda generator: torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low


def integers(*shape: int, low: int = 0, high: int) -> Sample:
    """Integers in [low, high), int64: class indices, token ids. Gets no gradient."""
    return lambda generator: torch.randint(low, high, shape, generator=generator)


def labels(*shape: int) -> Sample:
    """Zeros and ones with at least one of each where there is room for both, float64: the targets of a binary loss."""

    def draw(generator: Generator) -> Tensor:
        count = int(torch.tensor(shape).prod()) if shape else 1
        values = (torch.arange(count) % 2).to(torch.float64)
        return values[torch.randperm(count, generator=generator)].reshape(shape)

    return draw


def distinct(*shape: int, gap: float = 0.25) -> Sample:
    """A random order of values at least `gap` apart: nothing ties, nothing is zero. Shape `shape`, float64."""

    def draw(generator: Generator) -> Tensor:
        count = int(torch.tensor(shape).prod()) if shape else 1
        values = (torch.arange(count, dtype=torch.float64) - (count - 1) / 2 + 0.25) * gap
        return values[torch.randperm(count, generator=generator)].reshape(shape)

    return draw


def away_from_zero(*shape: int, margin: float = 0.1, scale: float = 1.0) -> Sample:
    """Normal entries pushed `margin` away from zero: no entry of a relu or an |x| sits on its kink. Float64."""

    def draw(generator: Generator) -> Tensor:
        x = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
        return x + torch.where(x >= 0, margin, -margin)

    return draw


def literal(values: Any, dtype: torch.dtype = torch.float64) -> Sample:
    """Exactly these values."""
    return lambda generator: torch.tensor(values, dtype=dtype)


def constant(value: Any) -> Sample:
    """This very python value (a step number, a flag), whatever the seed. Gets no gradient."""
    return lambda generator: value


def transposed(sample: Sample) -> Sample:
    """The sample's tensor with its last two axes swapped, as a non-contiguous view (a 1-d tensor becomes a strided view)."""

    def draw(generator: Generator) -> Tensor:
        drawn: Tensor = sample(generator)
        return drawn.mT if drawn.dim() >= 2 else drawn.repeat_interleave(2)[::2]

    return draw


def sequence(*samples: Sample | Sequence[Sample]) -> Sample:
    """A list of draws; a tuple or list inside becomes a tuple of draws: `sequence((w, b), (w, b))` are a network's parameters."""

    def draw(generator: Generator) -> list[Any]:
        return [sample(generator) if callable(sample) else tuple(part(generator) for part in sample) for sample in samples]

    return draw
