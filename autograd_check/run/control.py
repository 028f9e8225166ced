"""What a grader says to its zygote: lines of JSON, descriptors that go with them, and bytes that follow them.

Requests are answered in order; some have no answer. Both ends trust each other: no student's process ever holds one.
"""

from __future__ import annotations

import json
import select
import socket
from collections import deque
from typing import Any

CHUNK = 1 << 16


def say(control: socket.socket, message: dict[str, Any], descriptors: tuple[int, ...] = (), payload: bytes = b"") -> None:
    """Send a message, its descriptors, and the bytes that it announces. Raises `OSError` where the other end is gone."""
    line = json.dumps(message).encode() + b"\n"
    if descriptors:
        socket.send_fds(control, [line], descriptors)
    else:
        control.sendall(line)
    if payload:
        control.sendall(payload)


class Hearing:
    """Reads what the other end says, which may come in any pieces."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._buffer = bytearray()
        self.descriptors: deque[int] = deque()

    def waiting(self, seconds: float) -> bool:
        """Whether something to read is there, or comes within so many seconds."""
        return bool(self._buffer) or bool(select.select([self._control], [], [], seconds)[0])

    def message(self) -> dict[str, Any]:
        """The next message; its descriptors are in `descriptors`. Raises `EOFError` where the other end has hung up."""
        while (end := self._buffer.find(b"\n")) < 0:
            self._read()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("expected a record")
        return message

    def exactly(self, size: int) -> bytes:
        """The bytes that a message has announced."""
        while len(self._buffer) < size:
            self._read()
        payload = bytes(self._buffer[:size])
        del self._buffer[:size]
        return payload

    def _read(self) -> None:
        piece, descriptors, _, _ = socket.recv_fds(self._control, CHUNK, 4)
        self.descriptors += descriptors
        if not piece:
            raise EOFError
        self._buffer += piece
