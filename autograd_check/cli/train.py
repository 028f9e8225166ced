"""`autograd-check train`: train a network with hand-written gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, Format, FormatOption, course_root
from autograd_check.course.outline import read_outline
from autograd_check.report.streams import announced


def train(
    network: Annotated[str, typer.Option(metavar="NAME", help="Which network: mlp, cnn, broadcast_hunt.")] = "mlp",
    ops: Annotated[str, typer.Option(metavar="FOLDER", help="Whose layers: solutions, or lessons (yours).")] = "solutions",
    seed: Annotated[int, typer.Option(help="Of the initial parameters.")] = 0,
    samples: Annotated[int | None, typer.Option(help="Train on a stratified subset of this size; all by default.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the curves to this PNG or SVG file.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the cnn's state there after every epoch, and go on from it.")
    ] = None,
    output: FormatOption = Format.TEXT,
    course: CourseOption = None,
) -> None:
    """Train a network of the course.

    With hand-written gradients only: the reference's, or (--ops lessons) yours.

    Example: autograd-check train --network mlp --ops lessons --plot curves.svg
    """
    outline = read_outline(course_root(course))
    with announced("importing torch"):
        from autograd_check.course.load import Course, importable

    loaded = Course(outline)
    with importable(loaded.source):
        with announced("importing scikit-learn"):
            module = loaded.run_file(loaded.source / "solutions" / "train.py")
        module.train_command(
            network=network,
            ops=ops,
            seed=seed,
            samples=samples,
            plot=plot,
            output=str(output),
            checkpoint=checkpoint,
            root=loaded.root,
        )
