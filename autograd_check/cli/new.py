"""`autograd-check new-course` and `new-lesson`: files to fill in, for who writes a course."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, course_root


def new_course(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.")],
) -> None:
    """Make a course of your own.

    It has no lessons yet.

    Example: autograd-check new-course my_course
    """
    from autograd_check.course.new import new_course as write

    _written(write(folder), f"Its first lesson: autograd-check new-lesson NAME --course {folder}")


def new_lesson(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called: small letters, digits and _.")],
    unit: Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="u03_activations; by default the last unit.")] = None,
    shapes: Annotated[
        str, typer.Option("--shapes", help="What goes in and comes out, as in 'x[N,D] w[D] -> out[N]'.")
    ] = "x[...] -> out[...]",
    course: CourseOption = None,
) -> None:
    """Begin a lesson of your own.

    Two files with TODO wherever you are to write something: the lesson, and other ways to write it.

    Example: autograd-check new-lesson softsign
    """
    # the shapes of a task import torch
    from autograd_check.course.load import Course
    from autograd_check.course.new import new_lesson as write

    outline = Course.load(course_root(course)).authored().outline
    _written(write(outline, name, unit, shapes), f"Fill in every TODO, then: autograd-check test-lesson {name}")


def _written(files: Sequence[Path], following: str) -> None:
    for file in files:
        typer.echo(f"written: {file}")
    typer.echo(following)
