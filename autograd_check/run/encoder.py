"""Values as JSON and raw bytes: numbers, text, containers and tensors; never pickle, in either direction.

A value becomes JSON in which tensors and byte strings are references into a table: an entry says the form of some tensors, and
where the first of them begins; the others follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor

from autograd_check.errors import WireError
from autograd_check.requests import Code, Seed, StateAfter
from autograd_check.verify.candidate import Opaque, Point
from autograd_check.verify.tensors import extent

ALIGN = 16
"""Blobs begin at multiples of this, so that their entries can be used in place."""

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.complex128,
        torch.complex64,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    )
}
"""What may be sent, by name."""

NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Encoder:
    """Collects the bytes of a message while its values turn into JSON. A tensor that occurs often is sent once."""

    def __init__(self) -> None:
        self._members: dict[Hashable, list[bytes]] = {}
        self._forms: list[dict[str, Any]] = []
        self._numbers: dict[Hashable, int] = {}
        self._places: dict[int, list[int]] = {}
        self._alive: list[Tensor] = []

    def encode(self, value: Any) -> Any:
        """The JSON of a value.

        Raises:
            WireError: a value of another kind.
        """
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, list):
            return [self.encode(item) for item in value]
        if isinstance(value, tuple):
            return {"tuple": [self.encode(item) for item in value]}
        if isinstance(value, dict):
            return {"dict": [[key, self.encode(item)] for key, item in value.items()]}
        if isinstance(value, Tensor):
            return {"tensor": self._tensor(value)}
        if isinstance(value, bytes):
            return {"bytes": self._place(value, len(self._forms), dict)}
        return self._record(value)

    def _record(self, value: Any) -> Any:
        if isinstance(value, complex):
            return {"complex": [value.real, value.imag]}
        if isinstance(value, Opaque):
            return {"opaque": value.type_name}
        if isinstance(value, Seed):
            return {"seed": value.value}
        if isinstance(value, Code):
            return {"code": [value.expression, value.setup]}
        if isinstance(value, Point):
            return {"point": [self.encode(dict(value.primals)), self.encode(dict(value.hyper))]}
        if isinstance(value, StateAfter):
            return {"state_after": [[self.encode(point) for point in points] for points in (value.calls, value.others)]}
        raise WireError(f"expected a tensor, number, text or container to send, got {type(value).__name__}")

    def _tensor(self, tensor: Tensor) -> list[int]:
        place = self._places.get(id(tensor))
        if place is None:
            data, strides = _bytes_of(tensor)
            place = self._place(data, (tensor.dtype, tensor.shape, strides), lambda: _form(tensor, strides))
            self._places[id(tensor)] = place
            self._alive.append(tensor)  # its id must not be another's before the message is complete
        return place

    def _place(self, data: bytes, key: Hashable, form: Callable[[], dict[str, Any]]) -> list[int]:
        """Take bytes in; the number of their entry, and their own among those of one form."""
        members = self._members.get(key)
        if members is None:
            self._numbers[key] = len(self._forms)
            self._forms.append(form())
            members = self._members[key] = []
        members.append(data)
        return [self._numbers[key], len(members) - 1]

    def table(self) -> tuple[list[dict[str, Any]], list[bytes], int]:
        """Of everything that was encoded the table, the bytes one after another, and their number."""
        entries, pieces, offset = [], [], 0
        for form, members in zip(self._forms, self._members.values(), strict=True):
            size = len(members[0]) * len(members)
            entries.append({**form, "count": len(members), "offset": offset, "bytes": size})
            padding = -size % ALIGN
            pieces += [*members, bytes(padding)] if padding else members
            offset += size + padding
        return entries, pieces, offset


def _form(tensor: Tensor, strides: tuple[int, ...] | None) -> dict[str, Any]:
    return {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), **({} if strides is None else {"strides": strides})}


def _bytes_of(tensor: Tensor) -> tuple[bytes, tuple[int, ...] | None]:
    """The memory that a tensor spans and its strides; None for these where it is the entries alone, in order."""
    if tensor.dtype not in NAMES:
        raise WireError(f"expected a tensor of one of {', '.join(DTYPES)}; got {tensor.dtype}")
    tensor = tensor.detach().resolve_conj().resolve_neg()
    strides = None
    if not tensor.is_contiguous():
        reach = extent(tensor)
        if reach <= 4 * tensor.numel() + 64:
            strides = tuple(tensor.stride())
            tensor = tensor.as_strided((reach,), (1,))
        tensor = tensor.contiguous()
    if tensor.dtype is torch.bfloat16:  # numpy has none
        tensor = tensor.view(torch.int16)
    return tensor.numpy().tobytes(), strides
