"""In Jupyter: `from autograd_check.notebook import check`, then `check(linear_forward, linear_backward)` in a cell.

The functions run in the kernel's own process; the report is the terminal's, in colour.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from autograd_check.course.load import Course
from autograd_check.course.spec import Lesson
from autograd_check.errors import AutogradCheckError, CourseError
from autograd_check.grade.grade import grade_candidate
from autograd_check.grade.listening import Listening
from autograd_check.grade.pictures import pictures
from autograd_check.grade.record import LessonRecord
from autograd_check.report.terminal import render
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Status

COLOURS = {"green": "#1a7f37", "red": "#cf222e", "magenta": "#8250df", "yellow": "#9a6700", "cyan": "#0969da", "dim": "#59636e"}


@dataclass(frozen=True)
class CellReport:
    """The record of one check, as a cell shows it; `record` holds every finding, `maps` a picture of each wrong gradient."""

    record: LessonRecord
    maps: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return render(self.record).plain.rstrip()

    def _repr_html_(self) -> str:
        text = render(self.record)
        pieces, position = [], 0
        for span in sorted(text.spans, key=lambda span: span.start):
            pieces.append(escape(text.plain[position : span.start]))
            pieces.append(f'<span style="{_css(str(span.style))}">{escape(text.plain[span.start : span.end])}</span>')
            position = span.end
        shown = "".join(f'<img alt="error map" src="data:image/png;base64,{b64encode(png).decode()}">' for png in self.maps)
        return f'<pre style="line-height: 1.35">{"".join(pieces)}{escape(text.plain[position:]).rstrip()}</pre>{shown}'


def check(
    *functions: Callable[..., Any], lesson: str | None = None, course: Path | str | None = None, seed: int = 0
) -> CellReport:
    """Check functions that exist in this notebook as the lesson that asks for them.

    Args:
        functions: the lesson's functions, such as `linear_forward, linear_backward`.
        lesson: its name, where the functions' names do not tell.
        course: the course folder; by default the nearest one from the working directory upward.
        seed: of all random numbers of the checks.

    Raises `CourseError` where no lesson asks for functions of these names.

    """
    found = Course.find() if course is None else Course.load(course)
    given = {function.__name__: function for function in functions}
    chosen = found.lesson(lesson or _lesson_of(found, given))
    candidate = InProcess.of(given)
    heard = Listening(candidate)
    findings = tuple(grade_candidate(chosen, heard, seed=seed))
    record = LessonRecord(chosen.spec.name, "notebook", findings, chosen.spec.points, candidate.isolation, printed=heard.printed)
    return CellReport(record, _maps(candidate, chosen.spec, seed) if record.status is Status.FAILED else ())


def _maps(candidate: InProcess, lesson: Lesson, seed: int) -> tuple[bytes, ...]:
    """A PNG of the error of each wrong gradient; none without matplotlib, or where there is nothing to draw."""
    try:
        from autograd_check.report.figures import error_map  # an extra that the check itself does without

        drawn = [error_map(one.got, one.expected, one.subject) for one in pictures(candidate, lesson, seed=seed) if not one.right]
    except AutogradCheckError:
        return ()
    return tuple(_png(figure) for figure in drawn)


def _png(figure: Any) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=80)
    return file.getvalue()


def _lesson_of(course: Course, given: dict[str, Callable[..., Any]]) -> str:
    stems = {name.removesuffix("_forward").removesuffix("_backward").removesuffix("_step") for name in given}
    for entry in course.outline.lessons:
        if entry.name in stems or set(given) & set(course.lesson(entry.name).functions()):
            return entry.name
    raise CourseError(
        f"No lesson asks for {', '.join(given) or 'no function at all'}. Name the lesson: check(..., lesson='linear')."
    )


def _css(style: str) -> str:
    weight = "font-weight: bold; " if "bold" in style else ""
    return weight + next((f"color: {value}" for name, value in COLOURS.items() if name in style), "")
