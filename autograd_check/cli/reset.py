"""`autograd-check reset`: start a lesson again."""

from __future__ import annotations

from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, LessonArgument, course_root
from autograd_check.course.outline import read_outline
from autograd_check.report.console import columns, say, wrapped
from autograd_check.report.streams import announced


def reset(
    lesson: LessonArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put the file back that the last reset replaced.")] = False,
    course: CourseOption = None,
) -> None:
    """Put a lesson's empty stub back. Asks first, and keeps a backup of your file, which --undo brings back.

    Example: autograd-check reset linear

    Example: autograd-check reset linear --undo
    """
    outline = read_outline(course_root(course))
    entry = outline.lesson(lesson)
    path = entry.stub.relative_to(outline.root)
    if undo:
        with announced("putting your file back"):
            from autograd_check.course.handout import undo_reset  # imports torch, as below

            kept = undo_reset(outline, entry.name)
        say(f"{path} is as it was." + (f" What stood there: {kept.relative_to(outline.root)}" if kept else ""))
        return
    if not yes and not typer.confirm(
        wrapped(f"Replace {path} by the empty stub? A backup is kept.", columns() - len(" [y/N]: "))
    ):
        typer.echo("Nothing was changed.")
        raise typer.Exit(1)

    with announced("putting the stub back"):  # loading a course imports torch, which a "no" need not wait for
        from autograd_check.course.handout import reset as put_back
        from autograd_check.course.load import Course

        backup = put_back(Course(outline), entry.name)
    say(f"{path} is the stub again." + (f" Your file: {backup.relative_to(outline.root)}" if backup else ""))
    if backup:
        say(f"To have it back: autograd-check reset {entry.name} --undo")
