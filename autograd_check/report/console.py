"""Consoles: colour only on a terminal, never more than 80 columns, `NO_COLOR` respected (by rich), plain text in pipes."""

from __future__ import annotations

import shutil
import textwrap

from rich.console import Console
from rich.text import Text

COLUMNS = 80


def make_console(*, stderr: bool = False) -> Console:
    """A console for results, or (`stderr`) for progress and errors."""
    width = min(COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns)
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def show(text: Text) -> None:
    """Print a text that is already wrapped."""
    text.rstrip()
    make_console().print(text, soft_wrap=True)


def complain(message: str) -> None:
    """Print an error to stderr, wrapped; paths are never broken."""
    lines = (textwrap.fill(line, COLUMNS, break_long_words=False, break_on_hyphens=False) for line in message.split("\n"))
    make_console(stderr=True).print("\n".join(lines), soft_wrap=True)
