"""What may be called rounding: decided before a finding is made, from the arithmetic and from the reference alone.

A backward is a chain of linear maps with fixed coefficients. What rounds on the way keeps it from being exactly linear, by a
few units in the last place of the numbers that entered an entry. How large those were is told without asking the gradient to
excuse itself: by its own largest entry; and, where a gradient cancels (that of Σ softmax(x) is rounding and nothing else), by
the function's value. Each stage z of the chain rounds the forward by ε|z|·|∂φ/∂z| and the backward by ε|∂z/∂x|·|∂φ/∂z|, which
is the same over the size of x. So the noise of φ = ⟨dout, f⟩, measured on the reference, is the noise of its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from autograd_check.verify.candidate import Point
from autograd_check.verify.ground import Ground, Sweep, make_ground
from autograd_check.verify.lines import draw_lines
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
"""Noises of the function that a gradient which cancels may amount to: the noise is a mean, the worst entry of many is wanted."""
COARSE = 2.0**-40
"""How coarsely every operation rounds when its effect is measured: far above float64's own rounding, and far below the function's bends."""
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


def of_its_function(sweep: Sweep, point: Point, dout: Any, base: Any, primal: str) -> dict[int, float]:
    """The rounding of a gradient that cancels, by the number of the tensor in the primal.

    `sweep` evaluates the reference: the oracle, or the forward itself where there is none; `base` is its output at the point.
    """
    ground = make_ground(sweep, point, dout, base)
    if ground is None:
        return {}
    lines = draw_lines(point.primals, [primal], ("uniform",), Generator().manual_seed(0))
    everywhere = _spread(ground)
    return {
        line.leaf: ROUNDINGS * max(noise, everywhere) / line.narrowest
        for line, noise in zip(lines, ground.noises(lines), strict=True)
    }


def _spread(ground: Ground) -> float:
    """The noise of φ that random rounding makes, for float64: what no small step shows where the forward happens to be exact."""
    try:
        with RandomRounding(Generator().manual_seed(0)):
            rounded = [ground.sweep([ground.point], False)[0][0] for _ in range(DRAWS)]
    except Exception:  # an oracle may refuse what rounding took out of its domain: then small steps alone tell
        return 0.0
    changes = [change for change in ground.pairing.differences([(out, ground.base) for out in rounded]) if math.isfinite(change)]
    return EPS / COARSE * math.sqrt(sum(change**2 for change in changes) / max(len(changes), 1))
