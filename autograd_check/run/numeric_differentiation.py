"""Numeric differentiation, recognised from outside: difference quotients in the source, and primals that were moved by a small step."""

from __future__ import annotations

import ast
import math
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy import ndarray
from torch import Tensor


def difference_quotients(tree: ast.AST) -> Iterator[int]:
    """Line numbers of the quotients. Their numerator is written as one expression; other forms are seen when they run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            step = _step(node.left, node.right)
            if step is not None and any(_divides(other, node, step) for other in ast.walk(tree)):
                yield node.lineno
        elif isinstance(node, ast.Attribute) and node.attr == "imag":
            steps = _imaginary_steps(tree)
            if any(_divides(other, node, step) for step in steps for other in ast.walk(tree)):
                yield node.lineno


def _imaginary_steps(tree: ast.AST) -> Iterator[ast.expr]:
    """What stands in the imaginary part of a number: h in `h * 1j`, in `complex(v, h)`, and in 1e-20j."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, complex):
            yield ast.Constant(node.value.imag)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            for one, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(one, ast.Constant) and one.value == 1j:
                    yield other
        elif isinstance(node, ast.Call) and len(node.args) == 2 and getattr(node.func, "id", "") == "complex":
            yield node.args[1]


def _step(above: ast.AST, below: ast.AST) -> ast.expr | None:
    """The h of `above` = f(v + h) and `below` = f(v − h), where f is any expression in which v is one part."""
    for part in ast.walk(above):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
            point, step = ast.dump(part.left), ast.dump(part.right)
            written = ast.dump(above)
            moved = ast.dump(part)
            back = f"BinOp(left={point}, op=Sub(), right={step})"
            if written != moved and ast.dump(below) == written.replace(moved, back):
                return part.right
    return None


def _divides(node: ast.AST, difference: ast.AST, step: ast.expr) -> bool:
    """Whether `node` divides something that holds `difference` by something that holds `step`, or by that number or twice it."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
        return False
    if not any(part is difference for part in ast.walk(node.left)):
        return False
    if isinstance(step, ast.Constant) and isinstance(step.value, (int, float)):
        numbers = [part.value for part in ast.walk(node.right) if isinstance(part, ast.Constant)]
        return step.value != 0 and abs(step.value) < 0.1 and any(number in (step.value, 2 * step.value) for number in numbers)
    return any(ast.dump(part) == ast.dump(step) for part in ast.walk(node.right))


LARGEST = 1e-2
"""The largest step that counts as small, relative to max(1, |x|)."""

LARGEST_ALONE = 1e-3
"""The same for a single number, which other single numbers may come near by chance."""

COMPLEX = 1e-6
"""The largest imaginary step of a complex-step derivative; a complex number that means something is larger."""

ALIKE = 1e-3
"""How well two steps agree that are the same one, relative; the rest is rounding."""


ROUNDED = 1e-6
"""By so much a difference of two float32 may be off, relative, where it is taken in float64."""

SEVERAL = 3
"""Of so many entries both sides are evaluated where single numbers are moved."""

MOST_ROWS = 64
"""Moved primals in one tensor that are looked at; a backward is watched at a small point, with fewer entries."""


@dataclass
class _Primal:
    """A primal, flat, the largest step of every entry that counts as small, and the small steps that were seen lately."""

    entries: Tensor
    bound: Tensor
    known: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._first = float(self.entries[0])
        self._reach = float(self.bound[0]) * (1 + ROUNDED)

    def moves(self, tensor: Tensor) -> Iterator[Tensor]:
        """How far the primal was moved, for every row of a tensor in which every entry was moved by a small step, if any.

        The first entries are looked at alone before: nearly every tensor is something else, and that costs a tenth.
        """
        rows = _stacked(tensor, self.entries)
        if rows is None or not any(abs(entry - self._first) <= self._reach for entry in rows[:, 0].tolist()):
            return
        moves = rows - self.entries
        sizes = moves.abs()
        near = (sizes <= self.bound).all(1) & sizes.any(1)
        for place in near.nonzero().flatten().tolist() if bool(near.any()) else ():
            yield moves[place]


class Steps:
    """Watches what operations are given, and compares it with the primals: `see` every tensor, then ask `found`.

    These are no accident: a primal moved by d and by -d (central differences), or by a little i; a primal of which one entry
    alone was moved, then another one, by steps of one size; and a division by the very step (or twice the step) by which all entries
    were moved, or that was added to all entries of another tensor, real or imaginary. An epsilon that keeps a logarithm or a quotient
    finite is added to all entries, and nothing is divided by it. Several moved primals may come stacked in one tensor. `see_call` is the same for arguments of the student's own functions,
    which may be arrays or single numbers: there an entry moved by d and by -d counts, for several entries.
    """

    def __init__(self, primals: Sequence[Tensor]) -> None:
        self.found = False
        self._sizes: list[float] = []
        self._divisors: list[float] = []
        flat = [primal.detach().clone().reshape(-1) for primal in primals if _real(primal)]
        self._primals = [_Primal(primal, _bound(primal)) for primal in flat]
        self._entries = sorted({entry for primal in flat for entry in primal.tolist()})
        self._moves: set[tuple[float, float]] = set()

    def see(self, tensor: Tensor) -> None:
        """Take note of one argument of one operation."""
        if self.found:
            return
        if tensor.dtype is torch.complex128:
            self._compare_complex(tensor)
        if not _real(tensor):
            return
        for primal in self._primals:
            if tensor.dtype == primal.entries.dtype:
                for move in primal.moves(tensor.detach()):
                    self._compare(move, primal.known)

    def shift(self, number: float) -> None:
        """Take note of a number that is added to all entries of some tensor: of a primal, or of what was made of one."""
        if 0 < abs(number) <= LARGEST_ALONE:
            self._sizes.append(abs(number))
            self._match()

    def _compare_complex(self, tensor: Tensor) -> None:
        imaginary = tensor.detach().imag.abs()
        size = float(imaginary.max()) if imaginary.numel() else 0.0
        if 0 < size <= COMPLEX and not bool(((imaginary > 0) & (imaginary < (1 - ALIKE) * size)).any()):
            self._sizes.append(size)  # a step i·h from whatever the real part is
            self._match()
        for primal in self._primals:
            rows = _stacked(tensor.detach(), primal.entries)
            for row in () if rows is None else rows:
                if torch.equal(row.real, primal.entries):
                    self.found = self.found or 0 < float(row.imag.abs().max()) <= COMPLEX

    def see_call(self, argument: Any) -> None:
        """Take note of one argument of a function of the student's own."""
        if self.found:
            return
        if isinstance(argument, ndarray) and argument.dtype.kind in "fc" and argument.dtype.itemsize >= 8:
            self.see(torch.from_numpy(argument.copy()))
        elif isinstance(argument, complex):
            near = self._nearest(argument.real)
            self.found = near == argument.real and 0 < abs(argument.imag) <= COMPLEX
        elif type(argument) is float:
            near = self._nearest(argument)
            step = argument - near
            if 0 < abs(step) <= LARGEST_ALONE * max(1.0, abs(near)):
                self._moves.add((near, step))
                self._match_moves()

    def _nearest(self, number: float) -> float:
        at = bisect(self._entries, number)
        return min(self._entries[max(at - 1, 0) : at + 1], key=lambda entry: abs(entry - number), default=math.nan)

    def _match_moves(self) -> None:
        """Every entry to either side, or most of them: two numbers of which one lies near an entry are no rarity."""
        both = {
            entry
            for entry, step in self._moves
            if step > 0 and any(entry == other and abs(step + back) <= ALIKE * step for other, back in self._moves)
        }
        self.found = len(both) >= max(min(len(self._entries), SEVERAL), 1)

    def divide(self, divisor: float) -> None:
        """Take note of a number that something is divided by (the inverse of one that it is multiplied by)."""
        if 0 < abs(divisor) <= 2 * LARGEST:
            self._divisors.append(abs(divisor))
            self._match()

    def _match(self) -> None:
        steps = (factor * size for size in self._sizes for factor in (1, 2))
        if any(abs(step - divisor) <= ALIKE * divisor for step in steps for divisor in self._divisors):
            self.found = True

    def _compare(self, step: Tensor, known: list[Tensor]) -> None:
        """Take note of a small step from a primal."""
        size = float(step.abs().max())
        if any(_opposite(step, other, size) or _next_entry(step, other, size) for other in known):
            self.found = True
        if float(step.abs().min()) >= (1 - ALIKE) * size:
            self._sizes.append(size)
            self._match()
        known.append(step)
        del known[:-8]


def _bound(primal: Tensor) -> Tensor:
    """The largest step of every entry that counts as small."""
    return (LARGEST if primal.numel() > 1 else LARGEST_ALONE) * primal.abs().clamp(min=1)


def _stacked(tensor: Tensor, primal: Tensor) -> Tensor | None:
    """A tensor as rows with as many entries as the primal; None where that cannot be, or where they are too many."""
    rows, rest = divmod(tensor.numel(), primal.numel())
    return tensor.reshape(rows, -1) if not rest and 1 <= rows <= MOST_ROWS else None


def _real(tensor: Tensor) -> bool:
    return tensor.dtype in (torch.float64, torch.float32) and tensor.numel() > 0 and tensor.layout is torch.strided


def _opposite(step: Tensor, other: Tensor, size: float) -> bool:
    return float((step + other).abs().max()) <= ALIKE * size


def _next_entry(step: Tensor, other: Tensor, size: float) -> bool:
    """Whether one entry alone was moved, now and then, by one size, and not the same entry."""
    moved, before = step.nonzero(), other.nonzero()
    if moved.numel() != 1 or before.numel() != 1 or int(moved) == int(before):
        return False
    return abs(size - float(other.abs().max())) <= ALIKE * size
