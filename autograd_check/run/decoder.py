"""Values read back from JSON and raw bytes, with everything checked before it is used.

A dtype is one of a list, a shape fits its bytes exactly, strides stay inside them. The grader reads replies of a process that
runs student code, so nothing here trusts its input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograd_check.errors import WireError
from autograd_check.requests import Code, Seed, StateAfter
from autograd_check.run.encoder import ALIGN, DTYPES
from autograd_check.verify.candidate import Opaque, Point

MAX_DEPTH = 40
MAX_DIMENSIONS = 64


class Decoder:
    """Reads values back: `table` and `payload` as they came, nothing about them believed.

    A `reply` may hold plain values only: no strides, and none of the records that stand for a request's arguments.
    """

    def __init__(self, table: Any, payload: bytearray, *, reply: bool = True) -> None:
        if not isinstance(table, list):
            raise WireError("expected a table of tensors in the message")
        self._table = table
        self._payload = payload
        self._forms: dict[int, Form] = {}
        self._made: dict[tuple[int, int], Tensor] = {}
        self._kinds: dict[str, Callable[[Any, int], Any]] = {
            "tuple": lambda body, depth: tuple(self._items(body, depth)),
            "dict": self._dict,
            "tensor": lambda body, _: self._tensor(body),
            "bytes": lambda body, _: self._bytes(body),
            "complex": lambda body, _: complex(*self._numbers(body)),
            "opaque": lambda body, _: Opaque(_text(body)),
        }
        self._reply = reply
        if not reply:
            self._kinds |= self._request_kinds()

    def _request_kinds(self) -> dict[str, Callable[[Any, int], Any]]:
        return {
            "seed": lambda body, _: Seed(_integer(body)),
            "code": lambda body, _: Code(*map(_text, _pair(body))),
            "point": lambda body, depth: Point(*(self.decode(part, depth + 1) for part in _pair(body))),
            "state_after": lambda body, depth: StateAfter(*(tuple(self._items(part, depth)) for part in _pair(body))),
        }

    def decode(self, body: Any, depth: int = 0) -> Any:
        """The value of some JSON.

        Raises:
            WireError: it is not what an `Encoder` writes.
        """
        if depth > MAX_DEPTH:
            raise WireError(f"expected at most {MAX_DEPTH} levels of nesting")
        if type(body) is dict:
            if len(body) == 1:
                ((kind, content),) = body.items()
                if kind in self._kinds:
                    return self._kinds[kind](content, depth)
            raise WireError("expected one known kind of value in the message")
        return [self.decode(item, depth + 1) for item in body] if type(body) is list else body

    def _items(self, body: Any, depth: int) -> list[Any]:
        if not isinstance(body, list):
            raise WireError("expected a list in the message")
        return [self.decode(item, depth + 1) for item in body]

    def _dict(self, body: Any, depth: int) -> dict[str, Any]:
        if not isinstance(body, list):
            raise WireError("expected a list of pairs in the message")
        return {_text(key): self.decode(item, depth + 1) for key, item in map(_pair, body)}

    def _numbers(self, body: Any) -> tuple[float, float]:
        parts = _pair(body)
        if not all(isinstance(part, (int, float)) for part in parts):
            raise WireError("expected two numbers in the message")
        return float(parts[0]), float(parts[1])

    def _entry(self, place: int) -> dict[str, Any]:
        if not 0 <= place < len(self._table) or not isinstance(self._table[place], dict):
            raise WireError("expected a reference into the message's table")
        entry: dict[str, Any] = self._table[place]
        return entry

    def _extent(self, entry: dict[str, Any]) -> tuple[int, int]:
        """Where the bytes of an entry begin, and how many there are."""
        offset, size = _integer(entry.get("offset")), _integer(entry.get("bytes"))
        if offset < 0 or size < 0 or offset % ALIGN or offset + size > len(self._payload):
            raise WireError("expected bytes inside the message")
        return offset, size

    def _bytes(self, reference: Any) -> bytes:
        offset, size = self._extent(self._entry(_reference(reference)[0]))
        return bytes(self._payload[offset : offset + size])

    def _tensor(self, reference: Any) -> Tensor:
        place, member = _reference(reference)
        made = self._made.get((place, member))
        if made is None:
            form = self._forms.get(place)
            if form is None:
                form = self._forms[place] = self._form(self._entry(place))
            made = self._made[place, member] = form.member(self._payload, member)
        return made

    def _form(self, entry: dict[str, Any]) -> Form:
        """The form of an entry's tensors, which fit its bytes exactly."""
        dtype = DTYPES.get(_text(entry.get("dtype")))
        shape = entry.get("shape")
        if dtype is None or not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
            raise WireError("expected a known dtype and a shape in the message")
        if any(_integer(size) < 0 for size in shape):
            raise WireError("expected sizes of at least 0 in the message")
        strides = None if self._reply else entry.get("strides")
        span = math.prod(shape) if strides is None else _span(shape, strides)
        offset, size = self._extent(entry)
        count = _integer(entry.get("count"))
        if size != count * span * dtype.itemsize:
            raise WireError(f"expected {span * dtype.itemsize} bytes for shape {tuple(shape)} in {dtype}, got {size} for {count}")
        return Form(dtype, shape, strides, span, offset, count)


@dataclass(frozen=True)
class Form:
    """What some tensors of a message have in common: dtype, shape, strides, the entries that each of them spans.

    The first of them begins at `offset`, and there are `count`.
    """

    dtype: torch.dtype
    shape: list[int]
    strides: list[int] | None
    span: int
    offset: int
    count: int

    def member(self, payload: bytearray, number: int) -> Tensor:
        """One of the tensors, in the memory of the message. Raises `WireError` where there are not so many."""
        if not 0 <= number < self.count:
            raise WireError("expected a reference into the message's table")
        if not self.span:
            return torch.empty(self.shape, dtype=self.dtype)
        # A byte that is neither 0 nor 1 is no bool; comparing makes it one.
        read = torch.uint8 if self.dtype is torch.bool else self.dtype
        offset = self.offset + number * self.span * self.dtype.itemsize
        flat = torch.frombuffer(payload, dtype=read, count=self.span, offset=offset)
        if self.dtype is torch.bool:
            flat = flat != 0
        return flat.view(self.shape) if self.strides is None else flat.as_strided(self.shape, self.strides)


def _reference(body: Any) -> tuple[int, int]:
    """The number of an entry in the table, and that of one of its members."""
    if not isinstance(body, list) or len(body) != 2 or type(body[0]) is not int or type(body[1]) is not int:
        raise WireError("expected a reference into the message's table")
    return body[0], body[1]


def _span(shape: list[int], strides: Any) -> int:
    """How many entries of memory a tensor with these strides reaches over."""
    if not isinstance(strides, list) or len(strides) != len(shape) or any(_integer(stride) < 0 for stride in strides):
        raise WireError("expected one stride of at least 0 for every axis in the message")
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) if math.prod(shape) else 0


def _text(body: Any) -> str:
    if not isinstance(body, str):
        raise WireError("expected text in the message")
    return body


def _integer(body: Any) -> int:
    if not isinstance(body, int) or isinstance(body, bool) or body.bit_length() > 62:
        raise WireError("expected an integer in the message")
    return body


def _pair(body: Any) -> list[Any]:
    if not isinstance(body, list) or len(body) != 2:
        raise WireError("expected a pair in the message")
    return body
