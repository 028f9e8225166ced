"""A terminal in one's own hands: single keys, a screen of its own, everything as it was afterwards."""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import termios
import tty
from collections.abc import Sequence
from threading import Event
from types import TracebackType

from rich.console import Console
from rich.text import Text

NAMES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x04": "q",
}
Picture = tuple[tuple[int, int], tuple[tuple[object, ...], ...]]
"""What was drawn: columns and lines of the screen, and each line with its styles."""
CLEAR = "\x1b[2J"
ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


_KEY = re.compile(r"\x1b(?:\[[0-9;]*[@-~]|O.)|.", re.DOTALL)


def keys_in(read: str) -> list[str]:
    """The keys of what was read: an arrow that is held down sends several at once. Those that have no meaning here are left out.

    Nothing read is the end of the input, and quits.
    """
    keys = _KEY.findall(read) if read else ["\x04"]
    return [NAMES.get(key, key) for key in keys if key in NAMES or not key.startswith("\x1b")]


def is_interactive() -> bool:
    """Whether somebody sits at a terminal that can be drawn on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Terminal:
    """`with Terminal() as terminal:` keys come one at a time and unseen, `draw` fills the screen; ctrl-C still interrupts."""

    def __init__(self) -> None:
        self._stdin = sys.stdin.fileno()
        self._console = Console(force_terminal=True, highlight=False, markup=False, emoji=False, legacy_windows=False)
        self._drawn: Picture = ((0, 0), ())

    def __enter__(self) -> Terminal:
        self._before = termios.tcgetattr(self._stdin)
        tty.setcbreak(self._stdin)
        self._write(ENTER_SCREEN)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._write(LEAVE_SCREEN)
        termios.tcsetattr(self._stdin, termios.TCSADRAIN, self._before)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return shutil.get_terminal_size((80, 24))

    def keys(self, stop: Event) -> Sequence[str]:
        """The keys pressed since the last call, at least one ("enter", "up", "a", ...); none once `stop` is set or stdin ended."""
        while not stop.is_set():
            if not select.select([self._stdin], [], [], 0.2)[0]:
                continue
            read = os.read(self._stdin, 64).decode(errors="ignore")
            if keys := keys_in(read):
                return keys
        return []

    def draw(self, lines: Sequence[Text]) -> None:
        """Show these lines, the first at the top. Only those that have changed are written; all, on a screen of another size."""
        size, shown = self._drawn
        if size != self.size:
            self._console.size, shown = self.size, ()
            self._write(CLEAR)
        self._drawn = (self.size, tuple((line.plain, line.style, tuple(line.spans)) for line in lines))
        for number, (line, after) in enumerate(zip(lines, self._drawn[1], strict=True)):
            if shown[number : number + 1] != (after,):
                with self._console.capture() as captured:
                    self._console.print(line, end="", soft_wrap=True)
                self._write(f"\x1b[{number + 1}H\x1b[2K{captured.get()}")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
