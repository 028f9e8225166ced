"""Numeric differentiation, recognised from outside: difference quotients in the source, and primals that were moved by a small step."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def difference_quotients(tree: ast.AST) -> Iterator[int]:
    """Line numbers of the quotients. Their numerator is written as one expression; other forms are seen when they run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            step = _step(node.left, node.right)
            if step is not None and any(_divides(other, node, step) for other in ast.walk(tree)):
                yield node.lineno


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


class Steps:
    """Watches what operations are given, and compares it with the primals: `see` every tensor, then ask `found`.

    These are no accident: a primal moved by d and by -d (central differences), or by a little i; a primal of which one entry
    alone was moved, then another one, by steps of one size; and a division by the very step (or twice the step) by which all entries
    were moved. An epsilon that keeps a logarithm or a quotient finite is added to all entries, and nothing is divided by it.
    """

    def __init__(self, primals: Sequence[Tensor]) -> None:
        self.found = False
        self._sizes: list[float] = []
        self._divisors: list[float] = []
        self._primals = [(primal.detach().clone().reshape(-1), list[Tensor]()) for primal in primals if _real(primal)]

    def see(self, tensor: Tensor) -> None:
        """Take note of one argument of one operation."""
        if self.found:
            return
        if tensor.dtype is torch.complex128:
            self._compare_complex(tensor)
        if not _real(tensor):
            return
        for primal, steps in self._primals:
            if tensor.numel() == primal.numel() and tensor.dtype == primal.dtype:
                self._compare(tensor.detach().reshape(-1) - primal, primal, steps)

    def _compare_complex(self, tensor: Tensor) -> None:
        for primal, _ in self._primals:
            if tensor.numel() == primal.numel() and torch.equal(tensor.real.reshape(-1), primal):
                self.found = self.found or 0 < float(tensor.imag.abs().max()) <= COMPLEX

    def divide(self, divisor: float) -> None:
        """Take note of a number that something is divided by (the inverse of one that it is multiplied by)."""
        if 0 < abs(divisor) <= 2 * LARGEST:
            self._divisors.append(abs(divisor))
            self._match()

    def _match(self) -> None:
        steps = (factor * size for size in self._sizes for factor in (1, 2))
        if any(abs(step - divisor) <= ALIKE * divisor for step in steps for divisor in self._divisors):
            self.found = True

    def _compare(self, step: Tensor, primal: Tensor, steps: list[Tensor]) -> None:
        largest = LARGEST if primal.numel() > 1 else LARGEST_ALONE
        size = float(step.abs().max())
        if not size > 0 or bool((step.abs() > largest * primal.abs().clamp(min=1)).any()):
            return
        if any(_opposite(step, other, size) or _next_entry(step, other, size) for other in steps):
            self.found = True
        if float(step.abs().min()) >= (1 - ALIKE) * size:
            self._sizes.append(size)
            self._match()
        steps.append(step)
        del steps[:-8]


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
