"""Consoles: colour only on a terminal, at most 80 columns, `NO_COLOR` respected (by rich), plain text in pipes; a progress bar for long work."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from autograd_check.report.streams import announced

COLUMNS = 80


def columns() -> int:
    """How wide a text for this terminal may be."""
    return min(COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns)


def make_console(*, stderr: bool = False) -> Console:
    """A console for results, or (`stderr`) for progress and errors."""
    return Console(stderr=stderr, width=columns(), highlight=False, markup=False, emoji=False)


def show(text: Text) -> None:
    """Print a text that is already wrapped."""
    text.rstrip()
    make_console().print(text, soft_wrap=True)


def wrapped(text: str, width: int) -> str:
    """A text with its long lines broken between words, each going on below its last column; paths are never broken."""
    return "\n".join(_broken(line, width) if len(line) > width else line for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    stops = [found.end() for found in _COLUMN.finditer(line) if found.end() <= width // 2]
    return textwrap.fill(
        line, width, subsequent_indent=" " * max(stops, default=0), break_long_words=False, break_on_hyphens=False
    )


_COLUMN = re.compile(r"^ +|(?<=\S)  +(?=\S)")


def say(text: str) -> None:
    """Print a text to stdout, wrapped to what the terminal has."""
    print(wrapped(text, columns()))


def sentence(error: Exception) -> str:
    """What went wrong, for who reads no errno: `Permission denied: lessons/linear.py`."""
    if not isinstance(error, OSError):
        return str(error)
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


def complain(message: str) -> None:
    """Print an error to stderr. A terminal has it wrapped, with whole paths; a log or another program has it line by line."""
    print(wrapped(message, columns()) if sys.stderr.isatty() else message, file=sys.stderr)


T = TypeVar("T")


LINE_AFTER = 30.0
"""Seconds between two lines about long work where there is no terminal for a bar: in a pipe, a log, a night's job."""


def tracked(items: Iterable[T], what: str, total: int, done: int = 0, clock: Callable[[], float] = time.monotonic) -> Iterator[T]:
    """The items, with a bar that counts them and says how fast it goes and how long the rest will take.

    Without a terminal a line says so on standard error, now and then (`LINE_AFTER`).
    """
    console = make_console(stderr=True)
    if not console.is_terminal:
        yield from _told(items, what, total, done, clock)
        return
    if total < 2:
        with announced(what):
            found = list(items)
        yield from found
        return
    # a tenth of a second to import, which the check of one lesson can do without
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    # no refreshing thread: processes for students' code are forked meanwhile, and a fork should find one thread
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        task = progress.add_task(what, total=total, completed=done, rate="")
        progress.refresh()
        for item in items:
            yield item
            progress.advance(task)
            speed = progress.tasks[0].speed
            progress.update(task, rate="" if speed is None else f"{speed:.1f}/s")
            progress.refresh()


def _told(items: Iterable[T], what: str, total: int, done: int, clock: Callable[[], float]) -> Iterator[T]:
    began = said = clock()
    for count, item in enumerate(items, 1):
        yield item
        now = clock()
        if now - said >= LINE_AFTER:
            said, rate = now, count / (now - began)
            left = max(total - done - count, 0) / rate
            print(f"{what}: {done + count} of {total}, {rate:.1f}/s, {left:.0f} s left", file=sys.stderr, flush=True)
