"""Nested values (a network's parameters): their leaves, and a name for each leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor."""
    return isinstance(value, Tensor)


def is_differentiable(value: Any) -> bool:
    """Whether a value is a floating-point or complex tensor, so that it can carry a gradient."""
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def named_leaves(value: Any, name: str, part_names: Sequence[str] = ()) -> Iterator[tuple[str, Any]]:
    """Leaves of nested lists, tuples and dicts, each with its path.

    A list item is `name[2]`; an item of a tuple inside a list is `name[2].w` where `part_names` names the tuple's parts,
    else `name[2][0]`; a dict item is `name.key`.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from named_leaves(item, f"{name}.{key}", part_names)
    elif isinstance(value, tuple) and part_names and len(value) == len(part_names):
        for part, item in zip(part_names, value, strict=True):
            yield from named_leaves(item, f"{name}.{part}", part_names)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from named_leaves(item, f"{name}[{position}]", part_names)
    else:
        yield name, value


def leaves(value: Any) -> list[Any]:
    """All leaves, in order."""
    if isinstance(value, Tensor):
        return [value]
    if not isinstance(value, (dict, list, tuple)):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    return [leaf for item in items for leaf in leaves(item)]


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """The same nest with `function` applied to every leaf; a named tuple keeps its names."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        return {key: map_leaves(function, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [map_leaves(function, item) for item in value]
        if hasattr(value, "_fields"):
            return type(value)(*items)
        return tuple(items) if isinstance(value, tuple) else items
    return function(value)


def map_tensors(function: Callable[[Tensor], Any], value: Any) -> Any:
    """The same nest with `function` applied to every tensor; other leaves stay."""
    return map_leaves(lambda leaf: function(leaf) if is_tensor(leaf) else leaf, value)


def same_structure(one: Any, other: Any) -> bool:
    """Whether two nests have leaves in the same places (a list may stand for a tuple)."""
    if isinstance(one, dict) or isinstance(other, dict):
        return (
            isinstance(one, dict)
            and isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same_structure(one[key], other[key]) for key in one)
        )
    if isinstance(one, (list, tuple)) or isinstance(other, (list, tuple)):
        return (
            isinstance(one, (list, tuple))
            and isinstance(other, (list, tuple))
            and len(one) == len(other)
            and all(same_structure(a, b) for a, b in zip(one, other, strict=True))
        )
    return True


def as_tensors(value: Any) -> Any:
    """The same nest with python numbers as 0-d tensors: a loss may end in `.item()`, which breaks a convention and no gradient."""
    return map_leaves(lambda leaf: torch.tensor(leaf, dtype=torch.float64) if type(leaf) in (int, float) else leaf, value)
