"""`autograd-check sample`: a class to try `grade` on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, taught_course
from autograd_check.course.outline import read_outline
from autograd_check.report.console import say
from autograd_check.report.streams import announced


def sample(
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="A new folder.")],
    students: Annotated[int, typer.Option(metavar="N", min=1, help="How many students.")] = 30,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same class.")] = 0,
    lessons: Annotated[
        list[str] | None, typer.Option("--lessons", metavar="NAMES", help="What was assigned; by default the first unit.")
    ] = None,
    course: CourseOption = None,
) -> None:
    """Make up a class to try grading on.

    Right, wrong, unfinished, crashing, hostile, late and misnamed files; truth.csv says which is which.

    Example: autograd-check sample class --students 12 --lessons linear,relu,sigmoid
    """
    outline = read_outline(taught_course(course))
    with announced("making up a class"):  # torch takes a second to import
        from autograd_check.course.load import Course
        from autograd_check.grade.sample import write_sample

        count = write_sample(Course(outline), folder, students, seed, lessons or [])
    say(f"{count} files of {students} students in {folder}. Next: autograd-check grade {folder} --out graded")
