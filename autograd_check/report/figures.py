"""Pictures of a check: where a gradient is wrong, and how the error of a finite difference depends on its step."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autograd_check.errors import AutogradCheckError
from autograd_check.grade.pictures import Curve, Picture

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns where it cannot keep a cache, which nobody here needs

try:
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ModuleNotFoundError as error:
    raise AutogradCheckError("Figures need matplotlib: pip install 'autograd_check[notebook]'.") from error

# distinguishable with every common colour blindness (Okabe and Ito), and by their line styles in grey
ERROR = {"color": "#0072B2", "marker": "o", "markersize": 4}
TRUNCATION = {"color": "#D55E00", "linestyle": "--"}
OWN = {"color": "#CC79A7", "marker": "x", "linestyle": "-."}
ROUNDOFF = {"color": "#009E73", "linestyle": ":"}
FLOOR = 1e-16


def error_map(got: Tensor, expected: Tensor, subject: str) -> Figure:
    """|got − expected| / max|expected| of every entry, on a logarithmic scale; the worst entry is framed.

    A vector is one row; of more than two axes the leading ones are laid out below each other. Raises `ValueError` where the
    shapes differ or there is no entry.
    """
    grid = _relative_errors(got, expected)
    figure = Figure(figsize=(min(3 + 0.3 * grid.shape[1], 9), min(1.6 + 0.3 * grid.shape[0], 9)), layout="constrained")
    _draw_map(figure, figure.subplots(), grid, subject)
    return figure


def v_curve(curve: Curve, own: Curve | None = None) -> Figure:
    """The error of D(h) against h, with its two estimated parts and the step on which the verdict rests.

    `own`, the same measured against a wrong gradient, is a plateau: its error does not fall with the step.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    _draw_curve(figure.subplots(), curve, own)
    return figure


def gradients_page(pictures: Sequence[Picture], title: str) -> Figure:
    """One row for each gradient: its error map, and its curve where there is one. Raises `ValueError` without a picture."""
    if not pictures:
        raise ValueError("gradients_page needs at least one picture")
    figure = Figure(figsize=(11, 0.6 + 3.4 * len(pictures)), layout="constrained")
    figure.suptitle(title)
    for (left, right), picture in zip(figure.subplots(len(pictures), 2, squeeze=False), pictures, strict=True):
        _draw_map(figure, left, _relative_errors(picture.got, picture.expected), picture.subject)
        if picture.curve is None:
            right.axis("off")
        else:
            _draw_curve(right, picture.curve, picture.own)
    return figure


def _relative_errors(got: Tensor, expected: Tensor) -> Tensor:
    if got.shape != expected.shape or not got.numel():
        raise ValueError(f"error_map needs two arrays of one shape, got {tuple(got.shape)} and {tuple(expected.shape)}")
    scale = float(expected.abs().max()) or 1.0
    errors = ((got.detach() - expected.detach()).abs() / scale).to(torch.float64).nan_to_num(nan=1.0, posinf=1.0)
    return errors.reshape(-1, errors.shape[-1]) if errors.dim() else errors.reshape(1, 1)


def _draw_map(figure: Figure, axes: Any, grid: Tensor, subject: str) -> None:
    top = max(float(grid.max()), 10 * FLOOR)
    image = axes.imshow(grid.clamp_min(FLOOR).numpy(), norm=LogNorm(FLOOR, top), cmap="viridis", aspect="auto")
    worst = divmod(int(grid.argmax()), grid.shape[1])
    axes.plot([worst[1]], [worst[0]], marker="s", markersize=12, fillstyle="none", color="#D55E00")
    axes.set(title=f"{subject}: error relative to its largest entry", xlabel="last axis", ylabel="other axes")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.colorbar(image, ax=axes, label="relative error")


def _draw_curve(axes: Any, curve: Curve, own: Curve | None) -> None:
    floor = 0.01 * min((value for value in curve.roundoff if value > 0), default=FLOOR)
    axes.loglog(curve.steps, _shown(curve.errors, floor), label="|D(h) − ⟨g, u⟩| for the right g", **ERROR)
    axes.loglog(
        curve.steps[: len(curve.truncation)], _shown(curve.truncation, floor), label="truncation, estimated", **TRUNCATION
    )
    axes.loglog(curve.steps, _shown(curve.roundoff, floor), label="round-off, measured", **ROUNDOFF)
    axes.axvline(curve.chosen, color="0.3", linewidth=1, label=f"chosen step, {curve.chosen:.1g}")
    if 0 < curve.smooth_below < curve.steps[0]:
        axes.axvspan(curve.smooth_below, curve.steps[0], color="0.9", label="another branch")
    axes.set(xlabel="step h", ylabel="error", title=f"Finite differences of d{curve.primal}")
    axes.spines[["top", "right"]].set_visible(False)
    if own is not None:
        axes.loglog(own.steps, _shown(own.errors, floor), label=f"the same for your d{own.primal}", **OWN)
    axes.legend(fontsize="small")


def _shown(values: Any, floor: float) -> list[float]:
    """Values on a logarithmic axis: zeros at the floor, what is no number left out."""
    return [max(value, floor) if value == value else float("nan") for value in values]


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that its file's name asks for. Raises `AutogradCheckError` where that is not possible."""
    try:
        figure.savefig(path, dpi=120)
    except (ValueError, OSError) as error:
        raise AutogradCheckError(
            f"The figure could not be written to {path}: {getattr(error, 'strerror', None) or error}."
        ) from error
