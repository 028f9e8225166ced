"""Consoles: colour only on a terminal, at most 80 columns, `NO_COLOR` respected (by rich), plain text in pipes; a progress bar for long work."""

from __future__ import annotations

import codecs
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

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


def complain(message: str) -> None:
    """Print an error to stderr, wrapped; paths are never broken."""
    lines = (textwrap.fill(line, columns(), break_long_words=False, break_on_hyphens=False) for line in message.split("\n"))
    make_console(stderr=True).print("\n".join(lines), soft_wrap=True)


@contextmanager
def announced(what: str) -> Iterator[None]:
    """A line on a terminal while something takes its time; gone afterwards. No thread: processes are forked meanwhile."""
    stream = sys.stderr
    if not stream.isatty():
        yield
        return
    stream.write(f"{what} ...")
    stream.flush()
    try:
        yield
    finally:
        stream.write("\r\x1b[K")
        stream.flush()


PLAIN = str.maketrans(
    {"·": "-", "→": "->", "⇒": "=>", "−": "-", "–": "-", "…": "...", "‖": "||", "×": "x", "²": "^2", "Σ": "sum"}
)


def never_fail_to_print() -> None:
    """On a terminal without Unicode a sign that it lacks is written in ASCII, and what has no such form as `?`."""

    def instead(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        sign = error.object[error.start : error.end].translate(PLAIN)
        return sign.encode("ascii", "replace").decode(), error.end

    codecs.register_error("autograd_check.ascii", instead)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="autograd_check.ascii")


T = TypeVar("T")


class Rate(ProgressColumn):
    """How many are done in a second."""

    def render(self, task: Task) -> Text:
        """`12.3/s`, empty before there is anything to count."""
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


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
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    # no refreshing thread: processes for students' code are forked meanwhile, and a fork should find one thread
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        task = progress.add_task(what, total=total, completed=done)
        progress.refresh()
        for item in items:
            yield item
            progress.advance(task)
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
