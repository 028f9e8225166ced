"""Values on their way in and out of a student's function: fresh arguments in, plain values out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograd_check.requests import Code, Seed
from autograd_check.verify.candidate import Opaque
from autograd_check.verify.tensors import faithful_clone, map_leaves

MAX_DEPTH = 24
MAX_VALUES = 20_000
MAX_TEXT = 10_000


class TooMuch(Exception):
    """A function returned more values than anybody could want to check."""


def fresh(argument: Any) -> Any:
    """A copy of an argument for one call: tensors cloned with their strides, `Seed` and `Code` made anew."""
    return faithful_clone(argument) if isinstance(argument, Tensor) else map_leaves(_fresh_leaf, argument)


def _fresh_leaf(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return faithful_clone(leaf)
    if isinstance(leaf, Seed):
        return torch.Generator().manual_seed(leaf.value)
    return evaluate(leaf) if isinstance(leaf, Code) else leaf


def evaluate(code: Code) -> Any:
    """The value of an expression that the grader wrote, with torch and math in scope."""
    scope: dict[str, Any] = {"torch": torch, "math": math}
    exec(code.setup, scope)
    return eval(code.expression, scope)


def plain(value: Any) -> Any:
    """A snapshot of a returned value: tensors detached and copied, containers rebuilt, everything else `Opaque`.

    Numpy's scalars and arrays without axes become python's numbers; other subclasses of int, float and str are `Opaque`, so that a value looks the same
    whether it crossed a process boundary or not.

    Raises:
        TooMuch: more than 20,000 values.
    """
    return _plain_tensor(value) if isinstance(value, Tensor) else _plain(value, 0, iter(range(MAX_VALUES)))


def _plain(value: Any, depth: int, budget: Iterator[int]) -> Any:
    if next(budget, None) is None:
        raise TooMuch(f"it returned more than {MAX_VALUES} values")
    if isinstance(value, Tensor):
        return _plain_tensor(value)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "biufc"):
        value = value.item()
    kind = type(value)
    if value is None or kind in (bool, float, complex):
        return value
    if kind is int:
        return value if value.bit_length() <= 256 else Opaque("a very large int")
    if kind is str:
        return value[:MAX_TEXT]
    if isinstance(value, (list, tuple, dict)) and depth >= MAX_DEPTH:
        return Opaque(f"a deeply nested {type_name(value)}")
    if isinstance(value, dict):
        return {str(key)[:200]: _plain(item, depth + 1, budget) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_plain(item, depth + 1, budget) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return Opaque(type_name(value))


def _plain_tensor(tensor: Tensor) -> Any:
    if tensor.layout is not torch.strided or not tensor.is_cpu:
        return Opaque(f"torch.Tensor on {tensor.device.type} with layout {tensor.layout}")
    if tensor.is_quantized:
        return Opaque("a quantized torch.Tensor")
    flat = tensor.detach() if tensor.requires_grad else tensor
    if type(flat) is not Tensor or flat.is_conj() or flat.is_neg():
        flat = flat.resolve_conj().resolve_neg().as_subclass(Tensor)
    return flat.clone() if flat.is_contiguous() else flat.contiguous()


def type_name(value: Any) -> str:
    """A type's name as its users write it: `function`, `numpy.ndarray`."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ in ("builtins", "lesson") else f"{kind.__module__}.{kind.__qualname__}"


def tensors_in(value: Any, name: str, depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a returned nest, each with its path; containers that hold themselves are left at some depth."""
    if isinstance(value, Tensor):
        yield name, value
    elif depth < MAX_DEPTH and isinstance(value, dict):
        for key, item in value.items():
            yield from tensors_in(item, f"{name}.{key}", depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from tensors_in(item, f"{name}[{position}]", depth + 1)
