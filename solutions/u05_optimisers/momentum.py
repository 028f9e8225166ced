"""Momentum
========

Gradient descent zigzags across a narrow valley. A velocity that remembers earlier gradients averages the zigzag away and gathers speed along the
valley:

    v ← μ v + g
    p ← p − lr v        param p, grad g and velocity v of one shape

The velocity starts at 0, so the first step is plain gradient descent. In a steady slope it grows to g / (1 − μ): ten times g for μ = 0.9.

Conventions: this is torch's form, in which lr multiplies the velocity (some books put lr inside it: v ← μ v − lr g). `momentum` is 0.9 by default.
The state is None on the first call, and afterwards whatever your last call returned: any object. param and grad are never changed in place.
"""


def momentum_step(param, grad, state, *, lr, momentum=0.9):
    """param, grad of one shape → new param, state."""
    ### BEGIN SOLUTION
    velocity = grad if state is None else momentum * state + grad
    return param - lr * velocity, velocity
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course.spec import Lesson, UpdateRule, mistake, variant


def twin(params, *, lr, momentum=0.9):
    return torch.optim.SGD(params, lr=lr, momentum=momentum)


def _averaged(param, grad, state, *, lr, momentum=0.9):
    velocity = (0 if state is None else momentum * state) + (1 - momentum) * grad
    return param - lr * velocity, velocity


def _in_place(param, grad, state, *, lr, momentum=0.9):
    velocity = grad if state is None else state.mul_(momentum).add_(grad)
    return param - lr * velocity, velocity


def _rounded(param, grad, state, *, lr, momentum=0.9):
    velocity = torch.zeros(param.shape) if state is None else state
    velocity.mul_(momentum).add_(grad)
    return param - lr * velocity, velocity


class _Velocity:
    def __init__(self, like):
        self.value = torch.zeros_like(like)

    def update(self, grad, momentum):
        self.value = self.value * momentum + grad
        return self.value


def _object(param, grad, state, *, lr, momentum=0.9):
    state = state or _Velocity(param)
    return param - lr * state.update(grad, momentum), state


def _inside(param, grad, state, *, lr, momentum=0.9):
    if state is None:
        state = {"v": torch.zeros_like(param)}
    v = momentum * state["v"] - lr * grad
    return param + v, {"v": v}


def _history(param, grad, state, *, lr, momentum=0.9):
    grads = (state or []) + [grad]
    velocity = torch.zeros_like(param)
    for age, old in enumerate(reversed(grads)):
        velocity = velocity + old * momentum**age
    return [param - lr * velocity, grads]


LESSON = Lesson(
    name="momentum",
    title="Momentum",
    source="Polyak (1964); Sutskever, Martens, Dahl, Hinton, On the importance of initialization and momentum in deep learning (2013), eq. 1 and 2",
    requires=("sgd",),
    forbids=("optim",),
    points=5,
    minutes=10,
    target=1.0,
    tasks=(
        UpdateRule(
            "momentum",
            twin=twin,
            hypers=(
                {"lr": 0.1},
                {"lr": 0.01, "momentum": 0.5},
                {"lr": 0.3, "momentum": 0.0},
                {"lr": 1.0, "momentum": 0.99},
                {"lr": 0.0},
            ),
        ),
    ),
    mistakes=(
        mistake(
            "velocity forgotten",
            "stale_state",
            "return param - lr * velocity, velocity",
            "return param - lr * velocity, None",
        ),
        mistake(
            "the gradient kept for the velocity",
            "stale_state",
            "lr * velocity, velocity",
            "lr * velocity, grad",
        ),
        mistake(
            "momentum on the gradient",
            "wrong_operand",
            "momentum * state + grad",
            "state + momentum * grad",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("averaged: 1 − μ before the gradient", "constant_factor", momentum_step=_averaged),
        mistake(
            "momentum always 0.9",
            "wrong_operand",
            "momentum * state",
            "0.9 * state",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("uphill", "sign", "param - lr", "param + lr"),
        mistake("lr forgotten", "constant_factor", "lr * velocity", "velocity"),
        mistake("lr twice", "constant_factor", "param - lr * velocity", "param - lr * lr * velocity"),
        mistake("the last gradient is written into", "mutates_input", momentum_step=_in_place),
        mistake("float32 velocity", "wrong_dtype", momentum_step=_rounded),
    ),
    variants=(
        variant("an object as state", momentum_step=_object),
        variant("lr inside the velocity", momentum_step=_inside),
        variant("all gradients kept", momentum_step=_history),
    ),
    hints=(
        "What must the second call know that the first call knew? Return it as the state.",
        "The velocity starts at 0. What is μ · 0 + g?",
        "`state.mul_(…)` writes into an object that you may have been handed as grad; `momentum * state` makes a new tensor.",
    ),
)
### END SPEC
