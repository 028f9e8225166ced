"""Memory of tensors: faithful copies, bitwise comparison, and exact overlap of two views."""

from __future__ import annotations

import torch
from torch import Tensor

# Bound when this module loads, so that a student's later patch of torch's namespace does not reach them.
_equal = torch.equal
_isin = torch.isin


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
    source = tensor.detach()
    if source.is_contiguous() or source.numel() == 0:
        return source.clone(memory_format=torch.contiguous_format)
    source = source.resolve_conj().resolve_neg()
    span = source.as_strided((extent(source),), (1,), source.storage_offset()).clone()
    return span.as_strided(source.shape, source.stride(), 0)


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have equal shape, dtype and entries; NaN equals NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if _equal(one, other):
        return True
    if not (one.is_floating_point() or one.is_complex()):
        return False
    return _equal(one.isnan(), other.isnan()) and _equal(one.nan_to_num(), other.nan_to_num())


def share_memory(one: Tensor, other: Tensor) -> bool:
    """Whether some byte belongs to both tensors: exact, so that neighbouring columns of one array do not count."""
    if one.numel() == 0 or other.numel() == 0 or one.layout != torch.strided or other.layout != torch.strided:
        return False
    if one.untyped_storage().data_ptr() != other.untyped_storage().data_ptr():
        return False
    start, stop = _byte_range(one)
    other_start, other_stop = _byte_range(other)
    if stop <= other_start or other_stop <= start:
        return False
    dense = extent(one) <= one.numel() and extent(other) <= other.numel()
    return dense or bool(_isin(_bytes_of(one), _bytes_of(other)).any())


def _byte_range(tensor: Tensor) -> tuple[int, int]:
    start = int(tensor.storage_offset()) * tensor.element_size()
    return start, start + extent(tensor) * tensor.element_size()


def _bytes_of(tensor: Tensor) -> Tensor:
    """The offset in its storage of every byte of a tensor."""
    size = tensor.element_size()
    places = torch.arange(extent(tensor)).as_strided(tensor.shape, tensor.stride(), 0).reshape(-1)
    first: Tensor = (places + int(tensor.storage_offset())) * size
    return (first[:, None] + torch.arange(size)).reshape(-1)
