"""The screen of `watch`: what stands on it, for a terminal of any size. Pure functions from what is known to lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autograd_check.course.outline import LessonEntry, Outline, unit_title
from autograd_check.course.progress import Stage
from autograd_check.grade.record import LessonRecord
from autograd_check.report.status import bar, shortened, stage_column
from autograd_check.report.terminal import missing, render
from autograd_check.verify.finding import Status

KEYS = (
    ("n", "next"),
    ("h", "hint"),
    ("l", "list"),
    ("c", "check all"),
    ("d", "derive"),
    ("p", "plot"),
    ("r", "reset"),
    ("u", "undo"),
    ("q", "quit"),
)
BAR = 20
HEADLESS = 8
"""Lines of a screen on which nothing but the body and the news has room."""
NOTHING = Text()


@dataclass(frozen=True)
class Frame:
    """One picture of the screen: the lesson at hand, the body (`scrolled` by so many lines), and a line about what goes on."""

    entry: LessonEntry
    standing: Mapping[str, Stage]
    body: Text
    news: str
    keys: str = ""
    scrolled: int = 0


def lines_of(frame: Frame, width: int, height: int) -> list[Text]:
    """Exactly `height` lines of at most `width` columns: course and progress, the body, the news, and the keys."""
    foot, head = _foot(frame, width, height), [_head(frame, width), Text()] if height > HEADLESS else []
    news = [Text(shortened(frame.news, width), style="bold")]
    body, room = _body(frame, width), _room(frame, width, height)
    if len(body) > room:
        first = min(frame.scrolled, len(body) - room + 1)
        rest = len(body) - first - room + 1
        more = f"... {rest} more line{'' if rest == 1 else 's'} (arrow down)" if rest else "(arrow up goes back)"
        body = [*body[first : first + room - 1], Text(more, style="dim")]
    body += [Text()] * (room - len(body))
    lines = [*head, *body, *news, *(Text(line, style="dim") for line in foot)]
    for line in lines:
        line.truncate(width)
    return lines[:height]


def furthest(frame: Frame, width: int, height: int) -> int:
    """By how many lines the body can be scrolled."""
    hidden = len(_body(frame, width)) - _room(frame, width, height)
    return hidden + 1 if hidden > 0 else 0


def _foot(frame: Frame, width: int, height: int) -> list[str]:
    return (_keys(width) if not frame.keys else [frame.keys])[: max(height - 6, 0)]  # the body before the keys


def _room(frame: Frame, width: int, height: int) -> int:
    """Lines for the body."""
    return max(height - (2 if height > HEADLESS else 0) - 1 - len(_foot(frame, width, height)), 1)


def _body(frame: Frame, width: int) -> list[Text]:
    """The lines of the body, as wide as the screen at most."""
    console = Console(width=width)
    body = [
        piece for line in frame.body.split("\n") for piece in (line.wrap(console, width) if line.cell_len > width else [line])
    ]
    while body and not body[-1].plain.strip():
        body.pop()
    return body


def verdict(record: LessonRecord, entry: LessonEntry, following: LessonEntry | None, width: int, after: Text = NOTHING) -> Text:
    """The first thing that is wrong, in words, before all that is right; and what to do. `after` is for who has passed."""
    text = render(record, width=width, worst_first=True)
    where = text.plain.find(record.file)
    if where >= 0:
        text.stylize(f"link {Path(entry.stub).as_uri()}", where, where + len(record.file))
    if record.status is Status.PASSED:
        text.append("\nPassed. ", style="green")
        text.append("That was the last lesson." if following is None else f"n goes on to {following.name}: {following.title}.")
        text.append("\n").append(after)
    elif record.status is not Status.TODO:
        text.append(f"\n{missing(record, '' if following is None else following.name)}", style="dim")
    else:
        text.append(f"\nWrite it in your editor and save; the verdict comes here. About {entry.minutes} minutes.", style="dim")
    return text


def choices(outline: Outline, standing: Mapping[str, Stage], search: str, chosen: int, room: int, width: int) -> Text:
    """The lessons whose name, title or unit holds what was typed; a window of them around the chosen one."""
    found = matching(outline, search)
    text = Text(f"search: {search}_\n", style="bold")
    if not found:
        return text.append("no lesson has this in its name, title or unit\n")
    first = max(min(chosen - room // 2, len(found) - room), 0)
    for number, entry in enumerate(found[first : first + room], first):
        line = Text("> " if number == chosen else "  ").append(stage_column(entry, standing))
        line.append(f"{entry.name:<20} ", style="bold" if number == chosen else "")
        line.append(f"{shortened(entry.title, width - len(line.plain))}\n", style="dim")
        text.append(line)
    return text


def matching(outline: Outline, search: str) -> Sequence[LessonEntry]:
    """Lessons by what was typed, in order of the course."""
    wanted = search.casefold()
    return [entry for entry in outline.lessons if wanted in f"{entry.name} {entry.title} {entry.unit}".casefold()]


def _head(frame: Frame, width: int) -> Text:
    done = sum(stage is Stage.DONE for stage in frame.standing.values())
    total = len(frame.standing)
    length = BAR if width >= 70 else BAR // 2
    right = f"{bar(done, total, length)} {done} of {total} done"
    whole, room = f"{unit_title(frame.entry.unit)} · {frame.entry.title}", max(width - len(right) - 2, 0)
    left = whole if len(whole) <= room else shortened(frame.entry.title, room)
    return Text(left, style="bold").append(" " * (width - len(left) - len(right))).append(right, style="not bold")


def _keys(width: int) -> list[str]:
    """`n next  h hint ...`, on as many lines as it takes."""
    lines = [""]
    for key, word in KEYS:
        piece = f"{key} {word}"
        if lines[-1] and len(lines[-1]) + 2 + len(piece) > width:
            lines.append("")
        lines[-1] += f"  {piece}" if lines[-1] else piece
    return lines
