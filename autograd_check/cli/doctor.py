"""`autograd-check doctor`: what this machine has."""

from __future__ import annotations

import json

import typer

from autograd_check.cli.options import CourseOption, Format, FormatOption


def doctor(output: FormatOption = Format.TEXT, course: CourseOption = None) -> None:
    """Show versions, course and confinement.

    Which layers keep a student's process in check here, and why others do not. Exit code 2 if nothing can run.

    Example: autograd-check doctor
    """
    # looks at torch and at the isolation of processes
    from autograd_check.report.doctor import examine, render_examination

    found = examine(course)
    typer.echo(json.dumps(found.to_dict(), indent=2) if output is Format.JSON else render_examination(found))
    raise typer.Exit(0 if found.healthy else 2)
