"""A graded class on a terminal: lessons by status, what went wrong most, and what changed since the last run."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from autograd_check.causes import Cause
from autograd_check.grade.gradebook.publish import GRADES, RECORDS, LessonCount, Summary, number
from autograd_check.grade.store import Difference

MOST_ROWS = 12
STATUSES = ("passed", "failed", "todo", "missing", "inconclusive", "error")


def render_class(summary: Summary, width: int = 80) -> str:
    """The summary as text of at most `width` columns."""
    blocks = [
        _lessons(summary),
        _causes(summary, width),
        _same_files(summary),
        _differences(summary.differences),
        _end(summary, width),
    ]
    return "\n\n".join("\n".join(block) for block in map(list, blocks) if block)


def _lessons(summary: Summary) -> Iterator[str]:
    shown = [status for status in STATUSES if any(one.statuses[status] for one in summary.lessons.values())]
    wide = max([len("lesson"), *map(len, summary.lessons)])
    yield f"{'lesson':<{wide}}" + "".join(f"{status:>{len(status) + 2}}" for status in shown) + "  mean points"
    for name, one in summary.lessons.items():
        counts = "".join(f"{one.statuses[status]:>{len(status) + 2}}" for status in shown)
        yield f"{name:<{wide}}{counts}  {_mean(one)} of {number(one.most)}"


def _mean(one: LessonCount) -> str:
    students = one.statuses.total()
    return number(one.points / students) if students else "0"


def _causes(summary: Summary, width: int) -> Iterator[str]:
    if summary.causes:
        yield "What went wrong, by the first finding that failed:"
    for (lesson, cause), students in list(summary.causes.items())[:MOST_ROWS]:
        said = Cause.named(cause).sentence
        yield from textwrap.wrap(f"{students:>5}  {lesson}: {said} ({cause})", width, subsequent_indent=" " * 7)
    if len(summary.causes) > MOST_ROWS:
        yield f"       and {len(summary.causes) - MOST_ROWS} more, in {RECORDS}"


def _same_files(summary: Summary) -> Iterator[str]:
    if summary.same_files:
        yield "The very same file was handed in by:"
    for lesson, students, first in summary.same_files[:MOST_ROWS]:
        more = f" and {students - len(first)} more" if students > len(first) else ""
        yield f"  {lesson}: {', '.join(first)}{more}"


def _differences(found: Sequence[Difference]) -> Iterator[str]:
    if found:
        yield f"{_count(len(found), 'result')} changed since the last run:"
    for one in found[:MOST_ROWS]:
        before, after = (f"{status} {number(points)}" for status, points in (one.before, one.after))
        yield f"  {one.student} · {one.lesson}: {before} → {after} (another {one.why})"
    if len(found) > MOST_ROWS:
        yield f"  and {len(found) - MOST_ROWS} more"


def _end(summary: Summary, width: int) -> Iterator[str]:
    facts = [
        (summary.late, "handed in late (recorded, not scored)"),
        (summary.noted, f"with notes about the files, in {RECORDS}"),
        (summary.overridden, "given by hand"),
        (summary.former, "of earlier runs, kept in the store and not listed"),
    ]
    said = [f"{count} {what}" for count, what in facts if count]
    probes = (
        "drawn with the secret key"
        if summary.secret
        else "those of `check`, which students can run; --key-file draws secret ones"
    )
    yield from textwrap.wrap(f"{_count(summary.students, 'submission')}{''.join(f'; {text}' for text in said)}.", width)
    for isolation, count in summary.isolation.items():
        what = "not run: nothing that can be read was handed in" if isolation == "not run" else isolation
        yield from textwrap.wrap(f"Isolation of {_count(count, 'submission')}: {what}.", width)
    yield from textwrap.wrap(f"Probes: {probes}.", width)
    yield f"Written: {summary.folder}/{GRADES}, {summary.folder}/{RECORDS}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
