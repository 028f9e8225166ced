"""What a student reads on a terminal: one block a lesson, at most 80 columns, the same words in a pipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from autograd_check.course.outline import LessonEntry, Outline
from autograd_check.course.stubs import reference_code
from autograd_check.grade.record import LessonRecord
from autograd_check.report.paragraphs import filled, wrapped
from autograd_check.report.rows import Row, rows_of
from autograd_check.report.snippet import snippet
from autograd_check.verify.finding import Status

if TYPE_CHECKING:
    from autograd_check.grade.own_speed import OwnSpeed

STYLES = {
    "passed": "green",
    "done": "green",
    "failed": "bold red",
    "error": "bold magenta",
    "inconclusive": "yellow",
    "todo": "yellow",
    "changed since": "yellow",
    "begun": "yellow",
    "skipped": "dim",
    "open": "dim",
    "borrowed": "cyan",
    "beyond": "yellow",
    "printed": "cyan",
    "note": "cyan",
}
LABEL_WIDTH, NARROW = 18, 11


def render(
    record: LessonRecord, *, verbose: bool = False, brief: bool = False, worst_first: bool = False, width: int = 80
) -> Text:
    """The block of one lesson: a headline and its rows.

    `brief` leaves the rows of a passed or unwritten lesson out; `worst_first` has what passed last, for a screen that may end.
    """
    block = Text()
    status = str(record.status)
    headline = f"{_points(record.score)} of {_points(record.max_score)} points · {record.file}"
    block.append(record.lesson, style="bold").append(" · ").append(status, style=STYLES[status])
    room = width - len(record.lesson) - len(status) - 6
    block.append(f" · {headline}" if len(headline) <= room else f" · {headline.partition(' · ')[0]}", style="dim")
    block.append("\n")
    if len(headline) > room:
        block.append(f"  {record.file}\n", style="dim")
    if brief and not verbose and record.status in (Status.PASSED, Status.TODO):
        return block
    rows = rows_of(record, verbose=verbose)
    if worst_first:
        rows.sort(key=lambda row: row.status in ("passed", "borrowed"))
    label_width = min(LABEL_WIDTH if width >= 70 else NARROW, max((len(row.label) for row in rows), default=0))
    status_width = max((len(row.status) for row in rows), default=0)
    for row in rows:
        _append_row(block, row, status_width, label_width, width)
    if verbose and record.isolation:
        block.append(f"{filled(f'isolation: {record.isolation}', width, '  ')}\n", style="dim")
    if record.smallest is not None:
        needs = f" (it needs your {', '.join(record.borrowed)} as well)" if record.borrowed else ""
        says = f"The smallest input that shows it, to paste into python in the course folder{needs}:"
        block.append(f"\n{filled(says, width)}\n\n")
        block.append(snippet(record.smallest))
    return block


def render_all(records: Sequence[LessonRecord], outline: Outline, *, verbose: bool = False, width: int = 80) -> Text:
    """All blocks, then a summary of many or the next step after one."""
    text = Text()
    several = len(records) > 1
    for record in records:
        text.append(render(record, verbose=verbose, brief=several, width=width))
        if record.status is Status.PASSED and not several:
            text.append(after_pass(outline.lesson(record.lesson), record.speed, width))
    if several:
        return text.append(f"\n{summary(records)}\n")
    steps = (next_step(record, outline) for record in records)
    return text.append("".join(f"\n{step}\n" for step in steps if step))


def after_pass(entry: LessonEntry, speed: OwnSpeed | None = None, width: int = 80) -> Text:
    """What there is to learn once a lesson has passed: why it works, how fast it is, and the reference, where there is one."""
    text = Text()
    if entry.why:
        text.append("\n" + filled(f"Why it works: {entry.why}", width) + "\n")
    if speed is not None:
        text.append("\n" + filled(_speed(speed), width) + "\n")
    if not entry.released:
        code = reference_code(entry.solution.read_text(encoding="utf-8"), entry.solution)
        text.append("\nThe reference, to compare with yours:\n\n").append(code, style="dim")
    return text


def _speed(speed: OwnSpeed) -> str:
    slower = speed.ratio >= 1
    ratio = speed.ratio if slower else 1 / speed.ratio
    times = f"{ratio:.1f} times as {'long' if slower else 'fast'}" if round(ratio, 1) > 1 else "as long"
    return f"One forward and backward takes {_duration(speed.seconds)}, {times} as torch's own ({speed.sizes})."


def _duration(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} µs" if seconds < 1e-3 else f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def next_step(record: LessonRecord, outline: Outline) -> str:
    """What to do after the check of one lesson: the lesson that follows, or what is missing for it and where to get help."""
    names = [entry.name for entry in outline.lessons]
    following = names[names.index(record.lesson) + 1 :][:1]
    if record.status is Status.PASSED:
        return f"Next lesson: {following[0]}" if following else "That was the last lesson of the course."
    if record.status is Status.ERROR:  # nothing that a student does would change it
        return ""
    hint = f"A hint: autograd-check hint {record.lesson}"
    return hint if record.status is Status.TODO else f"{missing(record, following[0] if following else '')}\n{hint}"


def missing(record: LessonRecord, following: str) -> str:
    """How many points stand between a student and the lesson that follows ("": there is none)."""
    points = record.max_score - record.score
    return f"{_points(points)} point{'' if points == 1 else 's'} to go" + (
        f" before the next lesson, {following}." if following else "."
    )


def to_text(record: LessonRecord, *, verbose: bool = False, width: int = 80) -> str:
    """The same block as plain text."""
    return render(record, verbose=verbose, width=width).plain


def summary(records: Sequence[LessonRecord]) -> str:
    """`3 passed, 1 failed, 6 todo · 32 of 90 points`."""
    counts = Counter(str(record.status) for record in records)
    shown = [f"{counts[status]} {status}" for status in map(str, Status) if counts[status]]
    score, most = sum(record.score for record in records), sum(record.max_score for record in records)
    return f"{', '.join(shown)} · {_points(score)} of {_points(most)} points"


def _append_row(block: Text, row: Row, status_width: int, label_width: int, width: int) -> None:
    label = row.label
    beside = 0 < len(label) <= label_width
    indent = 2 + status_width + 3 + (label_width + 2 if beside else 0)
    block.append("  ").append(f"{row.status:<{status_width}}   ", style=STYLES[row.status])
    if len(label) > label_width:
        block.append(f"{label}\n").append(" " * indent)
    elif label:
        block.append(f"{label:<{label_width}}  ")
    lines = [line for paragraph in row.paragraphs for line in _wrapped(paragraph, width - indent)]
    block.append(lines[0] if lines else "").append("\n")
    for line in lines[1:]:
        block.append(" " * indent + line + "\n")


def _wrapped(paragraph: str, width: int) -> list[str]:
    """Lines of at most `width` columns; the indentation of code is kept, and no number is broken at its sign or point."""
    lead = paragraph[: len(paragraph) - len(paragraph.lstrip())]
    return wrapped(paragraph.strip(), max(width, 20), lead) or [""]


def _points(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
