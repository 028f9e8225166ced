"""Tasks that are no pair of forward and backward: values, optimiser steps, initialisers, claims, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from autograd_check.causes import Cause
from autograd_check.course.draws import normal
from autograd_check.course.spec import Claim, Initialiser, Layer, Plain, Properties, Property, Unanswered, UpdateRule
from autograd_check.grade.context import Context
from autograd_check.grade.kinds import check_task
from autograd_check.requests import Candidate
from autograd_check.run.in_process import InProcess
from autograd_check.verify.candidate import Failure
from autograd_check.verify.finding import Finding, Status
from tests.probes import probe


def judge(task: Any, seed: int = 0, **functions: Callable[..., Any]) -> list[Finding]:
    with InProcess.of(functions) as candidate:
        return check_task(task, Context(candidate, seed))


def bad(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.check, f.diagnosis.cause if f.diagnosis else "") for f in findings if f.status is Status.FAILED]


HALF = Plain(
    "half",
    lambda x: x / 2,
    (probe("a vector", x=normal().of(5)), probe("a number", x=lambda _: torch.tensor(3.0, dtype=torch.float64))),
)


def test_a_plain_value() -> None:
    assert bad(judge(HALF, half=lambda x: x * 0.5)) == []
    assert bad(judge(HALF, half=lambda x: x * 0.5001)) == [("value", "constant_factor")]
    assert bad(judge(HALF, half=lambda x: None)) == [("value", "wrong_type")]
    assert bad(judge(HALF, half=lambda x: (x, x))) == [("value", "wrong_shape")]
    assert bad(judge(HALF, half=lambda x: x.div_(2).clone())) == [("unmodified", "mutates_input")]
    assert bad(judge(HALF, other=lambda x: x)) == [("defined", "missing")]


SGD = UpdateRule("sgd", lambda params, *, lr: torch.optim.SGD(params, lr=lr), ({"lr": 0.1}, {"lr": 0.02}), together=True)
MOMENTUM = UpdateRule(
    "momentum",
    lambda params, *, lr, momentum: torch.optim.SGD(params, lr=lr, momentum=momentum),
    ({"lr": 0.1, "momentum": 0.9},),
)


def test_sgd_follows_its_trajectory() -> None:
    assert bad(judge(SGD, sgd_step=lambda p, g, *, lr: [a - lr * b for a, b in zip(p, g, strict=True)])) == []
    wrong = judge(SGD, sgd_step=lambda p, g, *, lr: [a + lr * b for a, b in zip(p, g, strict=True)])
    assert bad(wrong) == [("value", "sign")]
    assert "The very first step is already different" in wrong[0].diagnosis.says  # type: ignore[union-attr]
    half = judge(SGD, sgd_step=lambda p, g, *, lr: [a - lr * b / 2 for a, b in zip(p, g, strict=True)])
    assert bad(half) == [("value", "constant_factor")]
    assert bad(judge(SGD, sgd_step=lambda p, g, *, lr: None)) == [("value", "wrong_arity")]
    places = judge(SGD, sgd_step=lambda p, g, *, lr: [a.sub_(lr * b) for a, b in zip(p, g, strict=True)])
    assert ("unmodified", "mutates_input") in bad(places)


def test_a_state_that_is_lost_is_right_for_one_step_only() -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, momentum: float) -> Any:
        velocity = grad if state is None else momentum * state + grad
        return param - lr * velocity, velocity

    assert bad(judge(MOMENTUM, momentum_step=step)) == []
    forgetful = judge(MOMENTUM, momentum_step=lambda p, g, s, **k: step(p, g, None, **k))
    assert bad(forgetful) == [("value", "stale_state")]
    words = "The first step is right, so look at what the state carries from step to step, and at how a step uses it."
    assert words in forgetful[0].diagnosis.says  # type: ignore[union-attr]


HE = Initialiser("he", lambda a, b: math.sqrt(2 / a), "normal", ((100, 60), (40, 90)))


def he(a: int, b: int, *, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(a, b, generator=generator, dtype=torch.float64) * math.sqrt(2 / a)


@pytest.mark.parametrize("seed", range(20))
def test_a_right_initialiser_is_never_rejected(seed: int) -> None:
    assert bad(judge(HE, seed, he=he)) == []


def correlated(a: int, b: int, *, generator: torch.Generator) -> torch.Tensor:
    z = he(a, b, generator=generator).reshape(-1)
    return ((z + z.roll(1)) / math.sqrt(2)).reshape(a, b)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (lambda a, b, *, generator: he(a, b, generator=generator) / math.sqrt(2), ("spread", "constant_factor")),
        (lambda a, b, *, generator: he(a, b, generator=generator) * math.sqrt(a / b), ("spread", "constant_factor")),
        (lambda a, b, *, generator: he(a, b, generator=generator).T, ("shape", "transposed")),
        (lambda a, b, *, generator: he(a, b, generator=generator) + 0.05, ("mean", "wrong_distribution")),
        (lambda a, b, *, generator: torch.randn(a, b) * math.sqrt(2 / a), ("generator", "nondeterministic")),
        (correlated, ("independent", "wrong_distribution")),
        (
            lambda a, b, *, generator: (torch.rand(a, b, generator=generator) - 0.5) * math.sqrt(24 / a),
            ("law", "wrong_distribution"),
        ),
    ],
)
def test_a_wrong_initialiser_is_rejected_for_its_reason(wrong: Callable[..., Any], expected: tuple[str, str]) -> None:
    assert expected in bad(judge(HE, he=wrong))


def test_a_claim_that_fails_skips_what_comes_after_it() -> None:
    def holds(candidate: Candidate, seed: int) -> Claim:
        return Claim("as it should be")

    def fails(candidate: Candidate, seed: int) -> Claim:
        return Claim("is not so", "sign")

    def unanswered(candidate: Candidate, seed: int) -> Claim:
        raise Unanswered(Failure(Cause.CRASHED, "no", "ValueError"))

    claims = Properties(("f",), (Property("one", holds), Property("two", fails), Property("three", holds)))
    findings = judge(claims, f=abs)
    assert [f.status for f in findings] == [Status.PASSED, Status.FAILED, Status.SKIPPED]
    assert findings[2].message == "not checked: two does not hold"
    broken = judge(Properties(("f",), (Property("one", unanswered),)), f=abs)
    assert broken[0].message == "f raised ValueError: no"


def refusing(text: str) -> Callable[..., Any]:
    def forward(p: torch.Tensor, y: torch.Tensor) -> Any:
        if p.shape != y.shape:
            raise ValueError(text.format(p=tuple(p.shape), y=tuple(y.shape), a=list(p.shape), b=p.shape, c=y.shape))
        return (p - y).sum(), p

    return forward


LOSS = Layer(
    "loss",
    ("p",),
    lambda p, y: (p - y).sum(),
    (probe("four", p=normal().of(4, 1), y=normal().of(4, 1)),),
    refuses=(probe("column against row", p=normal().of(4, 1), y=normal().of(4)),),
)


def loss_backward(dout: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    return dout * torch.ones_like(p)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{p} and {y}", None),
        ("p is {b}, y is {c}", None),
        ("shapes must agree", "unclear_error"),
        ("p is {p}, which is not what y has", "unclear_error"),
    ],
)
def test_a_refusal_names_both_shapes(text: str, cause: str | None) -> None:
    found = bad(judge(LOSS, loss_forward=refusing(text), loss_backward=loss_backward))
    assert found == ([] if cause is None else [("refuses", cause)])


def test_a_silent_broadcast_and_another_error_are_told_apart() -> None:
    silent = judge(LOSS, loss_forward=lambda p, y: ((p - y).sum(), p), loss_backward=loss_backward)
    assert bad(silent) == [("refuses", "silent_broadcast")]

    def asserting(p: torch.Tensor, y: torch.Tensor) -> Any:
        if p.shape != y.shape:
            raise TypeError("(4, 1) (4,)")
        return (p - y).sum(), p

    assert bad(judge(LOSS, loss_forward=asserting, loss_backward=loss_backward)) == [("refuses", "wrong_error")]


def test_an_unknown_kind_of_task_is_an_error_of_the_course() -> None:
    with pytest.raises(TypeError, match="add a module to grade/kinds"):
        judge("not a task")
