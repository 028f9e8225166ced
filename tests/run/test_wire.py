"""Frames and their values: whatever is not exactly what an encoder writes is refused."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_check.errors import WireError
from autograd_check.requests import Code, Seed
from autograd_check.run.decoder import Decoder
from autograd_check.run.encoder import Encoder
from autograd_check.run.wire import REPLY, REQUEST, Limits, TooLarge, receive, send
from autograd_check.verify.candidate import Opaque, Point


def through(message: Any, limits: Any = REQUEST) -> Any:
    one, other = socket.socketpair()
    with one, other:
        send(one, message, limits)
        return receive(other, limits)


def raw(data: Any) -> Any:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(data)
        one.shutdown(socket.SHUT_WR)
        return receive(other, REPLY)


def frame(table: Any, body: Any, payload: Any = b"") -> Any:
    header = json.dumps({"table": table, "body": body}).encode()
    return struct.pack("<4sIQ", b"AGC1", len(header), len(payload)) + header + payload


def entry(**changed: Any) -> Any:
    return {"dtype": "float64", "shape": [2], "count": 1, "offset": 0, "bytes": 16, **changed}


def test_records_of_a_request() -> None:
    message = {"a": Seed(3), "b": Code("f", "def f(): pass"), "c": Opaque("set"), "d": [1, (2.5, None)], "e": b"xy", "f": 1 - 2j}
    assert through(message) == message


def test_a_point_and_a_shared_tensor_sent_once() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    encoder = Encoder()
    encoder.encode([Point({"x": x}, {"k": (1, 2)}), Point({"x": x})])
    table, _, size = encoder.table()
    assert (len(table), size) == (1, 32)
    back = through(Point({"x": x.T}, {"k": (1, 2)}))
    assert torch.equal(back.primals["x"], x.T)
    assert back.primals["x"].stride() == (1, 3)
    assert back.hyper == {"k": (1, 2)}


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=20,
    )
)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert through(value, REPLY) == value


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_end(data: Any) -> None:
    with pytest.raises((WireError, EOFError)):
        raw(data)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3) | st.sampled_from(["tensor", "tuple", "dict", "point", "bytes"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["tensor", "tuple", "dict", "bytes", "complex", "opaque", "seed", "shape", "offset"]),
                inner,
                max_size=2,
            )
        ),
        max_leaves=8,
    ),
    st.lists(
        st.fixed_dictionaries(
            {
                "dtype": st.sampled_from(["float64", "bool", "object", 3]),
                "shape": st.lists(st.integers(-2, 3), max_size=3) | st.integers(),
                "count": st.integers(-2, 3),
                "offset": st.integers(-16, 64),
                "bytes": st.integers(-8, 64),
            }
        ),
        max_size=2,
    ),
)
def test_any_json_is_a_value_or_refused(body: Any, table: Any) -> None:
    # Anything but a value or a WireError fails the test.
    with contextlib.suppress(WireError):
        Decoder(table, bytearray(48)).decode(body)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([entry(dtype="object")], "expected a known dtype and a shape"),
        ([entry(shape=[3])], r"expected 24 bytes for shape \(3,\) in torch.float64, got 16 for 1"),
        ([entry(count=2)], r"expected 16 bytes for shape \(2,\) in torch.float64, got 16 for 2"),
        ([entry(count=-1)], "expected 16 bytes"),
        ([entry(count=0, bytes=0)], "expected a reference into the message's table"),
        ([entry(count=None)], "expected an integer"),
        ([entry(shape=[-1])], "expected sizes of at least 0"),
        ([entry(shape=[1 << 40, 1 << 40])], "bytes for shape"),
        ([entry(shape=[True])], "expected an integer"),
        ([entry(offset=16)], "expected bytes inside the message"),
        ([entry(offset=-16)], "expected bytes inside the message"),
        ([entry(bytes=1 << 70)], "expected an integer"),
        ([entry(shape=[1] * 65)], "expected a known dtype and a shape"),
        ([], "expected a reference into the message's table"),
        ({}, "expected a table of tensors"),
    ],
)
def test_tensors_that_do_not_fit_their_bytes(table: Any, message: Any) -> None:
    with pytest.raises(WireError, match=message):
        raw(frame(table, {"tensor": [0, 0]}, bytes(16)))


def test_a_reply_has_no_strides_and_no_records_of_requests() -> None:
    data = frame([entry(shape=[1], strides=[1 << 40], bytes=8)], {"tensor": [0, 0]}, bytes(16))
    assert raw(data).stride() == (1,)
    bodies: tuple[Any, ...] = (
        {"seed": 1},
        {"code": ["1", ""]},
        {"point": [{"dict": []}, {"dict": []}]},
        {"pickle": "x"},
        {"tuple": [], "dict": []},
    )
    for body in bodies:
        with pytest.raises(WireError, match="expected one known kind of value"):
            raw(frame([], body))


def test_bytes_that_are_no_bool_become_one() -> None:
    data = frame(
        [{"dtype": "bool", "shape": [2], "count": 1, "offset": 0, "bytes": 2}], {"tensor": [0, 0]}, b"\x07\x00" + bytes(14)
    )
    assert raw(data).view(torch.uint8).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"passed: 10 of 10" + bytes(40), "expected a frame, got other bytes"),
        (struct.pack("<4sIQ", b"AGC1", 1 << 20, 0), "expected at most 262144 bytes of header"),
        (struct.pack("<4sIQ", b"AGC1", 10, 1 << 40), "67108864 bytes of tensors, got 10 and 1099511627776"),
        (struct.pack("<4sIQ", b"AGC1", 3, 0) + b"{,}", "expected a header in JSON"),
        (struct.pack("<4sIQ", b"AGC1", 9000, 0) + b"1" * 9000, "expected a header in JSON"),
        (struct.pack("<4sIQ", b"AGC1", 90_000, 0) + b"[" * 90_000, "expected a header in JSON"),
        (struct.pack("<4sIQ", b"AGC1", 2, 0) + b"{}", "expected a header with a table and a body"),
    ],
)
def test_bytes_that_are_no_frame(data: Any, message: Any) -> None:
    with pytest.raises(WireError, match=message):
        raw(data)


def test_nesting_without_end() -> None:
    with pytest.raises(WireError, match="expected at most 40 levels"):
        raw(frame([], json.loads("[" * 50 + "]" * 50)))


def test_limits_hold_when_sending() -> None:
    one, other = socket.socketpair()
    with one, other:
        with pytest.raises(TooLarge, match="expected a header of at most 100 bytes"):
            send(one, "x" * 200, Limits(100, 100, reply=True))
        with pytest.raises(TooLarge, match="expected at most 100 bytes of tensors, got 800"):
            send(one, torch.zeros(100, dtype=torch.float64), Limits(1000, 100, reply=True))
        with pytest.raises(WireError, match="to send, got set"):
            send(one, {1}, REPLY)
        with pytest.raises(WireError, match="expected a tensor of one of float64"):
            send(one, torch.zeros(1, dtype=torch.float8_e4m3fn), REPLY)


def test_silence_ends_when_no_time_is_left() -> None:
    left = iter([0.01, 0.01, 0.0])
    one, other = socket.socketpair()
    with one, other, pytest.raises(TimeoutError):
        receive(other, REPLY, lambda: next(left))
    assert list(left) == []


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 3), max_size=3),
    st.lists(st.sampled_from(["expand", "transpose", "slice", "clone", "row"]), max_size=3),
    st.sampled_from([torch.float64, torch.float32, torch.bool, torch.int64, torch.complex128, torch.bfloat16]),
)
def test_a_view_of_any_kind_arrives_with_its_entries(shape: list[int], turns: list[str], dtype: torch.dtype) -> None:
    tensor = torch.arange(math.prod(shape), dtype=torch.float64).reshape(shape).to(dtype)
    for turn in turns:
        if turn == "expand":
            tensor = tensor[None].expand(2, *tensor.shape) if tensor.dim() % 2 else tensor[..., None].expand(*tensor.shape, 1)
        elif turn == "clone":
            tensor = tensor.clone()
        elif tensor.dim():
            tensor = {"transpose": tensor.transpose(0, -1), "slice": tensor[::2], "row": tensor[-1:]}[turn]
    (got,) = through([tensor])
    assert got.dtype is tensor.dtype
    assert torch.equal(got, tensor)
    assert got.stride() == tensor.stride() or tensor.is_contiguous() or tensor.numel() <= 1


def test_one_entry_with_a_stride_of_0_arrives() -> None:
    (got,) = through([torch.ones((), dtype=torch.float64).expand(1)])
    assert torch.equal(got, torch.ones(1, dtype=torch.float64))
