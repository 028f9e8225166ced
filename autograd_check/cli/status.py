"""`autograd-check` without a command: where you stand, and what comes next."""

from __future__ import annotations

import typer

from autograd_check.cli.options import CourseOption, course_root, tell_broken
from autograd_check.course.outline import read_outline
from autograd_check.course.progress import stages
from autograd_check.report.console import columns, show
from autograd_check.report.status import render_standing


def status(context: typer.Context, course: CourseOption = None) -> None:
    """Hand-written gradients, checked and explained. Without a command: where you stand, and what comes next.

    Example: autograd-check check linear
    """
    if course is not None and context.invoked_subcommand is not None:  # --course before a command is meant for the command
        context.default_map = {context.invoked_subcommand: {"course": str(course)}}
    if context.invoked_subcommand is None:
        outline = read_outline(course_root(course))
        tell_broken(outline)
        show(render_standing(outline, stages(outline), columns()))
