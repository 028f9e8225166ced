"""`autograd-check test-lesson`: whether a lesson is fit to be handed out, for who writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from autograd_check.cli.options import CourseOption, LessonArgument, course_root, tell_broken

if TYPE_CHECKING:
    from autograd_check.course.load import Course


def rehearse_lesson(lesson: LessonArgument, course: CourseOption = None) -> None:
    """Try out a lesson that you write.

    Stub, solution, mistakes, variants, hints, order: whatever is missing or wrong, with file and line.

    Example: autograd-check test-lesson linear
    """
    # loading a course imports torch
    from autograd_check.course.load import Course
    from autograd_check.grade.rehearsal import rehearse

    loaded = Course.load(course_root(course)).authored()
    found = rehearse(loaded, lesson)
    if found.lesson not in loaded.outline.broken:
        tell_broken(loaded.outline)
    for fault in found.faults:
        typer.echo(fault)
    if found.faults:
        count = len(found.faults)
        typer.echo(f"\n{found.lesson} is not fit to be handed out yet: {count} thing{'s' if count > 1 else ''} to do.")
        if found.untried:
            typer.echo(f"{found.untried} are tried once {'these are' if count > 1 else 'this is'} done.")
        raise typer.Exit(1)
    for line in found.tried:
        typer.echo(f"  {line}")
    typer.echo(f"{found.lesson} is fit to be handed out: autograd-check stubs")


def refuse_wrong_solutions(course: Course) -> None:
    """Raise `CourseError` where a solution does not pass: nobody could, and what is handed out says so to nobody."""
    from autograd_check.errors import CourseError
    from autograd_check.grade.rehearsal import wrong_solutions
    from autograd_check.report.console import tracked

    tried = tracked(wrong_solutions(course), "trying the solutions", len(course.lessons))
    if faults := [fault for found in tried for fault in found]:
        raise CourseError("\n".join(faults))
