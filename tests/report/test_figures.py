"""Figures show what they say: the worst entry, the V, the chosen step."""

from __future__ import annotations

import io

import pytest
import torch

from autograd_check.report.figures import error_map, v_curve
from autograd_check.verify.candidate import Point
from autograd_check.verify.curve import step_curve
from autograd_check.verify.sweep import sweep

X = torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
DOUT = torch.ones(12, dtype=torch.float64)


def curve_of(forward, gradient, x=X):
    return step_curve(lambda points, marks: sweep(forward, points, signatures=marks), Point({"x": x}), {"x": gradient}, DOUT, "x")


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4)])
def test_the_worst_entry_is_framed(shape: tuple[int, ...]) -> None:
    expected = torch.ones(shape, dtype=torch.float64)
    got = expected.clone()
    got.view(-1)[-1] += 0.5
    figure = error_map(got, expected, "dw")
    (frame,) = figure.axes[0].lines
    columns = shape[-1] if shape else 1
    assert (frame.get_xdata()[0], frame.get_ydata()[0]) == (columns - 1, expected.numel() // columns - 1)
    assert "dw" in figure.axes[0].get_title()
    figure.savefig(io.BytesIO())


def test_an_error_map_needs_one_shape() -> None:
    with pytest.raises(ValueError, match=r"one shape, got \(2,\) and \(3,\)"):
        error_map(torch.ones(2), torch.ones(3), "dw")


def test_the_error_is_a_v_and_the_chosen_step_is_near_its_bottom() -> None:
    curve = curve_of(torch.exp, X.exp())
    assert curve is not None
    lowest = curve.steps[min(range(len(curve.errors)), key=lambda k: curve.errors[k])]
    assert curve.errors[0] > 1e3 * min(curve.errors)
    assert curve.errors[-1] > 4 * min(curve.errors)
    assert lowest / 300 < curve.chosen < 300 * lowest
    assert curve.smooth_below == curve.steps[0]
    figure = v_curve(curve)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert any(label.startswith("chosen step") for label in labels)
    assert {"truncation, estimated", "round-off, measured"} <= set(labels)
    figure.savefig(io.BytesIO())


def test_where_a_branch_changes_is_shaded() -> None:
    x = X.clone()
    x[0] = 1e-4
    curve = curve_of(torch.relu, (x > 0).to(x.dtype), x)
    assert curve is not None
    assert 0 < curve.smooth_below < curve.steps[0]
    labels = [text.get_text() for text in v_curve(curve).axes[0].get_legend().get_texts()]
    assert "another branch" in labels


def test_a_forward_that_does_not_run_has_no_curve() -> None:
    def broken(x):
        raise RuntimeError("no")

    assert curve_of(broken, X) is None
