"""`autograd-check watch`: a verdict on every save."""

from __future__ import annotations

from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, course_root
from autograd_check.course.outline import read_outline
from autograd_check.report.streams import announced


def watch(
    lesson: Annotated[str | None, typer.Argument(metavar="LESSON", help="Where to begin; by default the next lesson.")] = None,
    course: CourseOption = None,
) -> None:
    """Check a lesson whenever it is saved.

    It says at once what is wrong first, and has one key each for everything else. Where the output is not a terminal, every
    verdict is printed below the last one.

    Example: autograd-check watch linear
    """
    with announced("starting"):
        outline = read_outline(course_root(course))
        name = outline.lesson(lesson).name if lesson else None
    with announced("importing torch"):  # it takes a second: a wrong name is answered without it
        from autograd_check.report.conversation import converse, follow
        from autograd_check.report.keyboard import is_interactive
    (converse if is_interactive() else follow)(outline, name)
