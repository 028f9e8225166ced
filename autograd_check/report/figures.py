"""Pictures of a check: where a gradient is wrong, and how the error of a finite difference depends on its step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autograd_check.errors import AutogradCheckError
from autograd_check.verify.curve import Curve

try:
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise AutogradCheckError("Figures need matplotlib: pip install 'autograd_check[notebook]'.") from error

# distinguishable with every common colour blindness (Okabe and Ito), and by their line styles in grey
ERROR = {"color": "#0072B2", "marker": "o", "markersize": 4}
TRUNCATION = {"color": "#D55E00", "linestyle": "--"}
ROUNDOFF = {"color": "#009E73", "linestyle": ":"}
FLOOR = 1e-16


def error_map(got: Tensor, expected: Tensor, subject: str) -> Figure:
    """|got − expected| / max|expected| of every entry, on a logarithmic scale; the worst entry is framed.

    A vector is one row; of more than two axes the leading ones are laid out below each other. Raises `ValueError` where the
    shapes differ or there is no entry.
    """
    if got.shape != expected.shape or not got.numel():
        raise ValueError(f"error_map needs two arrays of one shape, got {tuple(got.shape)} and {tuple(expected.shape)}")
    scale = float(expected.abs().max()) or 1.0
    errors = ((got.detach() - expected.detach()).abs() / scale).to(torch.float64).nan_to_num(nan=1.0, posinf=1.0)
    grid = errors.reshape(-1, errors.shape[-1]) if errors.dim() else errors.reshape(1, 1)
    figure = Figure(figsize=(min(3 + 0.3 * grid.shape[1], 9), min(1.6 + 0.3 * grid.shape[0], 9)), layout="constrained")
    axes = figure.subplots()
    top = max(float(grid.max()), 10 * FLOOR)
    image = axes.imshow(grid.clamp_min(FLOOR).numpy(), norm=LogNorm(FLOOR, top), cmap="viridis", aspect="auto")
    worst = divmod(int(grid.argmax()), grid.shape[1])
    axes.plot([worst[1]], [worst[0]], marker="s", markersize=12, fillstyle="none", color="#D55E00")
    axes.set(title=f"{subject}: error relative to its largest entry", xlabel="last axis", ylabel="other axes")
    figure.colorbar(image, ax=axes, label="relative error")
    return figure


def v_curve(curve: Curve) -> Figure:
    """The error of D(h) against h, with its two estimated parts and the step on which the verdict rests."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.loglog(curve.steps, _shown(curve.errors), label="|D(h) − ⟨g, u⟩|", **ERROR)
    axes.loglog(curve.steps[: len(curve.truncation)], _shown(curve.truncation), label="truncation, estimated", **TRUNCATION)
    axes.loglog(curve.steps, _shown(curve.roundoff), label="round-off, measured", **ROUNDOFF)
    axes.axvline(curve.chosen, color="0.3", linewidth=1, label=f"chosen step, {curve.chosen:.1g}")
    if 0 < curve.smooth_below < curve.steps[0]:
        axes.axvspan(curve.smooth_below, curve.steps[0], color="0.9", label="another branch")
    axes.set(xlabel="step h", ylabel="error", title=f"Finite differences of d{curve.primal}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend()
    return figure


def _shown(values: Any) -> list[float]:
    """Values on a logarithmic axis: zeros at the floor, what is no number left out."""
    return [max(value, FLOOR * FLOOR) if value == value else float("nan") for value in values]
