"""Values as JSON and raw bytes: numbers, text, containers and tensors; never pickle, in either direction.

A value becomes JSON in which tensors and byte strings are references into a table of blobs.
"""

from __future__ import annotations

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
    """Collects the blobs of a message while its values turn into JSON. A tensor that occurs often is sent once."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []
        self.table: list[dict[str, Any]] = []
        self._places: dict[int, int] = {}
        self._alive: list[Tensor] = []
        self._offset = 0

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
            return {"bytes": self._blob(value, {})}
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

    def _tensor(self, tensor: Tensor) -> int:
        place = self._places.get(id(tensor))
        if place is None:
            name = NAMES.get(tensor.dtype)
            if name is None:
                raise WireError(f"expected a tensor of one of {', '.join(DTYPES)}; got {tensor.dtype}")
            entry: dict[str, Any] = {"dtype": name, "shape": list(tensor.shape)}
            place = self._places[id(tensor)] = self._blob(_bytes_of(tensor.detach().resolve_conj().resolve_neg(), entry), entry)
            self._alive.append(tensor)  # its id must not be another's before the message is complete
        return place

    def _blob(self, data: bytes, entry: dict[str, Any]) -> int:
        size = len(data)
        self.table.append({**entry, "offset": self._offset, "bytes": size})
        padding = -size % ALIGN
        self.blobs += [data, bytes(padding)] if padding else [data]
        self._offset += size + padding
        return len(self.table) - 1

    @property
    def size(self) -> int:
        """Number of bytes of all blobs."""
        return self._offset


def _bytes_of(tensor: Tensor, entry: dict[str, Any]) -> bytes:
    """The memory that a tensor spans; in an `entry` without its strides the entries alone, in order."""
    if not tensor.is_contiguous():
        reach = extent(tensor)
        if reach <= 4 * tensor.numel() + 64:
            entry["strides"] = list(tensor.stride())
            tensor = tensor.as_strided((reach,), (1,))
        tensor = tensor.contiguous()
    if tensor.dtype is torch.bfloat16:  # numpy has none
        tensor = tensor.view(torch.int16)
    data: bytes = tensor.numpy().tobytes()
    return data
