"""Update rules beside torch's optimisers: what is accepted, what is not, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from autograd_check.causes import Cause
from autograd_check.course.spec import UpdateRule
from autograd_check.diagnose.fingerprints import Fingerprint
from autograd_check.grade.context import Context
from autograd_check.grade.kinds import check_task
from autograd_check.grade.trajectory import draw, flat, run
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Kind, Status
from autograd_check.verify.memo import Memo
from tests import support


def twin(params: list[torch.Tensor], *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(params, lr=lr, alpha=alpha, eps=eps)


RMSPROP = UpdateRule("rmsprop", twin, ({"lr": 0.01}, {"lr": 0.1, "alpha": 0.5, "eps": 0.1}))


def right(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
    s = alpha * (torch.zeros_like(grad) if state is None else state) + (1 - alpha) * grad**2
    return param - lr * grad / (s.sqrt() + eps), s


def eps_inside(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
    s = alpha * (torch.zeros_like(grad) if state is None else state) + (1 - alpha) * grad**2
    return param - lr * grad / (s + eps).sqrt(), s


def judge(step: Callable[..., Any], fingerprints: tuple[Fingerprint, ...] = (), task: UpdateRule = RMSPROP) -> list[Finding]:
    with InProcess.of({"rmsprop_step": step}) as candidate:
        return check_task(task, Context(candidate, 0, fingerprints))


def failed(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.check, f.diagnosis.cause if f.diagnosis else "") for f in findings if f.status is Status.FAILED]


class Average:
    def __init__(self) -> None:
        self.value: Any = 0.0

    def see(self, x: Any, alpha: float) -> Any:
        self.value = alpha * self.value + (1 - alpha) * x
        return self.value


def test_a_state_of_ones_own_class_is_fine() -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        state = state or Average()
        return param - lr * grad / (state.see(grad * grad, alpha) ** 0.5 + eps), state

    findings = judge(step)
    assert failed(findings) == []
    assert [f.message for f in findings if f.check == "value"] == ["follows torch.optim for 60 steps"]


def test_a_float32_state_breaks_a_convention_and_nothing_else() -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        s = torch.zeros(param.shape) if state is None else state
        s = (alpha * s + (1 - alpha) * grad**2).float()
        return param - lr * grad / (s.sqrt() + eps), s

    findings = judge(step)
    assert failed(findings) == [("keeps float64", "wrong_dtype")]
    broken = next(f for f in findings if f.status is Status.FAILED)
    assert broken.kind is Kind.CONVENTION
    assert broken.message == (
        "rmsprop_step is right to float32 only, though the parameters are float64; give what you keep in the state their dtype"
    )


def test_an_error_as_small_as_float32_but_systematic_is_an_error() -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        return right(param, grad, state, lr=lr * (1 + 1e-7), alpha=alpha, eps=eps)

    assert failed(judge(step)) == [("value", "constant_factor")]


def test_a_small_term_too_much_is_not_put_down_to_float32() -> None:
    """Its updates are as often too large as too small, and wrong by less than float32 in a state makes them."""

    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        new, s = right(param, grad, state, lr=lr, alpha=alpha, eps=eps)
        return new - 1e-5 * lr * param, s

    assert [check for check, _ in failed(judge(step))] == ["value"]


def test_a_state_kept_in_float32_is_seen_in_the_first_step() -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        new, s = right(param, grad, None if state is None else state.to(grad.dtype), lr=lr, alpha=alpha, eps=eps)
        return new, s.float()

    assert failed(judge(step)) == [("keeps float64", "wrong_dtype")]


def said(findings: list[Finding]) -> str:
    return next(f.diagnosis.says for f in findings if f.status is Status.FAILED and f.diagnosis)


def test_a_wrong_default_is_named() -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.9, eps: float = 1e-8) -> Any:
        return right(param, grad, state, lr=lr, alpha=alpha, eps=eps)

    standing = UpdateRule("rmsprop", twin, (*RMSPROP.hypers, {"lr": 0.0}))
    for task in (RMSPROP, standing):  # where nothing moves every default is right
        findings = judge(step, task=task)
        assert failed(findings) == [("value", "wrong_default")]
        says = "Every run that gives alpha is right, and every run that leaves it out is wrong: look at its default."
        assert said(findings) == says


def test_a_state_for_each_shape_instead_of_each_parameter() -> None:
    states: dict[Any, Any] = {}

    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        before = states.get(param.shape) if state is not None or param.shape in states else None
        new, states[param.shape] = right(param, grad, before, lr=lr, alpha=alpha, eps=eps)
        return new, True

    findings = judge(step)
    assert failed(findings)[0] == ("value", "stale_state")
    assert "each needs its own state" in said(findings)


def test_a_step_with_the_state_of_the_step_before() -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        _, s = right(param, grad, None if state is None else state[0], lr=lr, alpha=alpha, eps=eps)
        late = torch.zeros_like(grad) if state is None else state[1]
        return param - lr * late, (s, grad / (s.sqrt() + eps))

    findings = judge(step)
    assert failed(findings) == [("value", "stale_state")]
    assert "one step late" in said(findings)


@pytest.mark.parametrize("skip", ["a tensor without gradient", "an entry without gradient"])
def test_a_gradient_that_is_zero_now_and_then_is_a_step_like_any_other(skip: str) -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        new, s = right(param, grad, state, lr=lr, alpha=alpha, eps=eps)
        if skip == "a tensor without gradient":
            return (param, state) if state is not None and not grad.any() else (new, s)
        return new, s if state is None else torch.where(grad == 0, state, s)

    assert [check for check, _ in failed(judge(step))] == ["value"]


def test_a_count_of_steps_in_float32_is_no_wrong_formula() -> None:
    """1 − βᵗ loses digits in float32: by one factor at each step, with some betas too large and with others too small."""

    def step(param: Any, grad: Any, state: Any, *, lr: float, betas: Any = (0.9, 0.999), eps: float = 1e-8) -> Any:
        m, v, t = state or (torch.zeros_like(grad), torch.zeros_like(grad), torch.tensor(0.0))
        t = t + 1
        m, v = (b * a + (1 - b) * g for a, b, g in zip((m, v), betas, (grad, grad**2), strict=True))
        m_hat, v_hat = (a / (1 - b**t) for a, b in zip((m, v), betas, strict=True))
        return param - lr * m_hat / (v_hat.sqrt() + eps), (m, v, t)

    lesson = support.lesson("adam")
    with InProcess.of({"adam_step": step}) as candidate:
        assert failed(check_task(lesson.spec.tasks[0], Context(candidate, 0))) == [("keeps float64", "wrong_dtype")]


def test_a_wrong_shape_is_never_excused_by_float32() -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        new, s = right(param, grad, state, lr=lr, alpha=alpha, eps=eps)
        return new.float().double().reshape(-1 if param.dim() == 0 else param.shape), s

    assert failed(judge(step)) == [("value", "wrong_shape")]


def test_a_division_by_zero_where_no_gradient_ever_was() -> None:
    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        return right(param, grad, state, lr=lr, alpha=alpha, eps=0.0)

    assert failed(judge(step)) == [("value", "not_finite")]


def test_a_count_kept_outside_the_state_is_no_state_of_each_parameter() -> None:
    seen = [torch.zeros(())]

    def step(param: Any, grad: Any, state: Any, *, lr: float, alpha: float = 0.99, eps: float = 1e-8) -> Any:
        seen[0] = alpha * seen[0] + (1 - alpha) * (grad**2).mean()
        return param - lr * grad / (seen[0].sqrt() + eps), None

    assert failed(judge(step)) != []


def test_epsilon_inside_the_root_is_seen_and_named_by_the_lessons_own_mistake() -> None:
    def trajectory(primals: Any, hyper: Any, dout: Any) -> dict[str, Any]:
        if "starts" not in primals:
            return {}
        with InProcess.of({"step": eps_inside}) as candidate:
            return {"out": flat(candidate.trajectory("step", primals["starts"], primals["gradients"], hyper).value)}

    findings = judge(eps_inside, (Fingerprint("epsilon inside the root", Cause.WRONG_OPERAND, trajectory),))
    assert failed(findings) == [("value", "wrong_operand")]
    says = findings[0].diagnosis.says  # type: ignore[union-attr]
    assert says.endswith("Your numbers are exactly those of a known mistake: epsilon inside the root.")


def test_a_parameter_of_another_shape() -> None:
    findings = judge(lambda p, g, s, **hyper: (p[None], s))
    assert failed(findings) == [("value", "wrong_shape")]
    assert findings[0].message == "a parameter of shape (3, 4) became one of shape (1, 3, 4)"


def test_a_parameter_that_is_no_tensor() -> None:
    findings = judge(lambda p, g, s, **hyper: (0.5, s))
    assert findings[0].message == "a parameter became float, expected a tensor of shape (3, 4)"


def test_a_step_that_fails_late_says_when() -> None:
    def step(param: Any, grad: Any, state: Any, **hyper: Any) -> Any:
        average, count = state or (None, 1)
        if count == 5:
            raise ZeroDivisionError("the fifth")
        new, average = right(param, grad, average, **hyper)
        return new, (average, count + 1)

    findings = judge(step)
    assert failed(findings) == [("runs", "crashed")]
    assert findings[0].probe == "lr=0.01, step 5"


def test_an_unwritten_step_is_todo_once() -> None:
    def step(param: Any, grad: Any, state: Any, **hyper: Any) -> Any:
        raise NotImplementedError("rmsprop_step")

    assert [finding.status for finding in judge(step)] == [Status.TODO]


@pytest.mark.parametrize("seed", range(3))
def test_the_twin_moves_as_the_formula_says(seed: int) -> None:
    """One step of torch's RMSprop, computed by hand: the trajectory that code is compared with is the right one."""
    with InProcess.of({"rmsprop_step": right}) as candidate:
        one = run(RMSPROP, candidate, {"lr": 0.1, "alpha": 0.5, "eps": 0.1}, seed, Memo())
    starts, gradients = draw(seed, RMSPROP.steps)
    for start, grad, moved in zip(starts, gradients[0], one.twin[0], strict=True):
        torch.testing.assert_close(moved, start - 0.1 * grad / ((0.5 * grad * grad) ** 0.5 + 0.1), rtol=1e-14, atol=0)
    assert one.name == "lr=0.1, alpha=0.5, eps=0.1"
    assert len(one.twin) == len(one.own) == 60
