"""A step of a chain whose backward is left out, cut, doubled or of the wrong sign is named; another mistake is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.one_step import one_step
from tests.diagnose.test_counterfactuals import evidence, tensor


def network(x: Tensor, w: Tensor, v: Tensor) -> Tensor:
    """Two layers and a way around them."""
    return torch.tanh(torch.relu(x @ w) @ v) + x


PRIMALS = {"x": tensor(5, 4), "w": tensor(4, 6, seed=1), "v": tensor(6, 4, seed=2)}


def backward(dout: Tensor, x: Tensor, w: Tensor, v: Tensor, slip: str = "") -> tuple[Tensor, Tensor]:
    """dx and dw by hand, with one slip."""
    inner = x @ w
    hidden = inner.clamp(min=0)
    out = torch.tanh(hidden @ v)
    slope = {"slope left out": torch.ones_like(out), "slope at the output": 1 - torch.tanh(out) ** 2}.get(slip, 1 - out**2)
    dhidden = (dout * slope) @ v.T
    dinner = dhidden if slip == "mask" else dhidden * (inner > 0)
    if slip == "sign":
        dinner = -dinner
    if slip == "half a mask":
        dinner = dhidden * (0.5 + 0.5 * (inner > 0))
    around = {"way around cut": 0, "way around twice": 2}.get(slip, 1)
    return dinner @ w.T + around * dout, x.T @ dinner


def slip_in(subject: int, slip: str) -> Callable[..., Tensor]:
    return lambda dout, x, w, v: backward(dout, x, w, v, slip)[subject]


@pytest.mark.parametrize(
    ("subject", "slip", "cause", "says"),
    [
        ("dx", "mask", Cause.MASK_MISSING, "dx is what it would be if the relu passed its cotangent on as it is: the mask of that step is missing."),
        ("dw", "mask", Cause.MASK_MISSING, "dw is what it would be if the relu passed its cotangent on as it is: the mask of that step is missing."),
        ("dw", "slope left out", Cause.MISSING_TERM, "dw is what it would be if the tanh passed its cotangent on as it is: the derivative of that step is missing."),
        ("dx", "slope at the output", Cause.WRONG_OPERAND, "dx is what it would be if the tanh were differentiated at its output: its input belongs there."),
        ("dx", "sign", Cause.SIGN, "dx is what it would be if matmul number 1 of 2 passed its cotangent on with the wrong sign."),
        ("dx", "way around cut", Cause.MISSING_TERM, "dx is what it would be if the add passed nothing on to its second argument: one path is missing."),
    ],
)  # fmt: skip
def test_a_slip_is_named(subject: str, slip: str, cause: Cause, says: str) -> None:
    found = one_step([evidence(network, subject, slip_in(["dx", "dw"].index(subject), slip), PRIMALS)])
    assert found is not None
    assert (found.cause, found.says) == (cause, says)


def test_a_path_counted_twice_is_named() -> None:
    def twice(x: Tensor) -> Tensor:
        return torch.sin(x) + torch.exp(x)

    def wrong(dout: Tensor, x: Tensor) -> Tensor:
        return dout * (2 * torch.cos(x) + torch.exp(x))

    found = one_step([evidence(twice, "dx", wrong, {"x": tensor(6)})])
    assert found is not None
    assert (found.cause, found.evidence["call"]) == (Cause.EXTRA_TERM, "sin")
    assert found.says == "dx is what it would be if the sin passed its cotangent on twice."


@pytest.mark.parametrize("slip", ["half a mask", "way around twice", ""])
def test_another_mistake_is_not(slip: str) -> None:
    assert one_step([evidence(network, "dx", slip_in(0, slip), PRIMALS)]) is None


def test_it_must_hold_on_every_probe() -> None:
    with_slip = evidence(network, "dx", slip_in(0, "mask"), PRIMALS)
    other = evidence(network, "dx", slip_in(0, "half a mask"), PRIMALS | {"x": tensor(5, 4, seed=7)})
    assert one_step([with_slip]) is not None
    assert one_step([with_slip, other]) is None


def test_a_definition_of_one_step_has_nothing_to_leave_out() -> None:
    assert one_step([evidence(torch.tanh, "dx", lambda dout, x: dout, {"x": tensor(6)})]) is None
