"""Closed forms: sympy runs a lesson's oracle on symbols at a tiny shape and differentiates Σ g · out.

`dw[0,1] = x00*g01 + x10*g11`: primals keep their names with the indices behind them, g is the upstream gradient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
import torch
from torch import Tensor

from autograd_check.course.spec import Layer
from autograd_check.course.symbolic import arrays, elementwise, structured
from autograd_check.course.symbolic.algebra import Symbolic
from autograd_check.course.symbolic.execute import Array, Mirror, Rule, Unmirrored
from autograd_check.course.symbolic.tiny import TinyPoint, tiny_point
from autograd_check.errors import CourseError
from autograd_check.verify.tensors import is_differentiable, map_tensors, named_leaves

RULES: Mapping[str, Rule] = {**elementwise.RULES, **arrays.RULES, **structured.RULES}
SIMPLIFIED = 24
"""Expressions of at most this many operations are simplified; on longer ones sympy may take minutes."""


@dataclass(frozen=True)
class ClosedForms:
    """The gradients of one task as formulas.

    `all_symbols` are the symbols of every primal by subject (`dw`, `dparams[2].w`), `outs` the entries of out and `cotangents`
    the symbols of their upstream gradients, `assumptions` the sides of the branches that were taken.
    """

    task: Layer
    point: TinyPoint
    all_symbols: Mapping[str, Array]
    cotangents: tuple[Any, ...]
    outs: tuple[Any, ...]
    assumptions: tuple[str, ...]

    @cached_property
    def symbols(self) -> dict[str, Array]:
        """The symbols of the primals that get a gradient, by subject."""
        return {path: array for path, array in self.all_symbols.items() if re.split(r"[\[.]", path[1:])[0] in self.task.wrt}

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """Names of all entries of all gradients: `dw[0,1]`."""
        return tuple(
            f"{subject}[{','.join(map(str, index))}]" if index else subject
            for subject, array in self.symbols.items()
            for index in np.ndindex(array.shape)
        )

    def formula(self, entry: str) -> str:
        """The closed form of one entry. Raises `CourseError` with the entries that there are."""
        symbol = self._symbol(entry)
        parts = [
            _term(_short(sympy.diff(out, symbol)), str(cotangent))
            for out, cotangent in zip(self.outs, self.cotangents, strict=True)
            if out.has(symbol)
        ]
        return _joined([part for part in parts if part])

    def _symbol(self, entry: str) -> Any:
        wanted = re.sub(r"\s", "", entry)
        if wanted in self.symbols and not self.symbols[wanted].shape:
            return self.symbols[wanted][()]
        match = re.fullmatch(r"(.+)\[([\d,]+)\]", wanted)
        if match and match[1] in self.symbols:
            array, index = self.symbols[match[1]], tuple(int(part) for part in match[2].split(","))
            if len(index) == array.ndim and all(i < size for i, size in zip(index, array.shape, strict=True)):
                return array[index]
        shapes = ", ".join(f"{name} {tuple(array.shape)}" for name, array in self.symbols.items())
        raise CourseError(f"{self.task.name} has no gradient entry {entry!r} at this size. The gradients are: {shapes}.")


def closed_forms(task: Layer) -> ClosedForms:
    """Run a task's oracle on symbols. Raises `CourseError` where an operation is not known symbolically."""
    point = tiny_point(task)
    mirror = Mirror(Symbolic(), RULES)
    primals = {name: map_tensors(lambda tensor: tensor.clone(), value) for name, value in point.primals.items()}
    symbols: dict[str, Array] = {}
    for name, value in primals.items():
        for path, leaf in named_leaves(value, f"d{name}", task.leaves.get(name, ())):
            if is_differentiable(leaf):
                array = _symbol_array(_base(path, name), tuple(leaf.shape))
                mirror.write(leaf, array)
                symbols[path] = array
    try:
        with torch.no_grad(), mirror:
            out = task.oracle(*primals.values(), **point.hyper)
    except Unmirrored as error:
        raise CourseError(f"derive cannot run {task.name}: sympy is not taught the operation {error}.") from None
    leaves = [(path, leaf) for path, leaf in named_leaves(out, "g") if is_differentiable(leaf)]
    return ClosedForms(
        task,
        point,
        symbols,
        tuple(symbol for path, leaf in leaves for symbol in _symbol_array(_base(path, "g"), tuple(leaf.shape)).reshape(-1)),
        tuple(sympy.sympify(entry) for _, leaf in leaves for entry in _entries(mirror, leaf)),
        tuple(mirror.assumptions),
    )


def _entries(mirror: Mirror, leaf: Tensor) -> Iterator[Any]:
    yield from mirror.read(leaf).reshape(-1)


def _base(path: str, name: str) -> str:
    """`w0` for `dparams[0].w`, `params0` for `dparams[0]`, the primal's own name where it is a single tensor."""
    parts = re.fullmatch(r"[^\[.]+((?:\[\d+\])*)(?:\.(\w+))?((?:\[\d+\])*)", path)
    numbers = "_".join(re.findall(r"\d+", f"{parts[1]}{parts[3]}")) if parts else ""
    return f"{parts[2] if parts and parts[2] else name}{numbers}"


def _symbol_array(base: str, shape: tuple[int, ...]) -> Array:
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        digits = ("_" if max(index) > 9 else "").join(map(str, index)) if index else ""
        array[index] = sympy.Symbol(f"{base}_{digits}" if base[-1:].isdigit() and digits else f"{base}{digits}", real=True)
    return array


def _written_out(expression: Any) -> Any:
    return expression.doit()


def _short(expression: Any) -> Any:
    if expression.count_ops() > SIMPLIFIED:
        return _written_out(sympy.factor_terms(expression))
    forms = [expression, sympy.simplify(expression)]
    if _repeats_a_symbol(expression):  # without, there is nothing to factor out, and sympy takes long to see it
        forms.insert(1, sympy.factor(expression))
    return _written_out(min(forms, key=lambda form: form.count_ops()))


def _repeats_a_symbol(expression: Any) -> bool:
    seen = [node for node in sympy.preorder_traversal(expression) if node.is_Symbol]
    return len(seen) > len({*seen})


def _term(coefficient: Any, cotangent: str) -> str:
    """`x00*g01`; a sum in parentheses; nothing where the coefficient is 0."""
    if coefficient == 0:
        return ""
    if coefficient in (1, -1):
        return cotangent if coefficient == 1 else f"-{cotangent}"
    text = str(coefficient)
    return f"({text})*{cotangent}" if coefficient.is_Add or coefficient.is_Piecewise else f"{text}*{cotangent}"


def _joined(terms: list[str]) -> str:
    text = " + ".join(terms).replace("+ -", "- ")
    return text or "0"
