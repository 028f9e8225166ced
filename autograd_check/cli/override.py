"""`autograd-check override`: an instructor's points."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, LessonArgument
from autograd_check.report.console import say
from autograd_check.report.streams import announced

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A graded class: the folder of `grade --out`.")]
StudentArgument = Annotated[str, typer.Argument(metavar="STUDENT", help="As in grades.csv.")]


def override(
    folder: FolderArgument,
    student: StudentArgument,
    lesson: LessonArgument,
    points: Annotated[float, typer.Argument(metavar="POINTS", help="Instead of those that the checker gave.")],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it is kept with the points.")],
    course: CourseOption = None,
) -> None:
    """Give a student's lesson points by hand. They stay when the class is graded again.

    Example: autograd-check override graded ada linear 9 --why "one sign, explained in person"
    """
    with announced("writing the grades"):
        from autograd_check.course.outline import read_outline
        from autograd_check.grade.classroom import course_of
        from autograd_check.grade.classroom import override as give

        most = give(folder, read_outline(course or course_of(folder)), student, lesson, points, why).lessons[lesson].most
    more = f", more than the {most:g} that the lesson has" if points > most else ""
    say(f"{student} · {lesson}: {points:g} points by hand{more}. {folder}/grades.csv is written anew.")
