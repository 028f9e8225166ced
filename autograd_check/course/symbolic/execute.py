"""The mirror: a dispatch mode that runs an operation on real tensors and repeats it on an array of other numbers.

The array is kept for each *storage*, not for each tensor, so views (a transpose, a slice, a reshape) and writes into a part of
a tensor need no rules of their own. Branches (relu, max, clamp) follow the real values; what was assumed is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Array = np.ndarray[Any, np.dtype[np.object_]]
Rule = Callable[..., Any]


class Algebra(Protocol):
    """The numbers that are mirrored: constants and the functions that layers are made of, one entry at a time."""

    def constant(self, value: float) -> Any:
        """A python number as one of these."""
        ...

    def apply(self, function: str, value: Any) -> Any:
        """exp, log, log1p, expm1, sqrt, sin, cos, tanh, erf, sigmoid or softplus of one entry."""
        ...


class Unmirrored(Exception):
    """An operation for which there is neither a rule nor a decomposition; the text is its name."""


class Mirror(TorchDispatchMode):
    """While active, every operation that touches a mirrored tensor is mirrored as well."""

    def __init__(self, algebra: Algebra, rules: Mapping[str, Rule]) -> None:
        """Start with nothing mirrored."""
        super().__init__()  # type: ignore[no-untyped-call]  # torch's modes carry no types
        self.algebra = algebra
        self.assumptions: dict[str, None] = {}
        self._rules = rules
        self._cells: dict[int, Array] = {}
        self._alive: list[Tensor] = []

    def knows(self, value: Any) -> bool:
        """Whether a value is a tensor in mirrored storage."""
        return isinstance(value, Tensor) and value.untyped_storage()._cdata in self._cells

    def read(self, value: Any) -> Any:
        """The array behind a tensor (constants where it is not mirrored); a python number as one entry."""
        if not isinstance(value, Tensor):
            return self.algebra.constant(value)
        if self.knows(value):
            return self._cells[value.untyped_storage()._cdata][_places(value)]
        return _objects([self.algebra.constant(entry) for entry in value.reshape(-1).tolist()], tuple(value.shape))

    def write(self, tensor: Tensor, values: Any) -> None:
        """Set the array behind a tensor."""
        key = tensor.untyped_storage()._cdata
        if key not in self._cells:
            size = tensor.untyped_storage().nbytes() // tensor.element_size()
            whole = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage(), 0, (size,), (1,))
            self._cells[key] = self.read(whole)
            self._alive.append(tensor)
        self._cells[key][_places(tensor)] = np.broadcast_to(as_array(values), tuple(tensor.shape))

    def map(self, function: str, value: Any) -> Array:
        """One function of the algebra at every entry."""
        array = as_array(value)
        return _objects([self.algebra.apply(function, entry) for entry in array.reshape(-1)], array.shape)

    def assume(self, text: str) -> None:
        """Note what a branch took for granted."""
        self.assumptions[text] = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation; where a mirrored tensor takes part, repeat it on the arrays."""
        kwargs = kwargs or {}
        if not any(self.knows(leaf) for leaf in tree_leaves((args, kwargs))):
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        in_place = name.endswith("_") and not name.endswith("__")
        if any(ret.alias_info is not None and not ret.alias_info.is_write for ret in func._schema.returns):
            return func(*args, **kwargs)
        rule = self._rules.get(name.removesuffix("_") if in_place else name)
        if rule is None:
            return self._without_rule(func, name, args, kwargs)
        mirrored = rule(self, *args, **kwargs)  # before the real operation, which may write into an operand
        out = func(*args, **kwargs)
        outs = out if isinstance(out, (tuple, list)) else (out,)
        for tensor, values in zip(outs, mirrored if isinstance(mirrored, tuple) else (mirrored,), strict=False):
            if values is not None and isinstance(tensor, Tensor) and tensor.is_floating_point():
                self.write(tensor, values)
        return out

    def _without_rule(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        decomposition = torch._decomp.decomposition_table.get(func)
        with self:
            out = func.decompose(*args, **kwargs) if decomposition is None else decomposition(*args, **kwargs)
        if out is not NotImplemented:
            return out
        out = func(*args, **kwargs)
        outs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if all(not leaf.is_floating_point() or self.knows(leaf) for leaf in outs):
            return out  # integers and booleans are no numbers of the algebra; a view is mirrored already
        raise Unmirrored(name)


def as_array(value: Any) -> Array:
    """An entry as an array without axes; an array as it is."""
    if isinstance(value, np.ndarray):
        return value
    return _objects([value], ())


def _objects(entries: list[Any], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(entries), dtype=object)
    for position, entry in enumerate(entries):
        array[position] = entry
    return array.reshape(shape)


def _places(tensor: Tensor) -> Any:
    """Where in its storage each entry of a tensor lives."""
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    return torch.arange(size).as_strided(tensor.shape, tensor.stride(), tensor.storage_offset()).numpy()
