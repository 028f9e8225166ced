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
        self.blobs: list[bytes | memoryview] = []
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
        if id(tensor) not in self._places:
            name = NAMES.get(tensor.dtype)
            if name is None:
                raise WireError(f"expected a tensor of one of {', '.join(DTYPES)}; got {tensor.dtype}")
            source = tensor.detach().resolve_conj().resolve_neg()
            reach = extent(source)
            if reach > 4 * source.numel() + 64:
                source, reach = source.contiguous(), source.numel()
            entry: dict[str, Any] = {"dtype": name, "shape": list(source.shape)}
            # as_strided, not view: an axis of one entry may have any stride, 0 for one, and torch then refuses to look at its bytes
            span = source.as_strided((reach,), (1,)).contiguous()
            if not source.is_contiguous():
                entry["strides"] = list(source.stride())
            data = memoryview(span.view(torch.uint8).numpy().data) if span.numel() else b""
            self._places[id(tensor)] = self._blob(data, entry)
            # Both stay alive until the message is sent: the id must not be reused, the memory not freed.
            self._alive += [tensor, span]
        return self._places[id(tensor)]

    def _blob(self, data: bytes | memoryview, entry: dict[str, Any]) -> int:
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
