"""In Jupyter: `from autograd_check.notebook import check, progress, hint`, then `check(linear_forward, linear_backward)`.

Functions are taken by value, whatever they are called; they run in the kernel's own process. What is shown is what the
terminal shows, in colour.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from rich.text import Text

from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.outline import find_course, read_outline
from autograd_check.course.progress import Progress, stages
from autograd_check.course.spec import Lesson
from autograd_check.errors import AutogradCheckError, CourseError
from autograd_check.grade.grade import grade_candidate
from autograd_check.grade.listening import Listening
from autograd_check.grade.pictures import pictures
from autograd_check.grade.record import LessonRecord
from autograd_check.report.status import render_hint, render_standing
from autograd_check.report.terminal import render
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Status

COLOURS = {"green": "#1a7f37", "red": "#cf222e", "magenta": "#8250df", "yellow": "#9a6700", "cyan": "#0969da", "dim": "#59636e"}


@dataclass(frozen=True)
class CellText:
    """A text of the terminal as a cell shows it."""

    text: Text

    def __repr__(self) -> str:
        return self.text.plain.rstrip()

    def _repr_html_(self) -> str:
        pieces, position, text = [], 0, self.text
        for span in sorted(text.spans, key=lambda span: span.start):
            pieces.append(escape(text.plain[position : span.start]))
            pieces.append(f'<span style="{_css(str(span.style))}">{escape(text.plain[span.start : span.end])}</span>')
            position = span.end
        return f'<pre style="line-height: 1.35">{"".join(pieces)}{escape(text.plain[position:]).rstrip()}</pre>'


@dataclass(frozen=True)
class CellReport:
    """The record of one check, as a cell shows it; `record` holds every finding, `maps` a picture of each wrong gradient."""

    record: LessonRecord
    maps: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return repr(CellText(render(self.record)))

    def _repr_html_(self) -> str:
        shown = "".join(f'<img alt="error map" src="data:image/png;base64,{b64encode(png).decode()}">' for png in self.maps)
        return CellText(render(self.record))._repr_html_() + shown


def check(
    *functions: Callable[..., Any], lesson: str | None = None, course: Path | str | None = None, seed: int = 0
) -> CellReport:
    """Check functions that exist in this notebook as the lesson that asks for them.

    Args:
        functions: the lesson's functions, such as `linear_forward, linear_backward`. One of another name stands for the first
            of the lesson's functions that is not there: `check(my_forward, linear_backward)`.
        lesson: its name, where no function's name tells.
        course: the course folder; by default the nearest one from the working directory upward.
        seed: of all random numbers of the checks.

    Raises `CourseError` where no lesson asks for functions of these names, or for as many.

    """
    for given in functions:
        if not callable(given):
            raise CourseError(f"check takes functions, not {given!r}. A lesson is named so: check(..., lesson='linear').")
    found = _course(course)
    names = [getattr(function, "__name__", "") for function in functions]
    chosen = found.lesson(lesson or _lesson_of(found, names))
    candidate = InProcess.of(_by_name(chosen, functions, names))
    heard = Listening(candidate)
    findings = tuple(grade_candidate(chosen, heard, seed=seed))
    record = LessonRecord(chosen.spec.name, "notebook", findings, chosen.spec.points, candidate.isolation, printed=heard.printed)
    return CellReport(record, _maps(candidate, chosen.spec, seed) if record.status is Status.FAILED else ())


def progress(course: Path | str | None = None) -> CellText:
    """Where you stand: units, lessons done by your files, and the next lesson. Raises `CourseError` where there is no course."""
    outline = read_outline(_root(course))
    return CellText(render_standing(outline, stages(outline)))


def hint(lesson: str | Callable[..., Any], course: Path | str | None = None) -> CellText:
    """The next hint of a lesson (by its name, or a function that it asks for), and those before it.

    Each call goes one step further. Raises `CourseError`.
    """
    found = _course(course)
    outline = found.outline
    name = _lesson_of(found, [getattr(lesson, "__name__", "")], "hint('linear')") if callable(lesson) else str(lesson)
    entry = outline.lesson(name)
    state = Progress.read(outline.root)
    shown = state.next_hint(entry)
    state.with_hints(entry.name, shown).save()
    more, derive = f"hint({entry.name!r})", f"!autograd-check derive {entry.name}"
    return CellText(render_hint(entry, shown, more=more, derive=derive))


def _root(course: Path | str | None) -> Path:
    return find_course(Path.cwd()) if course is None else Path(course)


def _course(course: Path | str | None) -> Course:
    return Course.load(_root(course))


def _by_name(
    lesson: CourseLesson, functions: Sequence[Callable[..., Any]], names: Sequence[str]
) -> dict[str, Callable[..., Any]]:
    """The functions by the lesson's names for them: those called so, then the others in order."""
    wanted = lesson.functions()
    given = {name: function for name, function in zip(names, functions, strict=True) if name in wanted}
    others = [function for name, function in zip(names, functions, strict=True) if name not in wanted]
    free = [name for name in wanted if name not in given]
    if len(others) > len(free):
        raise CourseError(f"{lesson.spec.name} asks for {' and '.join(wanted)}; {len(functions)} functions were given.")
    return {**given, **dict(zip(free, others, strict=False))}


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


def _lesson_of(course: Course, names: Sequence[str], call: str = "check(..., lesson='linear')") -> str:
    stems = {name.removesuffix("_forward").removesuffix("_backward").removesuffix("_step") for name in names}
    for entry in course.outline.lessons:
        if entry.name in stems:
            return entry.name
    for entry in course.outline.lessons:
        if set(names) & set(course.lesson(entry.name).functions()):
            return entry.name
    raise CourseError(f"No lesson asks for {' or '.join(names) or 'no function at all'}. Name the lesson: {call}.")


def _css(style: str) -> str:
    weight = "font-weight: bold; " if "bold" in style else ""
    return weight + next((f"color: {value}" for name, value in COLOURS.items() if name in style), "")
