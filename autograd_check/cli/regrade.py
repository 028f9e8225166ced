"""`autograd-check regrade`: one file of a class again, as its student would see it."""

from __future__ import annotations

from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, LessonArgument
from autograd_check.cli.override import FolderArgument, StudentArgument
from autograd_check.report.console import columns, say, show
from autograd_check.report.streams import announced


def regrade(
    folder: FolderArgument,
    student: StudentArgument,
    lesson: LessonArgument,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every finding in full.")] = False,
    allow_unsandboxed: Annotated[
        bool, typer.Option("--allow-unsandboxed", help="Run code that nothing confines. Only if you trust the file.")
    ] = False,
    course: CourseOption = None,
) -> None:
    """Grade one student's lesson again.

    From the store; shows what the student would see.

    Example: autograd-check regrade graded ada linear -v
    """
    with announced(f"grading {lesson} of {student}"):
        from autograd_check.course.outline import read_outline
        from autograd_check.grade.classroom import course_of
        from autograd_check.grade.classroom import regrade as again
        from autograd_check.report.terminal import render

        outline = read_outline(course or course_of(folder))
        found = again(folder, outline, student, lesson, allow_unsandboxed=allow_unsandboxed)
    show(render(found.record, verbose=verbose, width=columns()))
    if found.before is not None:
        status, points = found.before
        say(f"\nBefore: {status}, {points:g} points." if found.changed else "\nAs before.")
