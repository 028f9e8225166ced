"""One concrete point of a check: drawn primals, drawn cotangents, and what the check on it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Point, StateAfter
from autograd_check.verify.tree import is_differentiable, map_leaves, map_tensors

NARROWER = {torch.float64: torch.float32, torch.complex128: torch.complex64}


@dataclass(frozen=True)
class PairNames:
    """Which functions are under test and what their primals are called.

    `wrt` are the primals that get a gradient, in the order in which the backward returns them. `oracle` takes the primals
    in order and the hyperparameters as keywords, and returns `out`; None where there is no reference.
    """

    forward: str
    backward: str
    wrt: tuple[str, ...]
    oracle: Callable[..., Any] | None
    leaves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A point, its name on screen, and (for a convention) the cause and sentence that a difference here stands for.

    A difference of more than `reach`, relative to the worst entry, is no convention any more.
    """

    name: str
    point: Point
    convention: tuple[Cause, str] | None = None
    reach: float = float("inf")

    def as_float32(self) -> Case:
        """The same case with every float64 tensor in float32, complex ones alike."""

        def convert(tensor: Tensor) -> Tensor:
            return tensor.to(NARROWER.get(tensor.dtype, tensor.dtype))

        def narrowed(point: Point) -> Point:
            return Point({name: narrow(value) for name, value in point.primals.items()}, point.hyper)

        def narrow(value: Any) -> Any:
            if isinstance(value, StateAfter):
                return StateAfter(tuple(map(narrowed, value.calls)), tuple(map(narrowed, value.others)))
            return map_tensors(convert, value)

        return replace(self, name=f"{self.name}, float32", point=narrowed(self.point))


def draw_cotangent(out: Any, generator: Generator) -> Any:
    """A random non-uniform cotangent of `out`: same nest, shapes and dtypes; |entries| in [0.5, 2], signs random.

    Real and imaginary parts of a complex output are drawn each for itself. No entry is near 0 or exactly 1, so nothing hides
    behind a small or a neutral upstream gradient. Entries of `out` that are not differentiable get zeros.
    """

    def draw(leaf: Any) -> Any:
        if not is_differentiable(leaf):
            return torch.zeros_like(leaf) if isinstance(leaf, Tensor) else leaf
        shape = (*leaf.shape, 2) if leaf.is_complex() else leaf.shape
        drawn = torch.empty(shape, dtype=torch.float64).uniform_(-1.5, 1.5, generator=generator)
        drawn.add_(drawn.sign(), alpha=0.5)
        return (torch.view_as_complex(drawn) if leaf.is_complex() else drawn).to(leaf.dtype)

    return map_leaves(draw, out)


def combine(a: float, one: Any, b: float, other: Any) -> Any:
    """a·one + b·other for two cotangents of the same nest."""
    if isinstance(one, (list, tuple)):
        return type(one)(combine(a, x, b, y) for x, y in zip(one, other, strict=True))
    return a * one + b * other if isinstance(one, Tensor) else one
