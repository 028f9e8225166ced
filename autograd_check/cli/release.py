"""`autograd-check release`: a course without its answers, for students."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, taught_course
from autograd_check.course.outline import read_outline
from autograd_check.report.console import say, tracked
from autograd_check.report.streams import announced


def release(
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="A new or empty folder.")],
    course: CourseOption = None,
) -> None:
    """Make a course without answers.

    What an instructor hands out: a folder as `start` makes it, and a package that checks, hints, derives and trains as this
    one does, and gives the same status and points to the same file. It has no line of a reference, a known mistake or another
    solution; what it knows of mistakes are their numbers.

    Example: autograd-check release handout
    """
    outline = read_outline(taught_course(course))
    with announced("importing torch"):
        from autograd_check.cli.rehearse import refuse_wrong_solutions
        from autograd_check.course.load import Course
        from autograd_check.grade.release import recordings
        from autograd_check.grade.release import release as make
        from autograd_check.report.generated import released_text

    loaded = Course(outline).authored()
    with announced("loading the course"):
        lessons = loaded.lessons
    refuse_wrong_solutions(loaded)
    numbers = dict(tracked(recordings(lessons), "recording mistakes", len(lessons)))
    with announced("packing"):
        made = make(loaded, folder, numbers)
    say(released_text(made))
