"""What is only rounding, or float32: measured before a finding is made.

A backward is a chain of linear maps with fixed coefficients. What rounds on the way keeps it from being exactly linear, by a
few units in the last place of the numbers that entered an entry. A share of its largest entry is always granted. Where a
gradient cancels (that of Σ softmax(x) is rounding and nothing else) it is run again with every operation rounding anew.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor
from torch._decomp import decomposition_table

from autograd_check.dispatch_mode import Watching
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import Mismatch
from autograd_check.verify.tensors import compare, is_differentiable, largest, leaves
from autograd_check.verify.tolerances import COARSE, DRAWS, EPS, HALF_UNIT, NEGLIGIBLE, OFTEN, ROUNDINGS, SINGLE, UNEVEN, UNSEEN

# --- Rounding --------------------------------------------------------------------------------------------------------

MOVES = frozenset(
    {"clone", "copy", "_to_copy", "cat", "stack", "index", "index_select", "gather", "flip", "roll", "constant_pad_nd"}
)
"""Operations that move numbers and round none."""
SELECTS = re.compile(
    "abs|neg|sgn|sign|where|masked_fill|(max|min)(imum)?|(a|cum)(max|min)|aminmax|clamp(_min|_max)?|relu|threshold|sort|topk|kthvalue|median|"
    "tril|triu|new_full"
)
"""Operations that choose among numbers, or change signs: of real numbers they round none, and a backward finds again what was chosen."""


class RandomRounding(Watching):
    """Every operation's result is off by up to `COARSE` (or another `unit`), relative to its size (complex numbers: to their modulus), at random.

    Monte Carlo arithmetic (Parker, 1997): how far a function's value spreads under it is what rounding does to that value.
    """

    def __init__(self, generator: Generator, unit: float = COARSE) -> None:
        super().__init__()
        self._generator = generator
        self._unit = unit

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The operation's result, of a fused backward in its parts: it rounds inside, where nobody sees it."""
        if func._schema.name.endswith(("_backward", "_backward_data")) and func in decomposition_table:
            try:
                with self:
                    return decomposition_table[func](*args, **kwargs)
            except Exception:  # these arguments have no parts
                return func(*args, **kwargs)
        return func(*args, **kwargs)

    def after(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        """Round what an operation computed; views, copies and numbers made of nothing are exact."""
        name = func._schema.name.partition("::")[2].rstrip("_")
        given = [leaf for argument in args for leaf in leaves(argument)]
        # the norm of infinite order is a maximum
        selects = SELECTS.fullmatch(name) or (name == "linalg_vector_norm" and given[1:2] in ([math.inf], [-math.inf]))
        exact = name in MOVES or (selects and not any(isinstance(leaf, Tensor) and leaf.is_complex() for leaf in given))
        if not exact and any(isinstance(leaf, Tensor) for leaf in given):
            results = out if isinstance(out, (tuple, list)) else (out,)
            for result, made in zip(results, func._schema.returns, strict=False):
                if made.alias_info is None or made.alias_info.is_write:
                    self._round(result)

    def _round(self, result: Any) -> None:
        if not is_differentiable(result) or not result.numel() or result.layout is not torch.strided or result._is_zerotensor():
            return
        shape = (*result.shape, 2) if result.is_complex() else result.shape
        off = torch.empty(shape, dtype=torch.float64, device="cpu").uniform_(-self._unit, self._unit, generator=self._generator)
        off = off.to(result.device)
        if result.is_complex():
            # infinity plus a share of itself would be nan
            result.add_(torch.nan_to_num(result.abs(), 0.0, 0.0, 0.0) * torch.view_as_complex(off))
        else:
            result.mul_(1 + off.to(result.dtype))


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


def compare_rounded(got: Tensor, expected: Tensor, tolerance: float, moves: Callable[..., float], *where: Any) -> Mismatch | None:
    """As `compare`; where they differ, what rounding `moves` is asked, and granted as well."""
    return compare(got, expected, tolerance) and compare(got, expected, tolerance + ROUNDINGS * moves(*where))


def _spread(exact: Any, rounded: Sequence[Any]) -> list[Tensor]:
    found = []
    for place, leaf in enumerate(leaves(exact)):
        if not is_differentiable(leaf):
            found.append(torch.zeros((), device="cpu"))
            continue
        spread = torch.zeros(leaf.shape, dtype=torch.float64, device=leaf.device)
        for other in rounded:
            moved = leaves(other)[place] if len(leaves(other)) > place else None
            if isinstance(moved, Tensor) and is_differentiable(moved) and moved.shape == leaf.shape:
                spread = torch.maximum(spread, torch.nan_to_num((moved - leaf).detach().abs().to(torch.float64), 0.0, 0.0, 0.0))
        found.append(EPS / COARSE * spread)
    return found


# --- float32 ---------------------------------------------------------------------------------------------------------


def looks_single(got: Tensor, want: Tensor) -> bool:
    """Whether `got` differs from `want` as float32 on the way would make it differ.

    Either temporaries (every entry a little, at random) or constants (many entries by less than half a unit of float32).
    A single wrong entry, or one factor of more than that, does not look like this.
    """
    if got.is_complex() != want.is_complex() or not want.numel():
        return False
    if not bool(torch.isfinite(got).all()) or not bool(torch.isfinite(want).all()):
        return False
    error = (got.to(want.dtype) - want).abs()
    if float(error.max()) > SINGLE * float(want.abs().max()):
        return False
    if got.dtype in (torch.float32, torch.complex64) and want.dtype in (torch.float64, torch.complex128):
        return True
    present = want.abs() > 0
    relative = error[present] / want[present].abs()
    if relative.numel() <= 1:
        return bool(got.to(torch.float32).to(want.dtype).equal(got)) or float(relative.sum()) <= UNSEEN
    often = float((relative > NEGLIGIBLE).to(torch.float64).mean()) > OFTEN
    return often and (float(relative.std()) > UNEVEN * float(relative.mean()) or float(relative.max()) <= HALF_UNIT)


def is_unseen(got: Tensor, want: Tensor) -> bool:
    """Whether an error is so small that it is put down to float32 without a witness: numpy and math show torch no dtype."""
    return float((got.to(want.dtype) - want).abs().max()) <= UNSEEN * float(want.abs().max())


def rounds_to_single(got: Tensor, want: Tensor, seen: Callable[[], bool]) -> bool:
    """Whether `got` differs from `want` as float32 on the way makes it differ, and float32 was on the way: `seen` says so."""
    return looks_single(got, want) and (is_unseen(got, want) or seen())
