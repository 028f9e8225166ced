"""Tensors and nests of them: leaves, faithful copies, equality to the bit, overlap of memory, sizes, and comparison entry by entry."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import mul
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor, peek_interpreter_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode

from autograd_check.verify.finding import Mismatch

# Bound when this module loads, so that a student's later patch of torch's namespace does not reach them.
_eq = torch.eq
_equal = torch.equal
_logical_and = torch.logical_and
_logical_or = torch.logical_or
_ne = torch.ne
_view_as_real = torch.view_as_real


def equal_bits(one: Any, other: Any) -> bool:
    """Whether two nests have the same leaves in order: tensors of equal shape, dtype and entries, equal numbers.

    NaN equals NaN at the same place and nothing else (in a complex number each part for itself); zero equals negative zero.
    Of leaves that are neither tensors nor numbers only the type is compared.
    """
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return _equal_tensors(one, other)
    mine, others = leaves(one), leaves(other)
    return len(mine) == len(others) and all(map(_equal_leaves, mine, others))


def _equal_leaves(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return _equal_tensors(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, complex):
        return _equal_leaves(one.real, other.real) and _equal_leaves(one.imag, other.imag)
    return not isinstance(one, (int, float)) or bool(one == other or (one != one and other != other))


def _equal_tensors(one: Tensor, other: Tensor) -> bool:
    if one.dtype is not other.dtype or one.layout is not other.layout:
        return False
    if one.layout is not torch.strided:
        one, other = one.to_dense(), other.to_dense()
    if _equal(one, other):
        return True
    if one.shape != other.shape or not (one.is_floating_point() or one.is_complex()):
        return False
    if one.is_complex():
        one, other = _view_as_real(one.resolve_conj()), _view_as_real(other.resolve_conj())
    return bool(_logical_or(_eq(one, other), _logical_and(_ne(one, one), _ne(other, other))).all())


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor."""
    return isinstance(value, Tensor)


def is_differentiable(value: Any) -> bool:
    """Whether a value is a floating-point or complex tensor, so that it can carry a gradient."""
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


LOW = (torch.float32, torch.float16, torch.bfloat16, torch.complex64)


def is_single(leaf: Any) -> bool:
    """Whether a leaf is a floating-point tensor below float64."""
    return isinstance(leaf, Tensor) and leaf.dtype in LOW


ROOM = 2**12
"""A view keeps its place in a storage of at most this many entries, or of four times its own; a slice of a large array is copied alone."""


def extent(tensor: Tensor) -> int:
    """Number of elements from the first to the last one that a view reaches in its storage; 0 for an empty tensor."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))


def lasting() -> bool:
    """Whether a tensor that is made now serves later calls as well: no mode (of dispatch, inference or functorch) takes part in it."""
    return not torch.is_inference_mode_enabled() and _get_current_dispatch_mode() is None and peek_interpreter_stack() is None


def has_room(tensor: Tensor) -> bool:
    """Whether a tensor is a view into a storage that holds more, to which `as_strided` could reach."""
    if tensor.layout is not torch.strided or is_functorch_wrapped_tensor(tensor):
        return False
    held, itemsize = tensor.untyped_storage().nbytes(), tensor.itemsize
    dense = tensor.numel() * itemsize
    return bool(dense < held != extent(tensor) * itemsize and held <= max(4 * dense, ROOM * itemsize))


def faithful_clone(tensor: Tensor) -> Tensor:
    """A copy in memory of its own with the same shape, strides and dtype, detached from any tape.

    `Tensor.clone` makes sliced and expanded views contiguous, and a probe that is non-contiguous on purpose would lose
    its point. A view into a larger storage (`has_room`) keeps its surroundings, which `as_strided` can see.
    """
    source = tensor.detach() if tensor.requires_grad else tensor
    if source.layout is not torch.strided or source.numel() == 0:
        return source.clone()
    contiguous = source.is_contiguous()
    if contiguous and (is_functorch_wrapped_tensor(source) or source.untyped_storage().nbytes() == source.nbytes):
        return source.clone()
    if has_room(source):
        source = source.resolve_conj().resolve_neg()
        held = source.untyped_storage().nbytes() // source.itemsize
        everything = source.as_strided((held,), (1,), 0).clone()
        return everything.as_strided(source.shape, source.stride(), source.storage_offset())
    if contiguous:
        return source.clone()
    source = source.resolve_conj().resolve_neg()
    span = source.as_strided((extent(source),), (1,), source.storage_offset()).clone()
    return span.as_strided(source.shape, source.stride(), 0)


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


NESTS = (dict, list, tuple)


def leaves(value: Any) -> list[Any]:
    """All leaves, in order."""
    if isinstance(value, Tensor) or not isinstance(value, NESTS):
        return [value]
    found: list[Any] = []
    for item in value.values() if isinstance(value, dict) else value:
        found += leaves(item) if isinstance(item, NESTS) else (item,)
    return found


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """The same nest with `function` applied to every leaf; a named tuple keeps its names."""
    if isinstance(value, Tensor) or not isinstance(value, NESTS):
        return function(value)
    if isinstance(value, dict):
        return {key: map_leaves(function, item) for key, item in value.items()}
    items = [map_leaves(function, item) if isinstance(item, NESTS) else function(item) for item in value]
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items) if isinstance(value, tuple) else items


def refilled(nest: Any, values: Iterable[Any]) -> Any:
    """The same nest with these leaves, in order."""
    each = iter(values)
    if isinstance(nest, Tensor):
        return next(each)
    return map_leaves(lambda _: next(each), nest)


def replaced(nest: Any, place: int, leaf: Any) -> Any:
    """The same nest with another leaf at one place."""
    if isinstance(nest, Tensor):
        return leaf
    return refilled(nest, [leaf if n == place else old for n, old in enumerate(leaves(nest))])


def map_tensors(function: Callable[[Tensor], Any], value: Any) -> Any:
    """The same nest with `function` applied to every tensor; other leaves stay, unless they have a `map_tensors` of their own."""

    def mapped(leaf: Any) -> Any:
        return function(leaf) if is_tensor(leaf) else leaf.map_tensors(function) if hasattr(leaf, "map_tensors") else leaf

    return map_leaves(mapped, value)


def copied(value: Any) -> Any:
    """The same nest with a faithful clone of every tensor; other leaves stay."""
    return faithful_clone(value) if isinstance(value, Tensor) else map_tensors(faithful_clone, value)


def same_structure(one: Any, other: Any) -> bool:
    """Whether two nests have leaves in the same places (a list may stand for a tuple)."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_structure(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same_structure, one, other))
    return not isinstance(one, NESTS) and not isinstance(other, NESTS)


def as_tensors(value: Any) -> Any:
    """The same nest with python numbers as 0-d tensors: a loss may end in `.item()`, which breaks a convention and no gradient."""
    if isinstance(value, Tensor):
        return value
    return map_leaves(
        lambda leaf: torch.tensor(leaf, dtype=torch.float64, device="cpu") if type(leaf) in (int, float) else leaf, value
    )


def non_contiguous(tensor: Tensor) -> Tensor:
    """The same entries in other memory: axes stored in reverse order, or every second entry of a longer buffer.

    A tensor with fewer than two entries has no other layout and stays as it is.
    """
    if tensor.numel() < 2:
        return tensor
    backwards = tuple(reversed(range(tensor.dim())))
    turned = tensor.permute(backwards).contiguous().permute(backwards)
    return torch.stack([tensor, tensor], -1)[..., 0] if turned.is_contiguous() else turned


FEW = 64
"""Up to this many entries python's own numbers are added up, compared and multiplied."""
SQUARES = 1e-140, 1e140
"""Between these two, squares of float64 keep all their digits."""


def natural_size(out: Any, dout: Any, primal: Any) -> float:
    """‖out‖·max|dout| / rms(x): the gradient of a function that changes by its own size when x does.

    A few roundings of this are all that is left of a gradient that cancels (a bias before a normalisation).
    """
    pairs = zip(leaves(out), leaves(dout), strict=False)
    effect = sum(norm(o) * largest(d) for o, d in pairs if is_differentiable(o) and is_tensor(d))
    sizes = [norm(x) / math.sqrt(x.numel()) for x in leaves(primal) if is_differentiable(x) and x.numel()]
    return effect / (min(sizes, default=0.0) or 1.0)


def few_numbers(tensor: Tensor) -> list[float] | None:
    """The entries in order, where these are few and real: python adds up so many in less time than torch looks at its arguments."""
    return None if tensor.numel() > FEW or tensor.is_complex() else numbers(tensor)


def numbers(tensor: Tensor) -> list[float]:
    """The entries in order, of complex ones the real parts."""
    real = tensor.real if tensor.is_complex() else tensor
    found: list[float] = (real if real.dim() == 1 else real.reshape(-1)).tolist()
    return found


def norm(tensor: Tensor) -> float:
    """The euclidean norm of what is finite; squares that over- or underflow do not lose it."""
    tensor, few = tensor.detach(), few_numbers(tensor)
    size = float(torch.linalg.vector_norm(tensor)) if few is None else math.hypot(*few)
    if SQUARES[0] < size < SQUARES[1] or (few is not None and size < math.inf):
        return size
    finite = torch.nan_to_num(tensor, 0.0, 0.0, 0.0)
    most = largest(finite)
    return most * float(torch.linalg.vector_norm(finite / most)) if most else 0.0


def paired(one: Tensor, other: Tensor) -> tuple[float, float]:
    """Re ⟨one, other⟩ and ‖one·other‖₂ for two tensors of one shape."""
    some, others = few_numbers(one), few_numbers(other)
    if some is not None and others is not None and one.shape == other.shape:
        few = list(map(mul, some, others))
        size = math.hypot(*few)
        if size < math.inf:
            return sum(few), size
    products = ((one.conj() * other).real if one.is_complex() or other.is_complex() else one * other).to(torch.float64)
    return float(products.sum()), norm(products)


def largest(tensor: Tensor) -> float:
    """The largest |entry|, nan where one is nan; 0 for an empty tensor."""
    few = few_numbers(tensor)
    if few is None:
        return float(torch.linalg.vector_norm(tensor.detach(), math.inf)) if tensor.numel() else 0.0
    return math.nan if any(map(math.isnan, few)) else max(map(abs, few), default=0.0)


def compare(got: Tensor, expected: Tensor, tolerance: Tensor | float) -> Mismatch | None:
    """The mismatch of two arrays of one shape, or None where |got − expected| ≤ tolerance everywhere.

    Equal infinities are equal, and so are two nans; any other non-finite entry differs. Raises `ValueError` where the
    shapes differ: nothing is broadcast here.
    """
    if got.shape != expected.shape:
        raise ValueError(f"compare needs one shape, got {tuple(got.shape)} and {tuple(expected.shape)}")
    if got.numel() == 0:
        return None
    got = got.to(expected.dtype) if got.dtype is torch.bool else got  # torch does not subtract a bool
    error = (got - expected).abs()
    right = error <= tolerance
    if bool(right.all()):
        return None
    right |= (got == expected) | (torch.isnan(got) & torch.isnan(expected))
    if bool(right.all()):
        return None
    badness = torch.where(right, -1.0, torch.nan_to_num(error, nan=torch.inf, posinf=torch.inf).to(torch.float64))
    flat = int(badness.argmax())
    index = tuple(int(i) for i in np.unravel_index(flat, got.shape))  # torch's would import sympy
    mine, right_value = got[index].item(), expected[index].item()
    size = abs(right_value) if right_value == right_value else 0.0
    difference = float(badness.reshape(-1)[flat])
    relative = difference / size if size else float("inf")
    return Mismatch(int((~right).sum()), got.numel(), index, mine, right_value, relative)


def mismatch_text(mismatch: Mismatch) -> str:
    """`12 of 12 entries differ, worst at [1, 2]: yours 0.2058, expected 0.8231`."""
    entries = "entry differs" if mismatch.total == 1 else "entries differ"
    where = f", worst at {list(mismatch.index)}" if mismatch.index else ""
    got, expected = number_pair(mismatch.got, mismatch.expected)
    return f"{mismatch.wrong} of {mismatch.total} {entries}{where}: yours {got}, expected {expected}"


def number_pair(got: float | complex, expected: float | complex) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see them differ, and one more; at least four."""
    size, error = abs(expected) or abs(got), abs(got - expected)
    # logarithms apart: the quotient of a number and a subnormal one is infinite
    seen = math.ceil(math.log10(size) - math.log10(error)) + 1 if 0 < error < math.inf and 0 < size < math.inf else 4
    for digits in range(max(4, seen), 18):
        pair = f"{got:.{digits}g}", f"{expected:.{digits}g}"
        if pair[0] != pair[1]:
            return pair
    return repr(got), repr(expected)
