"""`autograd-check list`: all lessons and where each stands."""

from __future__ import annotations

import json

import typer

from autograd_check.cli.options import CourseOption, Format, FormatOption, course_root, tell_broken
from autograd_check.course.outline import read_outline
from autograd_check.course.progress import stages
from autograd_check.report.console import columns, show
from autograd_check.report.status import list_to_dict, render_list


def list_lessons(course: CourseOption = None, output: FormatOption = Format.TEXT) -> None:
    """Show all lessons and where each stands.

    Example: autograd-check list --format json
    """
    outline = read_outline(course_root(course))
    tell_broken(outline)
    if output is Format.JSON:
        typer.echo(json.dumps(list_to_dict(outline, stages(outline)), indent=2))
    else:
        show(render_list(outline, stages(outline), columns()))
