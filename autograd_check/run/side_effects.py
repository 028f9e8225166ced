"""What a call did besides its value: arguments that it changed, results that share memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import CodeType
from typing import Any

import torch
from torch import Tensor

from autograd_check.run.marshal import tensors_in
from autograd_check.verify.tensors import equal_bits, extent, is_differentiable, leaves, named_leaves
from autograd_check.verify.trial import unpack

# Bound when this module loads, so that a student's later patch of torch's namespace does not reach them.
_arange = torch.arange
_isin = torch.isin

MOST_COMPARED = 200
"""So many results are looked at for shared memory; a network has fewer parameters."""


def argument_names(function: Callable[..., Any], count: int, keywords: Collection[str]) -> list[str]:
    """What a function calls its first `count` arguments; `args[k]` where it has no name of its own for one."""
    code = getattr(function, "__code__", None)
    own = code.co_varnames[: code.co_argcount] if isinstance(code, CodeType) else ()
    return [own[k] if k < len(own) and own[k] not in keywords else f"args[{k}]" for k in range(count)]


def changed_paths(name: str, original: Any, given: Any) -> list[str]:
    """Paths under an argument's name whose contents differ from the original; the name itself where items are gone."""
    if isinstance(original, Tensor):
        return [] if equal_bits(original, given) else [name]
    before, after = dict(named_leaves(original, name)), dict(named_leaves(given, name))
    if before.keys() != after.keys():
        return [name]
    return [path for path, leaf in before.items() if isinstance(leaf, Tensor) and not equal_bits(leaf, after[path])]


def gradient_overlaps(grads: Any, primals: Mapping[str, Any], wrt: Sequence[str] = ()) -> list[str]:
    """Gradients that share memory with one another or with a primal. One that is `dout` itself is allowed.

    They are named after the primals in `wrt`, by default the differentiable ones; by number where they do not fit.
    """
    items = list(grads) if isinstance(grads, (tuple, list)) else [grads]
    if not wrt:
        wrt = [name for name, value in primals.items() if any(map(is_differentiable, leaves(value)))][: len(items)]
    unpacked = unpack(grads, tuple(wrt))
    if unpacked is None:
        named = [(f"gradient {place}", item) for place, item in enumerate(items)]
    else:
        named = [(subject, gradient.value) for subject, gradient in unpacked.items()]
    results = [pair for name, item in named for pair in tensors_in(item, name)]
    return overlaps(results, [pair for name, value in primals.items() for pair in tensors_in(value, name)])


def overlaps(results: list[tuple[str, Tensor]], arguments: list[tuple[str, Tensor]]) -> list[str]:
    """Sentences about results that share memory with arguments or with one another."""
    found = []
    known = [(name, tensor, *byte_range(tensor)) for name, tensor in arguments]
    for name, result in results[:MOST_COMPARED]:
        start, stop = byte_range(result)
        for other, tensor, first, last in known:
            if start < last and first < stop and share_memory(result, tensor):
                found.append(f"{name} shares memory with {other}")
        known.append((name, result, start, stop))
    return found


def share_memory(one: Tensor, other: Tensor) -> bool:
    """Whether some byte belongs to both tensors: exact, so that neighbouring columns of one array do not count."""
    (start, stop), (other_start, other_stop) = byte_range(one), byte_range(other)
    if stop <= other_start or other_stop <= start or one.device != other.device:
        return False
    return (_is_dense(one) and _is_dense(other)) or bool(_isin(_bytes_of(one), _bytes_of(other)).any())


def byte_range(tensor: Tensor) -> tuple[int, int]:
    """Addresses of a tensor's first byte and of the one after its last; the same where it is empty or has no strides."""
    if tensor.layout is not torch.strided:
        return 0, 0
    start = int(tensor.data_ptr())
    count = tensor.numel() if tensor.is_contiguous() else extent(tensor)
    return start, start + count * tensor.element_size()


def _is_dense(tensor: Tensor) -> bool:
    """Whether a tensor has every byte between its first and its last one."""
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride != expected:
                return False
            expected *= size
    return True


def _bytes_of(tensor: Tensor) -> Tensor:
    """The address of every byte of a tensor."""
    size = tensor.element_size()
    places = _arange(extent(tensor)).as_strided(tensor.shape, tensor.stride(), 0).reshape(-1)
    first: Tensor = places * size + int(tensor.data_ptr())
    return (first[:, None] + _arange(size)).reshape(-1)
