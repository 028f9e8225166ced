"""sympy as the numbers of the mirror: real symbols, exact constants, and the functions that layers are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy


class Sigmoid(sympy.Function):  # type: ignore[misc]  # sympy carries no types
    """1 / (1 + exp(−t)) kept whole while differentiating, so that formulas stay short."""

    def fdiff(self, argindex: int = 1) -> Any:
        """σ(1 − σ)."""
        return self * (1 - self)

    def doit(self, **hints: Any) -> Any:
        """Written out."""
        return 1 / (1 + sympy.exp(-self.args[0]))


class Softplus(sympy.Function):  # type: ignore[misc]  # sympy carries no types
    """log(1 + exp(t)), whose derivative is the sigmoid."""

    def fdiff(self, argindex: int = 1) -> Any:
        """σ(t)."""
        return sigmoid(self.args[0])

    def doit(self, **hints: Any) -> Any:
        """Written out."""
        return sympy.log(1 + sympy.exp(self.args[0]))


def sigmoid(value: Any) -> Any:
    """σ(t), with σ(−t) written as 1 − σ(t)."""
    value = sympy.sympify(value)
    return 1 - Sigmoid(-value) if value.could_extract_minus_sign() else Sigmoid(value)


def log1p(value: Any) -> Any:
    """log(1 + t); log(1 + exp(t)) is recognised as softplus."""
    value = sympy.sympify(value)
    return Softplus(value.args[0]) if isinstance(value, sympy.exp) else sympy.log(1 + value)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": sympy.exp,
    "log": sympy.log,
    "log1p": log1p,
    "expm1": lambda value: sympy.exp(value) - 1,
    "sqrt": sympy.sqrt,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tanh": sympy.tanh,
    "erf": sympy.erf,
    "sigmoid": sigmoid,
    "softplus": Softplus,
    "pi": lambda value: sympy.pi * value,
}


class Symbolic:
    """The algebra of sympy expressions."""

    def constant(self, value: float) -> Any:
        """A number exactly as it is written: 0.01 is 1/100."""
        if isinstance(value, (bool, int)):
            return sympy.Integer(int(value))
        return sympy.Rational(repr(value)) if value - value == 0 else sympy.sympify(value)

    def apply(self, function: str, value: Any) -> Any:
        """One function of one expression."""
        return _FUNCTIONS[function](value)
