"""Consoles: colour only on a terminal, at most 80 columns, `NO_COLOR` respected (by rich), plain text in pipes; a progress bar for long work."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
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


T = TypeVar("T")


class Rate(ProgressColumn):
    """How many are done in a second."""

    def render(self, task: Task) -> Text:
        """`12.3/s`, empty before there is anything to count."""
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


def tracked(items: Iterable[T], what: str, total: int, done: int = 0) -> Iterator[T]:
    """The items, with a bar that counts them and says how fast it goes and how long the rest will take."""
    console = make_console(stderr=True)
    if total < 2 or not console.is_terminal:
        yield from items
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
