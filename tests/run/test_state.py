"""A whole optimisation in both executors: states may be any objects, and never leave the side of the code under test."""

from __future__ import annotations

from typing import Any

import torch

from autograd_check.verify.tensors import leaves
from tests.run.conftest import numbers

OBJECT = """
class Velocity:
    def __init__(self):
        self.value = 0

def step(param, grad, state, *, lr, momentum=0.5):
    state = state or Velocity()
    state.value = momentum * state.value + grad
    return param - lr * state.value, state
"""
STARTS = [numbers(2, 3), numbers(4, seed=1)]
GRADIENTS = [[numbers(2, 3, seed=10 + t), numbers(4, seed=50 + t)] for t in range(3)]


def by_hand(lr: float, momentum: float) -> list[list[torch.Tensor]]:
    params, velocities, steps = list(STARTS), [torch.zeros_like(p) for p in STARTS], []
    for grads in GRADIENTS:
        velocities = [momentum * v + g for v, g in zip(velocities, grads, strict=True)]
        params = [p - lr * v for p, v in zip(params, velocities, strict=True)]
        steps.append(params)
    return steps


def test_a_state_may_be_an_object_of_the_students_own_class(open_candidate: Any) -> None:
    outcome = open_candidate(OBJECT).trajectory("step", STARTS, GRADIENTS, {"lr": 0.1, "momentum": 0.9})
    assert outcome.failure is None
    assert outcome.changed == ()
    expected = by_hand(0.1, 0.9)
    assert [[p.shape for p in step] for step in outcome.value] == [[p.shape for p in step] for step in expected]
    for mine, right in zip(leaves(outcome.value), leaves(expected), strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-14, atol=0)


def test_steps_of_all_parameters_together(open_candidate: Any) -> None:
    source = "def step(params, grads, *, lr): return tuple(p - lr * g for p, g in zip(params, grads))"
    outcome = open_candidate(source).trajectory("step", STARTS, GRADIENTS, {"lr": 0.25}, together=True)
    assert outcome.failure is None
    for k, start in enumerate(STARTS):
        torch.testing.assert_close(outcome.value[2][k], start - 0.25 * sum(grads[k] for grads in GRADIENTS))


def test_arguments_that_are_written_into_are_named(open_candidate: Any) -> None:
    source = "def step(param, grad, state, *, lr): return param.sub_(lr * grad), None"
    assert open_candidate(source).trajectory("step", STARTS, GRADIENTS, {"lr": 0.1}).changed == ("param",)


def test_a_gradient_that_is_kept_and_written_into_a_step_later_is_noticed(open_candidate: Any) -> None:
    source = """
def step(param, grad, state, *, lr):
    velocity = grad if state is None else state.mul_(0.9).add_(grad)
    return param - lr * velocity, velocity
"""
    candidate = open_candidate(source)
    assert candidate.trajectory("step", STARTS, GRADIENTS[:1], {"lr": 0.1}).changed == ()
    assert candidate.trajectory("step", STARTS, GRADIENTS, {"lr": 0.1}).changed == ("grad",)


def test_a_step_that_fails_keeps_the_steps_before_it(open_candidate: Any) -> None:
    source = """
def step(param, grad, state, *, lr):
    count = (state or 0) + 1
    if count == 3:
        raise ValueError("the third step")
    return param - lr * grad, count
"""
    outcome = open_candidate(source).trajectory("step", STARTS, GRADIENTS, {"lr": 0.1})
    assert (outcome.failure.cause, outcome.failure.says) == ("crashed", "the third step")
    assert len(outcome.value) == 2


def test_a_step_that_returns_another_form_is_told_what_was_expected(open_candidate: Any) -> None:
    alone = open_candidate("def step(param, grad, state, *, lr): return param - lr * grad")
    outcome = alone.trajectory("step", STARTS, GRADIENTS, {"lr": 0.1})
    assert outcome.failure.cause == "wrong_arity"
    assert outcome.failure.says == "step returned one torch.Tensor, expected (param, state)"
    nothing = open_candidate("def step(params, grads, *, lr): pass")
    outcome = nothing.trajectory("step", STARTS, GRADIENTS, {"lr": 0.1}, together=True)
    assert outcome.failure.says == "step returned None, expected a list of 2 new parameters"


def test_a_parameter_that_is_no_tensor_any_more_ends_the_run(open_candidate: Any) -> None:
    candidate = open_candidate("def step(param, grad, state, *, lr): return float(param.sum()), None")
    outcome = candidate.trajectory("step", STARTS, GRADIENTS, {"lr": 0.1})
    assert outcome.failure is None
    assert [len(outcome.value), type(outcome.value[0][0])] == [1, float]


def test_a_function_that_is_not_there(open_candidate: Any) -> None:
    outcome = open_candidate("x = 1").trajectory("step", STARTS, GRADIENTS)
    assert outcome.failure.cause == "missing"
