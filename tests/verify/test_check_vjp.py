"""The public check of a hand-written pair: what it lets through, and what it does not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import autograd_check as ac

X = torch.tensor([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]], dtype=torch.float64)


def square_forward(x: Tensor) -> Any:
    return x * x, x


def oracle(x: Tensor) -> Tensor:
    return x.square()


def test_a_forward_may_return_a_list() -> None:
    assert ac.check_vjp(lambda x: [x * x, x], lambda dout, x: [2 * dout * x], [X], oracle=oracle, names=("x",))


def test_a_small_term_too_much_is_no_float32() -> None:
    report = ac.check_vjp(square_forward, lambda dout, x: dout * (2 * x + 3e-6), [X], oracle=oracle)
    (found,) = [finding for finding in report.findings if (finding.check, finding.subject) == ("autograd", "dx")]
    assert found.status == "failed"
    assert found.message.startswith("6 of 6 entries differ")


def test_float32_on_the_way_is_a_convention() -> None:
    report = ac.check_vjp(square_forward, lambda dout, x: (dout.float() * 2 * x.float()).double(), [X], oracle=oracle)
    assert {finding.status for finding in report.findings if finding.subject == "dx"} == {"passed"}
    assert [finding.check for finding in report.findings if finding.status == "failed"] == ["keeps float64", "keeps float32"]
