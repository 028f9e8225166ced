"""Where a student stands: units, lessons done, the next lesson, and what to type. Imports no torch: it must come at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from autograd_check.course.outline import LessonEntry, Outline, unit_title
from autograd_check.course.progress import Stage, next_lesson
from autograd_check.report.paragraphs import filled

STYLES = {Stage.DONE: "green", Stage.FAILED: "bold red", Stage.OPEN: "dim"}
BAR = 20
NARROW = 60
"""Columns below which there is no room for a bar."""


def render_standing(outline: Outline, standing: Mapping[str, Stage], width: int = 80) -> Text:
    """One line a unit, the lessons of the unit at hand, and the next step."""
    text = Text()
    following = next_lesson(outline, standing)
    length = BAR if width >= 70 else BAR // 2 if width >= NARROW else 0
    column = 32 if width >= NARROW else max(map(len, map(unit_title, outline.units)), default=0) + 1
    for unit, lessons in outline.units.items():
        done = sum(standing[entry.name] is Stage.DONE for entry in lessons)
        text.append(f"{unit_title(unit):<{column}}", style="bold")
        text.append(f"{bar(done, len(lessons), length)}{'  ' * bool(length)}{done} of {len(lessons)} done\n")
        if following is not None and following.unit == unit:
            for entry in lessons:
                text.append(_line(entry, standing, following, width))
    text.append("\n")
    if not outline.lessons:
        text.append("This course has no lessons yet. A lesson is a file solutions/uNN_UNIT/NAME.py.\n")
    elif following is None:
        text.append("Every lesson is done. `autograd-check check` verifies them all once more.\n")
    else:
        text.append(_advice(outline, following, standing[following.name]))
    return text


def render_list(outline: Outline, standing: Mapping[str, Stage], width: int = 80) -> Text:
    """All lessons by unit."""
    text = Text()
    for number, (unit, lessons) in enumerate(outline.units.items()):
        text.append(("\n" if number else "") + unit_title(unit) + "\n", style="bold")
        for entry in lessons:
            text.append(_line(entry, standing, None, width))
    return text


def render_hint(entry: LessonEntry, shown: int, width: int = 80, *, more: str = "", derive: str = "") -> Text:
    """Hints 1 to `shown` of a lesson, the newest last, and how to have the next one (`more`) or, after the last, closed forms.

    By default those are commands of a shell.
    """
    count = len(entry.hints)
    text = Text()
    for number, hint in enumerate(entry.hints[:shown], 1):
        text.append(f"{entry.name} · hint {number} of {count}\n", style="bold" if number == shown else "dim")
        text.append(f"{filled(hint, width - 2, '  ')}\n")
    if not count:
        return text.append(f"{entry.name} has no hints.\n")
    if shown < count:
        return text.append(f"\nThe next one: {more or f'autograd-check hint {entry.name}'}\n")
    after = derive or f"autograd-check derive {entry.name}"
    return text.append(f"\nThat was the last one.\nClosed forms of single entries: {after}\n")


def list_to_dict(outline: Outline, standing: Mapping[str, Stage]) -> dict[str, Any]:
    """The list as a JSON-ready record."""
    return {
        "schema": 1,
        "lessons": [
            {
                "lesson": entry.name,
                "title": entry.title,
                "unit": entry.unit,
                "requires": list(entry.requires),
                "minutes": entry.minutes,
                "points": entry.points,
                "stage": str(standing[entry.name]),
                "file": entry.stub.relative_to(outline.root).as_posix(),
            }
            for entry in outline.lessons
        ],
    }


def _line(entry: LessonEntry, standing: Mapping[str, Stage], following: LessonEntry | None, width: int) -> Text:
    mark = ">" if entry == following else " "
    line = Text(f"{mark} ").append(stage_column(entry, standing))
    line.append(f"{entry.name:<20} {entry.minutes:>3} min  ")
    return line.append(f"{shortened(entry.title, width - len(line.plain))}\n", style="dim")


def stage_column(entry: LessonEntry, standing: Mapping[str, Stage]) -> Text:
    """How a lesson stands, as wide as the longest word that stands in any line."""
    stage = standing[entry.name]
    return Text(f"{stage:<{max(map(len, standing.values())) + 2}}", style=STYLES.get(stage, "yellow"))


def bar(done: int, total: int, length: int) -> str:
    """`####....`: how much of something is done."""
    filled = length * done // max(total, 1)
    return "#" * filled + "." * (length - filled)


def shortened(text: str, width: int) -> str:
    """A text on at most `width` columns, with an ellipsis where it was cut."""
    return text if len(text) <= width else text[: max(width - 3, 0)].rstrip() + "..."[: max(width, 0)]


def _advice(outline: Outline, entry: LessonEntry, stage: Stage) -> Text:
    verb = {Stage.OPEN: "Next", Stage.FAILED: "Fix", Stage.CHANGED: "Check again"}.get(stage, "Go on with")
    text = Text(f"{verb}: {entry.name} · {entry.title} (about {entry.minutes} minutes)\n", style="bold")
    text.append(f"  open   {entry.stub.relative_to(outline.root).as_posix()}\n", style="not bold")
    text.append(f"  check  autograd-check check {entry.name}\n", style="not bold")
    return text.append(f"  hint   autograd-check hint {entry.name}\n", style="not bold")
