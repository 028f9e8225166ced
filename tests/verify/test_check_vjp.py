"""The public check of a hand-written pair: what it lets through, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest
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


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network_forward(x: Tensor, params: Any) -> Any:
    caches = []
    for w, b in params:
        y = (x @ w + b).tanh()
        caches.append((x, w, y))
        x = y
    return x, caches


def untaped_forward(x: Tensor, params: Any) -> Any:
    with torch.no_grad():
        return network_forward(x, params)


def network_backward(dout: Tensor, caches: Any) -> Any:
    grads = []
    for x, w, y in reversed(caches):
        dz = dout * (1 - y * y)
        grads.append((x.T @ dz, dz.sum(0)))
        dout = dz @ w.T
    return dout, grads[::-1]


def spoilt_backward(dout: Tensor, caches: Any) -> Any:
    dx, grads = network_backward(dout, caches)
    grads[1][0][2, 1] *= 1.01
    return dx, grads


PARAMS = [(normal(1, 4, 5), normal(2, 5)), (normal(3, 5, 3), normal(4, 3)), (normal(5, 3, 2), normal(6, 2))]


def test_the_parameters_of_a_network_are_checked_one_by_one() -> None:
    assert ac.check_vjp(network_forward, network_backward, (normal(0, 6, 4), PARAMS))


@pytest.mark.parametrize("forward", [network_forward, untaped_forward])
def test_a_wrong_entry_inside_a_nest_is_located(forward: Any) -> None:
    report = ac.check_vjp(forward, spoilt_backward, (normal(0, 6, 4), PARAMS))
    (found,) = [finding for finding in report.findings if finding.status == "failed"]
    assert found.subject == "dparams"
    assert found.mismatch is not None
    assert (found.mismatch.wrong, found.mismatch.total, found.mismatch.index) == (1, 15, (2, 1))
    assert "dparams[1][0]: 1 of 15 entries differ, worst at [2, 1]" in found.message
    assert found.diagnosis is not None
    assert found.diagnosis.says.startswith("dparams[1][0] is wrong in 1 of 15 entries, at [2, 1], and it is none")


def test_a_cause_inside_a_nest_is_named() -> None:
    def averaged(dout: Tensor, caches: Any) -> Any:
        dx, grads = network_backward(dout, caches)
        return dx, [(dw, db / 6) for dw, db in grads]

    report = ac.check_vjp(network_forward, averaged, (normal(0, 6, 4), PARAMS))
    (found,) = [finding for finding in report.findings if finding.status == "failed"]
    assert found.diagnosis is not None
    assert found.diagnosis.cause == "extra_batch_mean"
    assert "Every entry of dparams[0][1] is exactly 1/6 of the right value" in found.diagnosis.says
