"""Options and arguments that several commands share, and the course they point to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autograd_check.course.outline import Outline, find_course, read_outline
from autograd_check.course.own import installed_course
from autograd_check.errors import AutogradCheckError, CourseError


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


CourseOption = Annotated[
    Path | None,
    typer.Option("--course", metavar="DIR", help="The course folder; by default the nearest one from here upward."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="Text for people, or JSON for programs.")]


def completed_lesson(incomplete: str) -> list[str]:
    """The lessons of the course here whose names begin so, for a shell that completes."""
    try:
        return [entry.name for entry in read_outline(course_root(None)).lessons if entry.name.startswith(incomplete)]
    except AutogradCheckError:
        return []


def completed_lessons(incomplete: str) -> list[str]:
    """The same, and the units."""
    try:
        units = list(read_outline(course_root(None)).units)
    except AutogradCheckError:
        units = []
    return [*(unit for unit in units if unit.startswith(incomplete)), *completed_lesson(incomplete)]


LessonArgument = Annotated[
    str,
    typer.Argument(metavar="LESSON", help="A lesson's name, such as linear, or its file.", autocompletion=completed_lesson),
]
LessonsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="LESSON", help="Lessons, units (u02), or files; all if none is named.", autocompletion=completed_lessons
    ),
]


def course_root(course: Path | None) -> Path:
    """The named course folder, or the nearest one from the working directory upward. Raises `CourseError`."""
    return find_course(Path.cwd()) if course is None else course


def tell_broken(outline: Outline) -> None:
    """One line on stderr for every lesson that is left out, because its file makes no sense."""
    for says in outline.broken.values():
        typer.echo(f"left out: {says}", err=True)


def taught_course(course: Path | None) -> Path:
    """As `course_root`; where there is none here, the course that is installed: what an instructor does needs no folder of it."""
    try:
        return course_root(course)
    except CourseError:
        return installed_course()
