"""`autograd-check derive`: closed forms by sympy."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, Format, FormatOption, LessonArgument, course_root
from autograd_check.course.outline import read_outline
from autograd_check.report.console import say
from autograd_check.report.streams import announced


def derive(
    lesson: LessonArgument,
    entry: Annotated[str | None, typer.Option(metavar="ENTRY", help='One entry only, such as "dw[0,1]".')] = None,
    output: FormatOption = Format.TEXT,
    course: CourseOption = None,
) -> None:
    """Show a lesson's gradient in closed form.

    At a tiny shape, entry by entry.

    Example: autograd-check derive linear --entry "dw[0,1]"
    """
    outline = read_outline(course_root(course))
    name = outline.lesson(lesson).name
    with announced(f"deriving {name}"):  # sympy and torch take seconds to import: a wrong name is answered without them
        from autograd_check.course.load import Course
        from autograd_check.report.formulas import derivations, derivations_to_dict, render_derivations

        found = derivations(Course(outline).lesson(name), entry)
    if output is Format.JSON:
        typer.echo(json.dumps(derivations_to_dict(name, found), indent=2))
    else:
        say(render_derivations(found))
