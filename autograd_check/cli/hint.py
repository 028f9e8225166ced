"""`autograd-check hint`: one more hint each time."""

from __future__ import annotations

from autograd_check.cli.options import CourseOption, LessonArgument, course_root
from autograd_check.course.outline import read_outline
from autograd_check.course.progress import Progress
from autograd_check.report.console import columns, show
from autograd_check.report.status import render_hint


def hint(lesson: LessonArgument, course: CourseOption = None) -> None:
    """Show the next hint of a lesson.

    Each call goes one step further.

    Example: autograd-check hint linear
    """
    outline = read_outline(course_root(course))
    entry = outline.lesson(lesson)
    progress = Progress.read(outline.root)
    shown = progress.next_hint(entry)
    progress.with_hints(entry.name, shown).save()
    show(render_hint(entry, shown, columns()))
