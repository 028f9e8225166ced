"""`autograd-check plot`: where a gradient is wrong, and how finite differences see it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, LessonArgument, course_root
from autograd_check.course.outline import read_outline
from autograd_check.grade.targets import choose_targets
from autograd_check.report.console import say
from autograd_check.report.streams import announced


def plot(
    lesson: LessonArgument,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="The file to draw; by default the one in the course's lessons/.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--lessons", metavar="DIR", help="Where the file is; by default the course's lessons/.")
    ] = None,
    probe: Annotated[
        str | None, typer.Option(metavar="NAME", help="On this probe; by default the first where a gradient is wrong.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="PNG, SVG or PDF; by default LESSON.png here.")
    ] = None,
    view: Annotated[bool, typer.Option("--open", help="Show it in the system's viewer as well.")] = False,
    seed: Annotated[int, typer.Option(help="Of all random numbers.")] = 0,
    course: CourseOption = None,
) -> None:
    """Draw where a gradient is wrong.

    A map of the error, and the error of finite differences against their step. The curve is a V:
    truncation on the right, round-off on the left. A wrong gradient has no V but a plateau, since its error is the same at every step. Grey is where a step crosses into another branch of the function.

    Example: autograd-check plot linear --output linear.svg
    """
    outline = read_outline(course_root(course))
    (target,) = choose_targets(outline, [outline.lesson(lesson).name], folder, [file] if file else [])
    place = output or Path(f"{target.lesson}.png")
    # torch and matplotlib take seconds to import: a wrong name is answered without them
    with announced(f"drawing {target.lesson}"):
        from autograd_check.course.load import Course
        from autograd_check.grade.session import Session
        from autograd_check.report.figures import gradients_page, save_figure
        from autograd_check.run.zygote import Zygote

        with Zygote() as zygote:
            drawn = Session(Course(outline), zygote, seed).picture_file(target.lesson, target.path, probe)
        save_figure(gradients_page(drawn, f"{target.shown}, probe: {drawn[0].probe}"), place)
    wrong = ", ".join(picture.subject for picture in drawn if not picture.right)
    say(f"{place}: {f'{wrong} wrong' if wrong else 'every gradient right'} on the probe {drawn[0].probe!r}")
    if view:
        typer.launch(str(place))
