"""The student's own numerical gradient: judged by its values, its order, its step, and by what it would let through."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.course.draws import normal, transposed
from autograd_check.course.spec import Checker, Scalar
from autograd_check.grade.context import Context
from autograd_check.grade.kinds import check_task
from autograd_check.requests import Code
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Kind, Status

Numerical = Callable[..., Any]


def off_by_a_thousandth(gradient: Tensor) -> Tensor:
    gradient.view(-1)[gradient.abs().argmax()] *= 1.001
    return gradient


WRONG = {"doubled": lambda g: 2 * g, "sign": lambda g: -g, "zeros": torch.zeros_like, "one entry": off_by_a_thousandth}
TASK = Checker(
    "slope",
    (
        Scalar("cubes", Code("lambda x: (x ** 3 + x).sum()"), normal().of(2, 3), WRONG),
        Scalar("a number", Code("lambda x: torch.exp(x)"), normal().of(), WRONG),
        Scalar(
            "products",
            Code("f", "def f(x):\n    return (x[1:] * x[:-1]).sin().sum() + x.exp().sum()"),
            transposed().of(4, 2),
            WRONG,
        ),
    ),
)


def judge(slope: Numerical, seed: int = 0, task: Checker = TASK) -> list[Finding]:
    with InProcess.of({"slope": slope}) as candidate:
        return check_task(task, Context(candidate, seed))


def failures(findings: list[Finding]) -> dict[str, str]:
    return {f.check: f.diagnosis.cause if f.diagnosis else "" for f in findings if f.status is Status.FAILED}


def places(x: Tensor) -> list[tuple[int, ...]]:
    return list(itertools.product(*map(range, x.shape)))


def differences(f: Any, x: Tensor, rule: Callable[[Any, Tensor, Tensor], Any]) -> Tensor:
    """A rule applied with a step of 1 along each entry."""
    gradient = torch.zeros(x.shape, dtype=x.dtype)
    for place in places(x):
        unit = torch.zeros(x.shape, dtype=x.dtype)
        unit[place] = 1
        gradient[place] = rule(f, x, unit)
    return gradient


def central(f: Any, x: Tensor, *, h: float) -> Tensor:
    return differences(f, x, lambda f, x, unit: (f(x + h * unit) - f(x - h * unit)) / (2 * h))


@pytest.mark.parametrize("seed", range(20))
def test_a_central_difference_passes(seed: int) -> None:
    findings = judge(central, seed)
    assert failures(findings) == {}
    assert {f.check for f in findings} == {
        "values", "second order", "accepts", "catches", "uses the step", "unmodified", "keeps the dtype"
    }  # fmt: skip
    assert all(f.subject == "slope" for f in findings if f.kind is Kind.CONVENTION)


def test_better_rules_and_scaled_steps_pass() -> None:
    def four_points(f: Any, x: Tensor, *, h: float) -> Tensor:
        def rule(f: Any, x: Tensor, unit: Tensor) -> Any:
            near, far = (f(x + k * h * unit) - f(x - k * h * unit) for k in (1, 2))
            return (8 * near - far) / (12 * h)

        return differences(f, x, rule)

    def scaled(f: Any, x: Tensor, *, h: float) -> Tensor:
        def rule(f: Any, x: Tensor, unit: Tensor) -> Any:
            step = h * max(1.0, float((x * unit).sum().abs()))
            return (f(x + step * unit) - f(x - step * unit)) / (2 * step)

        return differences(f, x, rule)

    for seed in range(5):
        assert failures(judge(four_points, seed)) == {}
        assert failures(judge(scaled, seed)) == {}


def test_a_one_sided_difference_is_of_first_order() -> None:
    findings = judge(lambda f, x, *, h: differences(f, x, lambda f, x, unit: (f(x + h * unit) - f(x)) / h))
    found = failures(findings)
    assert found["second order"] == "first_order"
    assert found["values"] == "first_order"
    order = next(f for f in findings if f.check == "second order")
    assert "a central difference's falls to a quarter" in order.message
    assert order.diagnosis is not None
    assert "Take f at x + h and at x − h" in order.diagnosis.says
    assert "catches" not in found  # one-sided numbers still tell a doubled gradient from the right one


def test_wrong_values_are_explained_and_put_to_use() -> None:
    findings = judge(lambda f, x, *, h: 2 * central(f, x, h=h))
    assert failures(findings) == {"values": "constant_factor", "accepts": "constant_factor", "catches": "constant_factor"}
    texts = {f.check: f.message for f in findings}
    assert texts["accepts"] == "with these numbers the right gradient of cubes is refused"
    assert texts["catches"] == "with these numbers a wrong gradient of cubes passes: doubled"
    assert failures(judge(lambda f, x, *, h: -central(f, x, h=h)))["values"] == "sign"
    assert failures(judge(lambda f, x, *, h: torch.zeros_like(x)))["values"] == "zero_gradient"


def test_one_wrong_entry_is_enough() -> None:
    def careless(f: Any, x: Tensor, *, h: float) -> Tensor:
        gradient = central(f, x, h=h)
        gradient.view(-1)[-1] *= 1.0001
        return gradient

    found = failures(judge(careless))
    assert "values" in found


def test_the_step_must_be_used() -> None:
    found = failures(judge(lambda f, x, *, h: central(f, x, h=1e-5)))
    assert found == {"uses the step": "ignores_step"}


def test_x_must_stay_as_it_was() -> None:
    def in_place(f: Any, x: Tensor, *, h: float) -> Tensor:
        gradient = torch.zeros_like(x)
        for place in places(x):
            x[place] += h
            above = float(f(x))
            x[place] -= 2 * h
            gradient[place] = (above - float(f(x))) / (2 * h)
            x[place] += h
        return gradient

    findings = judge(in_place)
    assert failures(findings) == {"unmodified": "mutates_input"}
    assert "slope changed x in place" in next(f for f in findings if f.check == "unmodified").message


def test_stepping_back_is_no_way_to_leave_x_alone() -> None:
    def there_and_back(f: Any, x: Tensor, *, h: float) -> Tensor:
        gradient = torch.zeros_like(x)
        for place in places(x):
            for sign in (1, -1):
                x[place] += sign * h
                gradient[place] += sign * float(f(x)) / (2 * h)
                x[place] -= sign * h  # the very number again for most x
        return gradient

    assert failures(judge(there_and_back)) == {"unmodified": "mutates_input"}


def test_float32_is_a_convention_of_its_own() -> None:
    found = failures(judge(lambda f, x, *, h: central(f, x, h=h).float()))
    assert found == {"keeps the dtype": "wrong_dtype"}


def test_what_is_no_gradient_has_its_own_words() -> None:
    assert failures(judge(lambda f, x, *, h: None))["shape"] == "wrong_shape"
    flat = judge(lambda f, x, *, h: central(f, x, h=h).reshape(-1))
    shape = next(f for f in flat if f.check == "shape")
    assert "expected a tensor like x" in shape.message
    assert shape.diagnosis is not None
    assert failures(judge(lambda f, x, *, h: central(f, x, h=h).to(torch.int64)))["shape"] == "wrong_shape"


def test_crashes_and_gaps_are_told_apart() -> None:
    def crash(f: Any, x: Tensor, *, h: float) -> Tensor:
        raise IndexError("too far")

    def todo(f: Any, x: Tensor, *, h: float) -> Tensor:
        raise NotImplementedError("slope")

    assert failures(judge(crash))["runs"] == "crashed"
    (finding,) = judge(todo)
    assert finding.status is Status.TODO
    with InProcess.of({}) as candidate:
        assert failures(check_task(TASK, Context(candidate, 0))) == {"defined": "missing"}
