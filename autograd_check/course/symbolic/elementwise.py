"""Rules for operations that act entry by entry; branches follow the real values and say what they assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograd_check.course.symbolic.execute import Array, Mirror, Rule, Unmirrored, as_array


def _add(m: Mirror, a: Any, b: Any, *, alpha: float = 1) -> Any:
    return m.read(a) + (m.read(b) if alpha == 1 else m.read(b) * m.read(alpha))


def _sub(m: Mirror, a: Any, b: Any, *, alpha: float = 1) -> Any:
    return m.read(a) - (m.read(b) if alpha == 1 else m.read(b) * m.read(alpha))


def _mul(m: Mirror, a: Any, b: Any) -> Any:
    return m.read(a) * m.read(b)


def _div(m: Mirror, a: Any, b: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode is not None:
        raise Unmirrored(f"div with rounding_mode {rounding_mode}")
    return m.read(a) / m.read(b)


def _pow(m: Mirror, a: Any, b: Any) -> Any:
    return m.read(a) ** m.read(b)


def _unary(function: str, m: Mirror, a: Any, **_: Any) -> Array:
    return m.map(function, m.read(a))


def _rsqrt(m: Mirror, a: Any) -> Any:
    return m.read(1) / m.map("sqrt", m.read(a))


def _silu(m: Mirror, a: Any) -> Any:
    return m.read(a) * m.map("sigmoid", m.read(a))


def _log_sigmoid(m: Mirror, a: Any) -> Any:
    return -m.map("softplus", -m.read(a)), None


def _softplus(m: Mirror, a: Any, beta: float = 1, threshold: float = 20) -> Any:
    return m.map("softplus", m.read(a) * m.read(beta)) / m.read(beta)


def _gelu(m: Mirror, a: Any, *, approximate: str = "none") -> Any:
    x, half = m.read(a), m.read(1) / m.read(2)
    if approximate == "none":
        return x * half * (m.read(1) + m.map("erf", x / m.algebra.apply("sqrt", m.read(2))))
    # tanh(√(2/π)(x + 0.044715 x³)): Hendrycks and Gimpel, Gaussian error linear units (2016)
    scale = m.algebra.apply("sqrt", m.read(2) / m.algebra.apply("pi", m.read(1)))
    return x * half * (m.read(1) + m.map("tanh", scale * (x + m.read(0.044715) * x**3)))


@dataclass(frozen=True)
class Branch:
    """What decides a branch: the entries that were compared, and how each side of the comparison reads."""

    subject: Any
    holds: str
    fails: str


def chosen(m: Mirror, condition: Tensor, yes: Any, no: Any, branch: Branch | None = None) -> Array:
    """`yes` where the real condition holds, else `no`; with a `branch` the mirror notes what it assumed."""
    shape, holds = tuple(condition.shape), condition.numpy()
    if branch is not None:
        subjects = np.broadcast_to(as_array(branch.subject), shape)
        for index in np.ndindex(shape):
            if not _is_constant(subjects[index]):
                m.assume(f"{subjects[index]} {branch.holds if holds[index] else branch.fails}")
    result: Array = np.where(holds, np.broadcast_to(as_array(yes), shape), np.broadcast_to(as_array(no), shape))
    return result


def _is_constant(entry: Any) -> bool:
    return bool(getattr(entry, "is_number", True))


def _by_sign(m: Mirror, a: Tensor, positive: Any, negative: Any) -> Array:
    return chosen(m, a > 0, positive, negative, Branch(m.read(a), "> 0", "< 0"))


def _relu(m: Mirror, a: Tensor) -> Array:
    return _by_sign(m, a, m.read(a), m.read(0))


def _abs(m: Mirror, a: Tensor) -> Array:
    return _by_sign(m, a, m.read(a), -m.read(a))


def _sign(m: Mirror, a: Tensor) -> Array:
    return _by_sign(m, a, m.read(1), m.read(-1))


def _leaky_relu(m: Mirror, a: Tensor, slope: float = 0.01) -> Array:
    return _by_sign(m, a, m.read(a), m.read(a) * m.read(slope))


def _elu(m: Mirror, a: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Array:
    x = m.read(a)
    left = m.read(alpha) * (m.map("exp", x * m.read(input_scale)) - m.read(1))
    return _by_sign(m, a, x * m.read(scale), left * m.read(scale))


def _where(m: Mirror, condition: Tensor, a: Any, b: Any) -> Array:
    shape = torch.broadcast_shapes(*(value.shape for value in (condition, a, b) if isinstance(value, Tensor)))
    return chosen(m, condition.broadcast_to(shape), m.read(a), m.read(b))


def _masked_fill(m: Mirror, a: Tensor, mask: Tensor, value: Any) -> Array:
    return chosen(m, mask.broadcast_to(a.shape), m.read(value), m.read(a))


def _clamp(m: Mirror, a: Tensor, low: Any = None, high: Any = None, **named: Any) -> Array:
    low, high = named.get("min", low), named.get("max", high)
    values = as_array(m.read(a))
    if low is not None:
        bound = m.read(low)
        values = chosen(m, a < low, bound, values, Branch(m.read(a), f"< {bound}", f"> {bound}"))
    if high is not None:
        top = m.read(high)
        values = chosen(m, a > high, top, values, Branch(m.read(a), f"> {top}", f"< {top}"))
    return values


def _clamp_max(m: Mirror, a: Tensor, high: Any) -> Array:
    return _clamp(m, a, None, high)


def _extreme(larger: bool, m: Mirror, a: Tensor, b: Tensor) -> Array:
    first, second = torch.broadcast_tensors(a, b)
    difference = m.read(first) - m.read(second)
    branch = Branch(difference, "> 0", "< 0") if larger else Branch(difference, "< 0", "> 0")
    taken = first >= second if larger else first <= second
    return chosen(m, taken, m.read(first), m.read(second), branch)


_FUNCTIONS = ("exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tanh", "erf", "sigmoid")

RULES: Mapping[str, Rule] = {
    **{name: partial(_unary, name) for name in _FUNCTIONS},
    "add": _add,
    "sub": _sub,
    "rsub": lambda m, a, b, alpha=1: _sub(m, b, a) if alpha == 1 else m.read(b) - m.read(a) * m.read(alpha),
    "mul": _mul,
    "div": _div,
    "neg": lambda m, a: -m.read(a),
    "square": lambda m, a: m.read(a) ** 2,
    "reciprocal": lambda m, a: m.read(1) / m.read(a),
    "pow": _pow,
    "rsqrt": _rsqrt,
    "silu": _silu,
    "log_sigmoid_forward": _log_sigmoid,
    "softplus": _softplus,
    "gelu": _gelu,
    "relu": _relu,
    "abs": _abs,
    "sign": _sign,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "where": _where,
    "masked_fill": _masked_fill,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp_max,
    "maximum": partial(_extreme, True),
    "minimum": partial(_extreme, False),
}
