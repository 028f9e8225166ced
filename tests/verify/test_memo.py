"""Checks that share what they can say what they say alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import Function

import autograd_check as ac
from autograd_check.grade.session import Session
from autograd_check.verify.memo import Memo
from tests import support


class HalfTanh(Function):
    """tanh with half of its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = torch.tanh(x)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (out,) = ctx.saved_tensors
        return grad * (1 - out * out) / 2


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


X, W = draw(4, 3), draw(3, 2, seed=1)
CHECKS: dict[str, tuple[Any, Any]] = {
    "tanh": (torch.tanh, X),
    "exp": (torch.exp, (X,)),
    "product": (torch.matmul, (X, W)),
    "half": (HalfTanh.apply, (X,)),
    "two outputs": (lambda x: (x.sin(), x.sum()), (X,)),
}


def test_a_thing_is_made_once_for_its_owners_and_again_for_others() -> None:
    memo, made = Memo(), []

    def make() -> int:
        made.append(0)
        return len(made)

    assert [memo.once("a", [X], make), memo.once("a", [X], make)] == [1, 1]
    assert [memo.once("b", [X], make), memo.once("a", [W], make), memo.once("a", [X, W], make)] == [2, 3, 4]


def test_an_owner_lives_as_long_as_what_was_made_for_it() -> None:
    memo = Memo()
    places = {id(tensor): memo.once("sum", [tensor], partial(float, tensor)) for tensor in map(torch.tensor, range(50))}
    assert sorted(places.values()) == [float(number) for number in range(50)]


@pytest.mark.parametrize("seed", [0, 3])
def test_every_report_is_the_one_that_the_function_gets_alone(seed: int) -> None:
    together = ac.gradcheck_all(CHECKS, raise_exception=False, seed=seed)
    assert [report.name for report in together] == list(CHECKS)
    for name, (fn, inputs) in CHECKS.items():
        alone = ac.gradcheck(fn, inputs, raise_exception=False, seed=seed)
        assert together[name].to_dict()["findings"] == alone.to_dict()["findings"]


def test_directions_are_drawn_once_for_one_input(monkeypatch: pytest.MonkeyPatch) -> None:
    from autograd_check.verify import rays as probes

    drawn: list[int] = []
    original = vars(probes)["draw_directions"]

    def counted(*given: Any) -> Any:
        drawn.append(0)
        return original(*given)

    monkeypatch.setattr(probes, "draw_directions", counted)
    ac.gradcheck_all({"tanh": (torch.tanh, X), "exp": (torch.exp, X), "sin": (torch.sin, X)})
    assert len(drawn) == 1


def test_all_functions_are_checked_before_an_error_names_those_that_failed() -> None:
    with pytest.raises(ac.GradientError) as caught:
        ac.gradcheck_all(CHECKS)
    text = str(caught.value)
    assert text.startswith("4 of 5 passed\n\nhalf · failed")
    assert "constant_factor" in text
    assert "product" not in text


def test_the_reports_speak_for_themselves() -> None:
    reports = ac.gradcheck_all(CHECKS, raise_exception=False)
    assert not reports
    assert len(reports) == 5
    assert reports.to_dict()["reports"][3]["status"] == "failed"
    assert "4 of 5 passed" in reports._repr_html_()
    assert "half" in reports._repr_html_()
    assert str(reports).split() == reports.to_text().split()
    assert str(reports["half"]).split() == reports["half"].to_text().split()
    with pytest.raises(KeyError, match="no report is called 'sigmoid'; there are tanh, exp"):
        reports["sigmoid"]
    assert ac.gradcheck_all({"tanh": CHECKS["tanh"]})


def test_a_function_without_a_differentiable_input_is_named() -> None:
    with pytest.raises(ValueError, match="plain: gradcheck expects at least one input tensor with requires_grad=True"):
        ac.gradcheck_all({"tanh": CHECKS["tanh"], "plain": (torch.exp, (X.detach(),))})


def test_files_graded_together_are_judged_as_they_are_alone(tmp_path: Path) -> None:
    course = support.course()
    right = course.lesson("linear").reference_source()
    wrong = right.replace("dout.sum(0)", "dout.mean(0)")
    assert wrong != right
    paths = []
    for name, source in (("anna", right), ("ben", wrong), ("cem", right)):
        paths.append(tmp_path / f"{name}.py")
        paths[-1].write_text(source)
    together = Session(course)
    for path in paths:
        one, other = together.grade_file("linear", path), Session(course).grade_file("linear", path)
        assert one.to_dict() == other.to_dict()
    assert [str(together.grade_file("linear", path).status) for path in paths] == ["passed", "failed", "passed"]
