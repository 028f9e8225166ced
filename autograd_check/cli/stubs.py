"""`autograd-check stubs`: make the lessons folder from the solutions."""

from __future__ import annotations

from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, course_root
from autograd_check.report.console import say


def stubs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if a file is not up to date.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files edited by hand too; backups are kept.")] = False,
    course: CourseOption = None,
) -> None:
    """Make the files that students get.

    They are in lessons/, with the syllabus, and come from solutions/. A lesson whose solution does not pass is not handed out.

    Example: autograd-check stubs --check
    """
    # loading a course imports torch
    from autograd_check.cli.rehearse import refuse_wrong_solutions
    from autograd_check.course.handout import plan, write
    from autograd_check.course.load import Course
    from autograd_check.report.generated import check_text, written_text

    loaded = Course.load(course_root(course)).authored()
    handouts = plan(loaded)
    if check:
        text, fine = check_text(handouts)
    else:
        refuse_wrong_solutions(loaded)
        text, fine = written_text(write(loaded, handouts, force=force))
    say(text)
    raise typer.Exit(0 if fine else 1)
