"""`autograd-check start`: a folder of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograd_check.report.console import say
from autograd_check.report.streams import announced


def start(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    notebooks: Annotated[bool, typer.Option("--notebooks", help="With the course's notebooks.")] = False,
    course: Annotated[
        Path | None, typer.Option("--course", metavar="DIR", help="Whose course; by default the one that is installed.")
    ] = None,
) -> None:
    """Make a course folder of your own.

    The lessons to fill in, and no solutions.

    Example: autograd-check start nn
    """
    with announced(f"making {folder}"):  # loading a course imports torch
        from autograd_check.course.folder import start as make
        from autograd_check.report.generated import started_text

        made = make(folder, course, notebooks=notebooks)
    say(started_text(made.outline, str(folder)))
