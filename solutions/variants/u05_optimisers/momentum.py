"""Momentum: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


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


VARIANTS = (
    variant("an object as state", momentum_step=_object),
    variant("lr inside the velocity", momentum_step=_inside),
    variant("all gradients kept", momentum_step=_history),
)
WRONG = (
    variant("averaged: 1 − μ before the gradient", momentum_step=_averaged),
    variant("the last gradient is written into", momentum_step=_in_place),
    variant("float32 velocity", momentum_step=_rounded),
)
