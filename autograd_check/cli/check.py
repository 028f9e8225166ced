"""`autograd-check check`: grade lessons, and say in words what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, Format, FormatOption, LessonsArgument, course_root, tell_broken
from autograd_check.course.outline import read_outline
from autograd_check.grade.targets import choose_targets
from autograd_check.report.streams import announced


def check(
    lessons: LessonsArgument = None,
    folder: Annotated[
        Path | None, typer.Option("--lessons", metavar="DIR", help="Where the files are; by default the course's lessons/.")
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", metavar="FILE...", help="Grade these files as the lesson, each on its own."),
    ] = None,
    output: FormatOption = Format.TEXT,
    seed: Annotated[int, typer.Option(help="Of all random numbers of the checks.")] = 0,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every finding; the smallest input that fails, or the reference.")
    ] = False,
    here: Annotated[bool, typer.Option("--in-process", help="Run the code in this process, so that breakpoint() works.")] = False,
    course: CourseOption = None,
) -> None:
    """Check lessons, and say what is wrong.

    Exit code 0 if all passed, 1 if not, 2 if nothing could be checked.

    Example: autograd-check check linear

    Example: autograd-check check u02 lessons/u01_derivatives/cubic.py

    Example: autograd-check check linear --file anna.py ben.py --format json
    """
    with announced("starting"):
        outline = read_outline(course_root(course))
        targets = choose_targets(outline, lessons or [], folder, file or [])
    tell_broken(outline)
    with announced("importing torch"):
        # it takes a second: a wrong name is answered without it
        from autograd_check.course.load import Course
        from autograd_check.grade.checking import grade_all, records_to_dict, remember
        from autograd_check.report.console import columns, show, tracked
        from autograd_check.report.terminal import render_all

    loaded = Course(outline)
    timed = len(targets) == 1 and output is Format.TEXT
    graded = grade_all(loaded, targets, seed=seed, isolated=not here, shrinks=verbose, times=timed)
    records = list(tracked(graded, "checking", len(targets)))
    remember(loaded.root, targets, records)
    if output is Format.JSON:
        typer.echo(json.dumps(records_to_dict(records), indent=2))
    else:
        show(render_all(records, loaded.outline, verbose=verbose, width=columns()))
    raise typer.Exit(0 if all(record.status == "passed" for record in records) else 1)
