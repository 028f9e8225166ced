"""Values that are made on the side of the code under test: a generator, a function, a state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.tensors import map_tensors


@dataclass(frozen=True)
class Seed:
    """Stands for a fresh `torch.Generator` with this seed, made anew for every call."""

    value: int


@dataclass(frozen=True)
class Code:
    """Stands for the value of a python expression that the grader wrote, such as a function handed to the student's checker.

    `setup` is run first and may define functions; `expression` is evaluated after it.
    """

    expression: str
    setup: str = ""


@dataclass(frozen=True)
class StateAfter:
    """Stands, as the last primal, for the state that the same function has after these calls; None before the first.

    The calls are points without a state: each is given the state that the one before returned. `others` are calls of another
    layer, which run after them with a state of their own.
    """

    calls: tuple[Point, ...] = ()
    others: tuple[Point, ...] = ()

    def map_tensors(self, function: Callable[[Tensor], Any]) -> StateAfter:
        """The same calls with `function` applied to every tensor."""
        return StateAfter(tuple(_mapped(function, call) for call in self.calls), tuple(_mapped(function, o) for o in self.others))


def _mapped(function: Callable[[Tensor], Any], point: Point) -> Point:
    return replace(point, primals={name: map_tensors(function, value) for name, value in point.primals.items()})
