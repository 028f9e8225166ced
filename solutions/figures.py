"""The curves of the story: loss and accuracy, before and after the broadcast is fixed."""

from __future__ import annotations

from pathlib import Path

from autograd_check.errors import CourseError

try:
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise CourseError("Figures need matplotlib: pip install 'autograd_check[train]'.") from error

from solutions.seed_bug import Curves

# distinguishable with every common colour blindness (Okabe and Ito), and by their line styles in grey
BEFORE = {"color": "#D55E00", "linestyle": "--"}
AFTER = {"color": "#0072B2", "linestyle": "-"}


def story_figure(before: Curves, after: Curves, baseline: float) -> Figure:
    """Two panels over the epochs: the loss, and the reported accuracy with the share of the larger class beside it."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for curves, style, label in ((before, BEFORE, "(N, 1) against (N,)"), (after, AFTER, "fixed")):
        epochs = range(1, len(curves.loss) + 1)
        loss.plot(epochs, curves.loss, label=label, **style)
        accuracy.plot(epochs, curves.reported_accuracy, label=label, **style)
    accuracy.axhline(
        baseline, color="0.5", linewidth=0.8, linestyle=":", label=f"larger class, {baseline:.1%}"
    )
    loss.set(xlabel="epoch", ylabel="loss", ylim=(0, None), title="Loss")
    accuracy.set(xlabel="epoch", ylabel="reported accuracy", ylim=(0, 1.03), title="Accuracy")
    for axes in (loss, accuracy):
        axes.legend()
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def check_path(path: Path) -> None:
    """Whether a figure can be written there, before the work that it would show.

    Raises:
        CourseError: an ending that is not .png or .svg, or no such folder.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise CourseError(
            f"--plot writes .png or .svg, not {path.suffix or 'a file without an ending'!r} ({path})."
        )
    if not path.parent.is_dir():
        raise CourseError(f"--plot cannot write {path}: there is no folder {path.parent}.")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, by the ending of `path`.

    Raises:
        CourseError: the file cannot be written.
    """
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise CourseError(f"The figure could not be written to {path}: {error.strerror}.") from error
