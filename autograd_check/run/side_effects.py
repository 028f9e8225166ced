"""What a call did besides its value: arguments that it changed, results that share memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import CodeType
from typing import Any

from torch import Tensor

from autograd_check.run.marshal import tensors_in
from autograd_check.verify.tensors import byte_range, equal_bits, is_differentiable, leaves, named_leaves, share_memory
from autograd_check.verify.trial import unpack

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
