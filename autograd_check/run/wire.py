"""Frames between the grader and a process that runs student code.

One frame is `AGC1`, the length of a JSON header (4 bytes), the length of its blobs (8 bytes), the header, the blobs.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autograd_check.errors import WireError
from autograd_check.run.decoder import Decoder
from autograd_check.run.encoder import Encoder

PREFIX = struct.Struct("<4sIQ")
MAGIC = b"AGC1"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Limits:
    """How large a frame's JSON header and its blobs may be, in bytes, and whether it is a reply (plain values only)."""

    header: int
    blobs: int
    reply: bool


REPLY = Limits(header=256 << 10, blobs=64 << 20, reply=True)
"""What a process that runs student code may send."""

REQUEST = Limits(header=64 << 20, blobs=1 << 30, reply=False)
"""What the grader may send to it."""


class TooLarge(WireError):
    """A message is larger than its limits."""


def pack(message: Any, limits: Limits) -> list[bytes]:
    """A message as the pieces of one frame.

    Raises:
        TooLarge: header or blobs over the limits.
        WireError: it holds a value that is not for sending.
    """
    encoder = Encoder()
    body = encoder.encode(message)
    table, pieces, size = encoder.table()
    header = json.dumps({"table": table, "body": body}, separators=(",", ":")).encode()
    if len(header) > limits.header:
        raise TooLarge(f"expected a header of at most {limits.header} bytes, got {len(header)}")
    if size > limits.blobs:
        raise TooLarge(f"expected at most {limits.blobs} bytes of tensors, got {size}")
    return [PREFIX.pack(MAGIC, len(header), size), header, *pieces]


def send(channel: socket.socket, message: Any, limits: Limits) -> None:
    """Pack and send; see `pack` for what it raises, and `OSError` where the other end is gone or does not read."""
    channel.sendall(b"".join(pack(message, limits)))


def receive(channel: socket.socket, limits: Limits, left: Callable[[], float] | None = None) -> Any:
    """The next message. `left` tells for how many seconds to wait before it is asked again; 0 when there are none left.

    Raises:
        EOFError: the other end is closed.
        TimeoutError: nothing is `left`.
        WireError: what came is no frame, or too large.
    """
    sizes = _sizes(_exactly(channel, PREFIX.size, left), limits)
    header, payload = (_exactly(channel, size, left) for size in sizes)
    return _content(header, payload, limits)


def unpack(frame: bytes, limits: Limits) -> Any:
    """The message of one whole frame. Raises `WireError` where it is none."""
    header_size, _ = _sizes(frame[: PREFIX.size], limits)
    end = PREFIX.size + header_size
    return _content(bytearray(frame[PREFIX.size : end]), bytearray(frame[end:]), limits)


def _sizes(prefix: bytes | bytearray, limits: Limits) -> tuple[int, int]:
    """How many bytes of header and of tensors a frame has."""
    magic, header_size, blob_size = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise WireError("expected a frame, got other bytes")
    if header_size > limits.header or blob_size > limits.blobs:
        raise TooLarge(
            f"expected at most {limits.header} bytes of header and {limits.blobs} bytes of tensors, "
            f"got {header_size} and {blob_size}"
        )
    return header_size, blob_size


def _content(header: bytearray, payload: bytearray, limits: Limits) -> Any:
    try:
        content = json.loads(header.decode())
    except (ValueError, RecursionError) as error:
        raise WireError("expected a header in JSON") from error
    if not isinstance(content, dict) or content.keys() != {"table", "body"}:
        raise WireError("expected a header with a table and a body")
    return Decoder(content["table"], payload, reply=limits.reply).decode(content["body"])


def _exactly(channel: socket.socket, size: int, left: Callable[[], float] | None) -> bytearray:
    # Grown as bytes arrive: a prefix that promises 64 MiB costs nothing until they come.
    buffer = bytearray()
    while len(buffer) < size:
        if left is not None:
            seconds = left()
            if not seconds:
                raise TimeoutError
            channel.settimeout(seconds)
        try:
            piece = channel.recv(min(CHUNK, size - len(buffer)))
        except TimeoutError:
            continue  # whether that was too long is for `left` to say
        if not piece:
            raise EOFError
        buffer += piece
    return buffer
