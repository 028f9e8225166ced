"""Finite differences of forwards that return python numbers."""

from __future__ import annotations

from typing import Any

import torch

from autograd_check.run.in_process import InProcess
from autograd_check.verify.candidate import Point
from autograd_check.verify.check import check_pair
from autograd_check.verify.finding import Finding, Kind, Status
from autograd_check.verify.trial import Case, PairNames

NAMES = PairNames("loss_forward", "loss_backward", ("x",), lambda x: (x**2).sum())
CASE = Case("five", Point({"x": torch.linspace(-1, 2, 5, dtype=torch.float64)}))


def judge(factor: float) -> list[Finding]:
    def forward(x: Any) -> Any:
        return (x**2).sum().item(), x

    functions: dict[str, Any] = {"loss_forward": forward, "loss_backward": lambda dout, x: factor * dout * x}
    with InProcess.of(functions) as candidate:
        return check_pair(candidate, NAMES, [CASE])


def test_a_loss_that_ends_in_item_keeps_its_gradient() -> None:
    findings = judge(2.0)
    assert [(f.check, f.kind) for f in findings if f.status is Status.FAILED] == [("type", Kind.CONVENTION)]
    assert ("finite differences", Status.PASSED) in [(f.check, f.status) for f in findings]


def test_and_a_wrong_gradient_beside_it_is_still_wrong() -> None:
    assert ("autograd", "dx") in [(f.check, f.subject) for f in judge(3.0) if f.status is Status.FAILED]
