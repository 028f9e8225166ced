"""How a primal is drawn, without its shape: that follows from the lesson's shapes and the sizes of the probe.

`draw=dict(x=normal(scale=2, shift=1))` of a layer says it for every probe, `at(x=uniform(0.1, 0.9))` for one. All tensors are
float64 unless they hold integers. Edge cases are written out: an edge that is only random is sometimes not an edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.course.probe import Sample
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

    def of(self, *shape: int) -> Sample:
        """One tensor of this shape, where no lesson's shapes say it: `normal(scale=2).of(3, 4)`. A nest has no shape of its own."""
        return self.make(shape, {})


@dataclass(frozen=True)
class Shaped:
    """Drawn as usual, in another shape than the lesson's."""

    axes: tuple[Axis, ...]

    def shape(self, sizes: Sizes) -> Shape:
        """The shape, with the probe's sizes."""
        return tuple(size for axis in self.axes for size in axis.sizes(sizes))


def normal(*, scale: float = 1.0, shift: float = 0.0) -> Draw:
    """Normal entries with standard deviation `scale` and mean `shift`."""
    return _entries(lambda shape, generator: torch.randn(shape, generator=generator, dtype=torch.float64) * scale + shift)


def uniform(low: float = 0.0, high: float = 1.0) -> Draw:
    """Entries uniform in [low, high)."""
    return _entries(lambda shape, generator: torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low)


def integers(low: int = 0, *, high: int) -> Draw:
    """Integers in [low, high), int64: class indices, token ids. They get no gradient."""
    return _entries(lambda shape, generator: torch.randint(low, high, shape, generator=generator))


def labels() -> Draw:
    """Zeros and ones, at least one of each where there is room for both: the targets of a binary loss."""
    return _entries(lambda shape, generator: _mixed((torch.arange(_count(shape)) % 2).to(torch.float64), shape, generator))


def distinct(gap: float = 0.25) -> Draw:
    """A random order of values at least `gap` apart: nothing ties, nothing is zero."""

    def entries(shape: Shape, generator: Generator) -> Tensor:
        count = _count(shape)
        return _mixed((torch.arange(count, dtype=torch.float64) - (count - 1) / 2 + 0.25) * gap, shape, generator)

    return _entries(entries)


def away_from_zero(margin: float = 0.1, *, scale: float = 1.0) -> Draw:
    """Normal entries pushed `margin` away from zero: no entry of a relu or an |x| sits on its kink."""

    def entries(shape: Shape, generator: Generator) -> Tensor:
        x = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
        return x + torch.where(x >= 0, margin, -margin)

    return _entries(entries)


def _entries(entries: Callable[[Shape, Generator], Tensor]) -> Draw:
    return Draw(lambda shape, _: lambda generator: entries(shape, generator))


def _count(shape: Shape) -> int:
    return int(torch.tensor(shape).prod()) if shape else 1


def _mixed(values: Tensor, shape: Shape, generator: Generator) -> Tensor:
    """The values in a random order."""
    return values[torch.randperm(len(values), generator=generator)].reshape(shape)


def half_zeros() -> Draw:
    """Normal entries of which about half are exactly 0, as a relu leaves them."""
    return _entries(lambda shape, generator: torch.randn(shape, generator=generator, dtype=torch.float64).clamp(min=0))


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


def transposed(draw: Draw | None = None) -> Draw:
    """Drawn like `draw` (normal entries where it says nothing) with the last two axes swapped: a view, not contiguous.

    What has one axis is every other entry of twice as many.
    """

    def make(shape: Shape, sizes: Sizes) -> Sample:
        swapped = (*shape[:-2], shape[-1], shape[-2]) if len(shape) > 1 else shape
        sample = (draw or normal()).make(swapped, sizes)

        def view(generator: Generator) -> Tensor:
            drawn: Tensor = sample(generator)
            return drawn.mT if drawn.dim() >= 2 else drawn.repeat_interleave(2)[::2]

        return view

    return Draw(make)


def rows_of_probability() -> Draw:
    """Rows of the last axis that are positive and sum to 1."""
    return _entries(lambda shape, generator: torch.softmax(torch.randn(shape, generator=generator, dtype=torch.float64), -1))


def nest(*parts: Any, leaves: tuple[str, ...] = ()) -> Draw:
    """A list: of samples (`normal().of(3, 4)`), of lists and numbers as the tensors that they stand for, and of tuples of these.

    `leaves` names the parts of the tuples in reports: `nest((normal().of(3, 4), normal().of(4)), leaves=("w", "b"))`.
    """

    def drawn(part: Any, generator: Generator) -> Any:
        if isinstance(part, tuple):
            return tuple(drawn(inner, generator) for inner in part)
        return part(generator) if callable(part) else literal(part, whole=False)

    return Draw(lambda _, __: lambda generator: [drawn(part, generator) for part in parts], leaves=leaves)


def shaped(axes: str) -> Shaped:
    """As usual, but in the shape of these axes: names of sizes, or numbers. `y=shaped("N,1")`."""
    return Shaped(axes_of(axes, axes))


def literal(value: Any, *, whole: bool) -> Tensor:
    """A list or number as the tensor that it stands for; int64 where the primal holds integers."""
    if isinstance(value, Tensor):
        return value
    return torch.tensor(value, dtype=torch.int64 if whole else torch.float64)
