"""`autograd-check update`: a newer course for a folder of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, course_root
from autograd_check.course.outline import read_outline
from autograd_check.report.console import say
from autograd_check.report.streams import announced


def update(
    notebooks: Annotated[bool, typer.Option("--notebooks", help="Add the course's notebooks.")] = False,
    course: CourseOption = None,
) -> None:
    """Bring your folder a newer course.

    New lessons come, and better stubs; what you wrote is never touched.

    Example: autograd-check update

    Example: pip install --upgrade autograd_check && autograd-check update
    """
    outline = read_outline(course_root(course))
    with announced("bringing what is new"):  # loading a course imports torch
        from autograd_check.course.folder import update as bring
        from autograd_check.course.load import Course
        from autograd_check.report.generated import updated_text

        done = bring(Course(outline), notebooks=notebooks)
    say(updated_text(done))
