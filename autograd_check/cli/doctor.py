"""`autograd-check doctor`: what this machine has."""

from __future__ import annotations

import json

import typer

from autograd_check.cli.options import CourseOption, Format, FormatOption
from autograd_check.report.console import say
from autograd_check.report.streams import announced


def doctor(output: FormatOption = Format.TEXT, course: CourseOption = None) -> None:
    """Show versions, course and confinement.

    Which layers keep a student's process in check here, and why others do not. Exit code 2 if nothing can run.

    Example: autograd-check doctor
    """
    with announced("looking at this machine"):  # at torch and at the isolation of processes
        from autograd_check.report.doctor import examine, render_examination

        found = examine(course)
    if output is Format.JSON:
        typer.echo(json.dumps(found.to_dict(), indent=2))
    else:
        say(render_examination(found))
    raise typer.Exit(0 if found.healthy else 2)
