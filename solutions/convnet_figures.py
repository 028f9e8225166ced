"""What the CNN learnt: its loss, the filters of its first layer, and the digits that it gets wrong."""

from __future__ import annotations

from matplotlib.figure import Figure

from solutions.convnet_validation import Result
from solutions.digits import digits

MOST = 12
"""Misclassified digits that are shown."""


def convnet_figure(result: Result) -> Figure:
    """Three panels: the loss of every fold over its epochs, the first fold's filters, misclassified test digits of all folds."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    curves, filters, wrong = figure.subfigures(1, 3, width_ratios=(1.1, 1, 1.1))
    axes = curves.subplots()
    for number, fold in enumerate(result.folds, 1):
        axes.plot(
            range(1, len(fold.losses) + 1),
            fold.losses,
            label=f"fold {number}: {fold.accuracy:.1%}",
            linewidth=1,
        )
    axes.set(xlabel="epoch", ylabel="training loss", yscale="log", title=f"Loss; accuracy {result.mean:.2%}")
    axes.legend(fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    filters.suptitle("Filters of the first layer")
    weights = result.folds[0].params[0][0]
    size = float(weights.abs().max())
    for place, image in zip(filters.subplots(4, 8).flat, weights[:, 0], strict=False):
        place.imshow(image, cmap="PuOr", vmin=-size, vmax=size)
        place.set_axis_off()
    _misclassified(wrong, result)
    return figure


def _misclassified(panel: Figure, result: Result) -> None:
    x, y = digits()
    found = [
        (int(index), int(guess))
        for fold in result.folds
        for index, guess in zip(fold.test, fold.predicted, strict=True)
        if int(guess) != int(y[index])
    ]
    panel.suptitle(
        f"{len(found)} of {len(y)} digits are misread" + (f", {MOST} of them:" if len(found) > MOST else ":")
    )
    places = panel.subplots(3, 4)
    for place in places.flat:
        place.set_axis_off()
    for place, (index, guess) in zip(places.flat, found[:MOST], strict=False):
        place.imshow(x[index, 0], cmap="Greys")
        place.set_title(f"{int(y[index])} read as {guess}", fontsize=8)
