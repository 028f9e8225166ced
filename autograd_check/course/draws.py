"""How a primal is drawn, without its shape: that follows from the lesson's shapes and the sizes of the probe.

`draw=dict(x=normal(scale=2, shift=1))` of a layer says it for every probe, `at(x=uniform(0.1, 0.9))` for one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.course import samples
from autograd_check.course.samples import Sample
from autograd_check.course.shapes import Axis, Sizes, axes_of

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Draw:
    """How a tensor (or nest) of any shape is drawn. `last` is the size of the last axis where the draw fixes it.

    `leaves` names the parts of a nest's tuples.
    """

    make: Callable[[Shape, Sizes], Sample]
    last: int | None = None
    leaves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shaped:
    """Drawn as usual, in another shape than the lesson's."""

    axes: tuple[Axis, ...]

    def shape(self, sizes: Sizes) -> Shape:
        """The shape, with the probe's sizes."""
        return tuple(size for axis in self.axes for size in axis.sizes(sizes))


def normal(*, scale: float = 1.0, shift: float = 0.0) -> Draw:
    """Normal entries with standard deviation `scale` and mean `shift`."""
    return Draw(lambda shape, _: samples.normal(*shape, scale=scale, shift=shift))


def uniform(low: float = 0.0, high: float = 1.0) -> Draw:
    """Entries uniform in [low, high)."""
    return Draw(lambda shape, _: samples.uniform(*shape, low=low, high=high))


def integers(low: int = 0, *, high: int) -> Draw:
    """Integers in [low, high)."""
    return Draw(lambda shape, _: samples.integers(*shape, low=low, high=high))


def labels() -> Draw:
    """Zeros and ones, at least one of each where there is room for both: the targets of a binary loss."""
    return Draw(lambda shape, _: samples.labels(*shape))


def distinct(gap: float = 0.25) -> Draw:
    """A random order of values at least `gap` apart: nothing ties, nothing is zero."""
    return Draw(lambda shape, _: samples.distinct(*shape, gap=gap))


def away_from_zero(margin: float = 0.1, *, scale: float = 1.0) -> Draw:
    """Normal entries pushed `margin` away from zero: no entry of a relu or an |x| sits on its kink."""
    return Draw(lambda shape, _: samples.away_from_zero(*shape, margin=margin, scale=scale))


def half_zeros() -> Draw:
    """Normal entries of which about half are exactly 0, as a relu leaves them."""

    def make(shape: Shape, _: Sizes) -> Sample:
        return lambda generator: torch.randn(shape, generator=generator, dtype=torch.float64).clamp(min=0)

    return Draw(make)


def columns(*, spread: Sequence[float], shift: float = 0.0) -> Draw:
    """Columns of the last axis with exactly these standard deviations around `shift`; a spread of 0 is an exact constant.

    The rows hold 1, −1, 1, −1, ... in a random order, times the spread, so that what a normalisation divides by is known to
    the last digit. Where their number is odd one row is 0, and the deviations are a little less.
    """

    def make(shape: Shape, _: Sizes) -> Sample:
        def draw(generator: Generator) -> Tensor:
            *leading, last = shape
            rows = int(torch.tensor(leading).prod()) if leading else 1
            signs = (1 - 2 * (torch.arange(rows) % 2)).to(torch.float64)
            if rows % 2:
                signs[-1] = 0.0
            mixed = torch.stack([signs[torch.randperm(rows, generator=generator)] for _ in range(last)], 1)
            return (mixed * torch.tensor(spread, dtype=torch.float64) + shift).reshape(shape)

        return draw

    return Draw(make, last=len(spread))


def rows_of_probability() -> Draw:
    """Rows of the last axis that are positive and sum to 1."""

    def make(shape: Shape, _: Sizes) -> Sample:
        return lambda generator: torch.softmax(torch.randn(shape, generator=generator, dtype=torch.float64), -1)

    return Draw(make)


def shaped(axes: str) -> Shaped:
    """As usual, but in the shape of these axes: names of sizes, or numbers. `y=shaped("N,1")`."""
    return Shaped(axes_of(axes, axes))


def literal(value: Any, *, whole: bool) -> Tensor:
    """A list or number as the tensor that it stands for; int64 where the primal holds integers."""
    if isinstance(value, Tensor):
        return value
    return torch.tensor(value, dtype=torch.int64 if whole else torch.float64)
