"""Lines through a point: one direction in one tensor of one primal, and the points along it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.directions import Direction, Ladder, draw_directions, ladder_of
from autograd_check.verify.scale import norm
from autograd_check.verify.tree import is_differentiable, leaves, map_leaves

Draw = Callable[[Sequence[Tensor], tuple[str, ...], Generator], list[list[Direction]]]


@dataclass(frozen=True)
class Line:
    """The direction `u` in leaf number `leaf` of a primal, and the step from which its ladder goes down.

    `narrowest` is the least |u| of an entry that moves.
    """

    primal: str
    leaf: int
    kind: str
    u: Tensor
    step: float
    narrowest: float

    @property
    def ladder(self) -> Ladder:
        """Largest and smallest step in the precision of this tensor."""
        return ladder_of(self.u)

    def at(self, point: Point, t: float) -> Point:
        """x + t·u in this tensor, all others as they are."""
        value = point.primals[self.primal]
        if isinstance(value, Tensor):
            moved: Any = torch.add(value, self.u, alpha=t)
        else:
            places = iter(range(len(leaves(value))))
            moved = map_leaves(lambda leaf: torch.add(leaf, self.u, alpha=t) if next(places) == self.leaf else leaf, value)
        return Point({**point.primals, self.primal: moved}, point.hyper)

    def slope(self, grad: Any) -> tuple[float, float]:
        """⟨g, u⟩ and ‖g·u‖₂ for the gradient of the primal; entries that do not move do not count."""
        g = leaves(grad)[self.leaf]
        if not isinstance(g, Tensor):  # a python number stands for a 0-d tensor
            g = torch.as_tensor(g if isinstance(g, (int, float, complex)) else math.nan, dtype=self.u.dtype)
        u = self.u
        products = (g.conj() * u).real if g.is_complex() or u.is_complex() else g * u
        if products.dtype is not torch.float64:
            products = products.to(torch.float64)
        total = float(products.sum())
        if not math.isfinite(total):
            products = torch.where(u != 0, products, 0)
            total = float(products.sum())
        return total, norm(products)


class Walk(Sequence[Point]):
    """Points along lines through one point, each made when it is asked for: a large tensor is never held twenty times."""

    def __init__(self, point: Point, stops: Sequence[tuple[Line | None, float]]) -> None:
        self.origin = point
        self._stops = stops

    def from_origin(self) -> Walk:
        """The same walk with one stop more at its beginning: the point itself."""
        return Walk(self.origin, [(None, 0.0), *self._stops])

    def __len__(self) -> int:
        return len(self._stops)

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> Walk: ...
    def __getitem__(self, index: int | slice) -> Point | Walk:
        if isinstance(index, slice):
            return Walk(self.origin, self._stops[index])
        line, t = self._stops[index]
        return self.origin if line is None else line.at(self.origin, t)

    def __iter__(self) -> Iterator[Point]:
        return (self[index] for index in range(len(self)))

    def stacked(self) -> tuple[list[Any], list[int | None]] | None:
        """Every primal with the axis along which its points lie (None where it does not move), for a batched call.

        None where a primal that moves is a nest of tensors.
        """
        moving: dict[str, list[int]] = {}
        for place, (line, _) in enumerate(self._stops):
            if line is not None:
                moving.setdefault(line.primal, []).append(place)
        if not all(isinstance(self.origin.primals[name], Tensor) for name in moving):
            return None
        ts = torch.tensor([t for _, t in self._stops], dtype=torch.float64)
        values = [self._stack(name, moving[name], ts) if name in moving else x for name, x in self.origin.primals.items()]
        return values, [0 if name in moving else None for name in self.origin.primals]

    def _stack(self, name: str, places: list[int], ts: Tensor) -> Tensor:
        x: Tensor = self.origin.primals[name].detach()
        column = x.new_empty((len(self._stops), *x.shape)).copy_(x)
        ts = ts.to(x.dtype).reshape(-1, *(1 for _ in x.shape))
        start = 0
        while start < len(places):
            line, stop = self._stops[places[start]][0], start
            while stop < len(places) and self._stops[places[stop]][0] is line and places[stop] - places[start] == stop - start:
                stop += 1
            if line is not None:
                run = slice(places[start], places[stop - 1] + 1)
                torch.addcmul(x, ts[run], line.u, out=column[run])
            start = stop
        return column

    def entries(self) -> int:
        """How many numbers a batched call would move."""
        names = {line.primal for line, _ in self._stops if line is not None}
        moving = [leaf for name in names for leaf in leaves(self.origin.primals[name]) if isinstance(leaf, Tensor)]
        return len(self._stops) * sum(leaf.numel() for leaf in moving)


def draw_lines(
    primals: Mapping[str, Any],
    names: Sequence[str],
    kinds: tuple[str, ...],
    generator: Generator,
    draw: Draw = draw_directions,
) -> list[Line]:
    """A line of each kind through every differentiable tensor with entries of the named primals.

    Each tensor on its own: a large one would drown a small one. `draw` gives the directions.
    """
    tensors = [
        (name, position, leaf)
        for name in names
        for position, leaf in enumerate(leaves(primals[name]))
        if is_differentiable(leaf) and leaf.numel()
    ]
    drawn = draw([leaf for _, _, leaf in tensors], kinds, generator)
    return [
        Line(name, position, kind, one.u, ladder_of(one.u).largest, one.narrowest)
        for (name, position, _), directions in zip(tensors, drawn, strict=True)
        for kind, one in zip(kinds, directions, strict=True)
    ]
