"""`autograd-check bench`: how fast the reference is beside torch."""

from __future__ import annotations

import json

import typer

from autograd_check.cli.options import CourseOption, Format, FormatOption, LessonsArgument, course_root
from autograd_check.course.outline import read_outline
from autograd_check.report.console import say
from autograd_check.report.streams import announced


def bench(lessons: LessonsArgument = None, output: FormatOption = Format.TEXT, course: CourseOption = None) -> None:
    """Time the reference beside torch.

    Its passes beside torch's own forward and autograd, on one thread. How fast your own code is stands under the verdict of `check`, once it passes.

    Example: autograd-check bench linear mlp --format json
    """
    outline = read_outline(course_root(course))
    names = [entry.name for name in lessons or [] for entry in outline.lessons_of(name)]
    with announced("timing"):  # torch takes a second to import: a wrong name is answered without it
        from autograd_check.course.load import Course
        from autograd_check.grade.bench import bench_course
        from autograd_check.report.timings import render_timings, timings_to_dict

        timings = list(bench_course(Course(outline), names))
    if output is Format.JSON:
        typer.echo(json.dumps(timings_to_dict(timings), indent=2))
    else:
        say(render_timings(timings))
