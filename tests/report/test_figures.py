"""Figures show what they say: the worst entry, the V, the chosen step."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.errors import AutogradCheckError, SubmissionError
from autograd_check.grade.pictures import Picture, pictures, step_curve
from autograd_check.report.figures import error_map, gradients_page, save_figure, v_curve
from autograd_check.run.batch import sweep
from autograd_check.run.in_process import InProcess
from autograd_check.verify.candidate import Point

X = torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
DOUT = torch.ones(12, dtype=torch.float64)


def texts(figure: Any) -> list[str]:
    """What the legend of a figure says."""
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def curve_of(forward: Any, gradient: Any, x: Any = X) -> Any:
    return step_curve(lambda points, marks: sweep(forward, points, signatures=marks), Point({"x": x}), {"x": gradient}, DOUT, "x")


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4)])
def test_the_worst_entry_is_framed(shape: tuple[int, ...]) -> None:
    expected = torch.ones(shape, dtype=torch.float64)
    got = expected.clone()
    got.view(-1)[-1] += 0.5
    figure = error_map(got, expected, "dw")
    frame: Any = figure.axes[0].lines[0]
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
    labels = texts(figure)
    assert any(label.startswith("chosen step") for label in labels)
    assert {"truncation, estimated", "round-off, measured"} <= set(labels)
    figure.savefig(io.BytesIO())


def test_where_a_branch_changes_is_shaded() -> None:
    x = X.clone()
    x[0] = 1e-4
    curve = curve_of(torch.relu, (x > 0).to(x.dtype), x)
    assert curve is not None
    assert 0 < curve.smooth_below < curve.steps[0]
    labels = texts(v_curve(curve))
    assert "another branch" in labels


def test_a_forward_that_does_not_run_has_no_curve() -> None:
    def broken(x: Any) -> Any:
        raise RuntimeError("no")

    assert curve_of(broken, X) is None


def candidate_of(lesson: str, **changed: Any) -> InProcess:
    given = {name: changed.get(name, function) for name, function in functions_of(lesson).items()}
    return InProcess.of(given)


def functions_of(lesson: str) -> Any:
    return {name: getattr(import_module(f"solutions.{lesson}"), name) for name in LESSONS[lesson]}


LESSONS = {"u02_network.linear": ("linear_forward", "linear_backward"), "u02_network.mlp": ("mlp_forward", "mlp_backward")}


def lesson_of(lesson: str) -> Any:
    return import_module(f"solutions.{lesson}").LESSON


def test_a_page_has_a_row_for_each_gradient() -> None:
    drawn = pictures(candidate_of("u02_network.linear"), lesson_of("u02_network.linear"))
    assert [picture.subject for picture in drawn] == ["dx", "dw", "db"]
    assert all(picture.right and picture.curve is not None and picture.own is None for picture in drawn)
    figure = gradients_page(drawn, "anna")
    assert figure.get_suptitle() == "anna"
    assert len([axes for axes in figure.axes if "error relative" in axes.get_title()]) == 3
    assert len([axes for axes in figure.axes if axes.get_title().startswith("Finite differences of")]) == 3
    figure.savefig(io.BytesIO())


def test_a_wrong_gradient_has_a_plateau_beside_the_v() -> None:
    def linear_backward(dout: Tensor, cache: Any) -> Any:
        x, w = cache
        return dout @ w.T, x.T @ dout, dout.mean(0)

    drawn = pictures(candidate_of("u02_network.linear", linear_backward=linear_backward), lesson_of("u02_network.linear"))
    wrong = [picture for picture in drawn if not picture.right]
    assert [picture.subject for picture in wrong] == ["db"]
    assert wrong[0].own is not None
    assert min(wrong[0].own.errors) > 0.5 * max(wrong[0].own.errors)
    curve: Any = wrong[0].curve
    labels = texts(v_curve(curve, wrong[0].own))
    assert "the same for your db" in labels


def test_every_parameter_of_a_network_has_its_map() -> None:
    drawn = pictures(candidate_of("u02_network.mlp"), lesson_of("u02_network.mlp"))
    nested = [picture for picture in drawn if picture.subject.startswith("dparams")]
    assert len(nested) == 6
    assert all(picture.curve is None for picture in nested)
    gradients_page(drawn, "mlp").savefig(io.BytesIO())


def test_a_lesson_without_a_backward_has_nothing_to_draw() -> None:
    adam = import_module("solutions.u05_optimisers.adam")
    with pytest.raises(SubmissionError, match="adam has no forward and backward, so there is no gradient to draw"):
        pictures(InProcess.of({"adam_step": adam.adam_step}), adam.LESSON)


def test_a_page_needs_a_picture() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        gradients_page([], "nothing")


def test_agreement_to_rounding_is_right() -> None:
    assert Picture("dx", "a", X * (1 + 1e-15), X, None, None).right
    assert not Picture("dx", "a", X * 1.001, X, None, None).right


def test_a_figure_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(AutogradCheckError, match=r"^The figure could not be written to .*a\.png: No such file or directory\.$"):
        save_figure(error_map(X[:1], X[:1], "dx"), tmp_path / "nowhere" / "a.png")
