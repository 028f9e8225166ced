"""A program in a real pseudo-terminal, and the screen that a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pyte

HARD_LIMIT = 60.0
"""Against hanging only: nothing is judged by how long it takes."""


class PseudoTerminal:
    """`autograd-check ARGUMENTS` in `folder`; use it as a context manager.

    `program` is the one that is installed somewhere; without it this checkout runs.
    """

    def __init__(
        self, arguments: Sequence[str], folder: Path, columns: int = 80, lines: int = 24, program: Path | None = None
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        code = "import sys; from autograd_check.cli.app import main; sys.argv[0] = 'autograd-check'; main()"
        hidden = ("COLUMNS", "LINES", "NO_COLOR", "PYTHONPATH")
        environment = {**{name: value for name, value in os.environ.items() if name not in hidden}, "TERM": "xterm-256color"}
        command = [str(program), *arguments]
        if program is None:
            environment["PYTHONPATH"] = str(Path(__file__).parents[2])
            command = [sys.executable, "-c", code, *arguments]
        self._pid, self._channel = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execve(command[0], command, environment)
        fcntl.ioctl(self._channel, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.code: int | None = None

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self._channel, keys.encode())

    def until(self, *texts: str) -> float:
        """Wait until all of this is on the screen, wherever its lines break; returns the seconds that it took."""
        started = time.monotonic()
        while not all(" ".join(text.split()) in " ".join(self.text.split()) for text in texts):
            if time.monotonic() - started > HARD_LIMIT or not self._read():
                raise AssertionError(f"{texts} never came:\n{self.text}")
        return time.monotonic() - started

    def end(self) -> int:
        """Wait until the program has ended; its exit code."""
        while self._read():
            pass
        self.code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self.code

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *raised: object) -> None:
        if self.code is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._channel)

    def _read(self) -> bool:
        if not select.select([self._channel], [], [], 1.0)[0]:
            return True
        try:
            piece = os.read(self._channel, 65536)
        except OSError:  # what Linux says when the program has ended
            return False
        self.raw += piece
        self._stream.feed(piece)
        return bool(piece)
