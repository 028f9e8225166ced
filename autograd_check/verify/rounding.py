"""What may be called rounding: measured before a finding is made, by arithmetic that rounds more coarsely.

A backward is a chain of linear maps with fixed coefficients. What rounds on the way keeps it from being exactly linear, by a
few units in the last place of the numbers that entered an entry. A share of its largest entry is always granted. Where a
gradient cancels (that of Σ softmax(x) is rounding and nothing else) it is run again with every operation rounding anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from autograd_check.verify.candidate import Point
from autograd_check.verify.scale import largest
from autograd_check.verify.tree import is_differentiable, leaves

EPS = torch.finfo(torch.float64).eps
SINGLE = torch.finfo(torch.float32).eps
RESOLUTION = 1e-11
"""What no gradient is asked to be more linear than, relative to its largest entry.

Measured on torch's operator database (torch 2.13, float64 and complex128): the roundings of matrix_exp, logcumsumexp, the
complex householder_product and svd_lowrank leave up to 1e-12, all others less than 1e-13.
"""
GROWTH = 8.0
"""Units in the last place for each √n: sums of n terms of one size round to √n of them (Higham and Mary, 2019, theorem 2.4)."""
ROUNDINGS = 16.0
"""How much more than it was seen to move a gradient may be off by rounding: of a few draws the worst entry of many is wanted."""
COARSE = 2.0**-28
"""How coarsely every operation rounds when its effect is measured: far above float64's own rounding, far below the function's bends."""
DRAWS = 4
MOVES = frozenset(
    {"clone", "copy", "_to_copy", "cat", "stack", "index", "index_select", "gather", "flip", "roll", "constant_pad_nd"}
)
"""Operations that move numbers and round none."""


class RandomRounding(TorchDispatchMode):
    """Every operation's result is off by up to `COARSE`, relative to its size (complex numbers: to their modulus), at random.

    Monte Carlo arithmetic (Parker, 1997): how far a function's value spreads under it is what rounding does to that value.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._generator = generator

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # otherwise torch imports its compiler for this mode: a second for every fresh process
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation, and round what it computed; views, copies and numbers made of nothing are exact."""
        out = func(*args, **(kwargs or {}))
        moves = func._schema.name.partition("::")[2].rstrip("_") in MOVES
        if not moves and any(isinstance(given, Tensor) for argument in args for given in leaves(argument)):
            results = out if isinstance(out, (tuple, list)) else (out,)
            for result, made in zip(results, func._schema.returns, strict=False):
                if made.alias_info is None or made.alias_info.is_write:
                    self._round(result)
        return out

    def _round(self, result: Any) -> None:
        if not is_differentiable(result) or not result.numel():
            return
        shape = (*result.shape, 2) if result.is_complex() else result.shape
        off = torch.empty(shape, dtype=torch.float64).uniform_(-COARSE, COARSE, generator=self._generator)
        if result.is_complex():
            result.add_(result.abs() * torch.view_as_complex(off))
        else:
            result.mul_(1 + off.to(result.dtype))


def of_its_size(size: float, count: int, eps: float = EPS) -> float:
    """The rounding of entries of at most `size`, made of sums of at most `count` terms, in an arithmetic of precision `eps`."""
    return max(RESOLUTION, GROWTH * math.sqrt(count) * eps) * size


@dataclass(frozen=True)
class Rounding:
    """What rounding may do to the gradients at a point, entry by entry: how far they move when every operation rounds anew.

    `gradients` gives them by primal, of the definition where there is one and else of the code itself; None where it fails.
    Code cannot excuse itself by what is rough in it: a gradient that jumps by its whole error whenever a number moves by
    `COARSE` gets EPS / COARSE of that error, a sixteen-millionth.
    """

    gradients: Callable[[Point], Mapping[str, Any] | None]
    point: Point
    _known: dict[str, Any] = field(default_factory=dict, repr=False)

    def __call__(self, primal: str) -> list[Tensor]:
        """For every tensor of a primal's gradient the movement of each entry, a real number; empty where there is none."""
        if not self._known:
            self._known.update(self._measured())
        found: list[Tensor] = self._known.get(primal, [])
        return found

    def largest(self, primal: str, place: int) -> float:
        """The largest movement of an entry in one tensor of a primal."""
        found = self(primal)
        return largest(found[place]) if place < len(found) else 0.0

    def _measured(self) -> dict[str, list[Tensor]]:
        exact = self._asked(None)
        rounded = [grads for seed in range(DRAWS) if (grads := self._asked(seed)) is not None]
        return (
            {"": []} if exact is None else {name: _spread(grad, [r.get(name) for r in rounded]) for name, grad in exact.items()}
        )

    def _asked(self, seed: int | None) -> Mapping[str, Any] | None:
        anew = Point(dict(self.point.primals), self.point.hyper)
        try:
            with nullcontext() if seed is None else RandomRounding(Generator().manual_seed(seed)):
                return self.gradients(anew)
        except Exception:  # a definition may refuse what rounding took out of its domain
            return None


def _spread(exact: Any, rounded: Sequence[Any]) -> list[Tensor]:
    found = []
    for place, leaf in enumerate(leaves(exact)):
        if not is_differentiable(leaf):
            found.append(torch.zeros(()))
            continue
        spread = torch.zeros(leaf.shape, dtype=torch.float64)
        for other in rounded:
            moved = leaves(other)[place] if len(leaves(other)) > place else None
            if isinstance(moved, Tensor) and is_differentiable(moved) and moved.shape == leaf.shape:
                spread = torch.maximum(spread, torch.nan_to_num((moved - leaf).detach().abs().to(torch.float64), 0.0, 0.0, 0.0))
        found.append(EPS / COARSE * spread)
    return found
