"""Options and arguments that several commands share, and the course they point to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autograd_check.course.outline import find_course


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


CourseOption = Annotated[
    Path | None,
    typer.Option("--course", metavar="DIR", help="The course folder; by default the nearest one from here upward."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="Text for people, or JSON for programs.")]
LessonArgument = Annotated[str, typer.Argument(metavar="LESSON", help="A lesson's name, such as linear, or its file.")]
LessonsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="LESSON", help="Lessons, units (u02), or files; all if none is named.")
]


def course_root(course: Path | None) -> Path:
    """The named course folder, or the nearest one from the working directory upward. Raises `CourseError`."""
    return find_course(Path.cwd()) if course is None else course
