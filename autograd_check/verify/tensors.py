"""Tensors and nests of them: faithful copies, equality to the bit, and exact overlap of memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.tree import leaves, map_tensors

# Bound when this module loads, so that a student's later patch of torch's namespace does not reach them.
_arange = torch.arange
_eq = torch.eq
_equal = torch.equal
_isin = torch.isin
_logical_and = torch.logical_and
_logical_or = torch.logical_or
_ne = torch.ne
_view_as_real = torch.view_as_real


def extent(tensor: Tensor) -> int:
    """Number of elements from the first to the last one that a view reaches in its storage; 0 for an empty tensor."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))


def faithful_clone(tensor: Tensor) -> Tensor:
    """A copy in memory of its own with the same shape, strides and dtype, detached from any tape.

    `Tensor.clone` makes sliced and expanded views contiguous, and a probe that is non-contiguous on purpose would lose
    its point.
    """
    source = tensor.detach() if tensor.requires_grad else tensor
    if source.layout is not torch.strided or source.is_contiguous() or source.numel() == 0:
        return source.clone()
    source = source.resolve_conj().resolve_neg()
    span = source.as_strided((extent(source),), (1,), source.storage_offset()).clone()
    return span.as_strided(source.shape, source.stride(), 0)


def copied(value: Any) -> Any:
    """The same nest with a faithful clone of every tensor; other leaves stay."""
    return faithful_clone(value) if isinstance(value, Tensor) else map_tensors(faithful_clone, value)


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
