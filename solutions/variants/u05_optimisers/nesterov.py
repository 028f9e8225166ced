"""Nesterov momentum: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _old_velocity(param, grad, state, *, lr, momentum=0.9):
    old = torch.zeros_like(param) if state is None else state
    return param - lr * (grad + momentum * old), momentum * old + grad


def _in_place(param, grad, state, *, lr, momentum=0.9):
    velocity = grad if state is None else momentum * state + grad
    return param.sub_(lr * (grad + momentum * velocity)), velocity


class _Look:
    def __init__(self):
        self.velocity = None

    def ahead(self, grad, momentum):
        self.velocity = grad.clone() if self.velocity is None else self.velocity.mul(momentum).add(grad)
        return torch.add(grad, self.velocity, alpha=momentum)


def _object(param, grad, state, *, lr, momentum=0.9):
    look = state if state is not None else _Look()
    return param.sub(look.ahead(grad, momentum), alpha=lr), look


def _two_jumps(param, grad, state, *, lr, momentum=0.9):
    before = state["jump"] if state else torch.zeros_like(param)
    jump = momentum * before - lr * grad
    return param - momentum * before + (1 + momentum) * jump, {"jump": jump}


def _closure(param, grad, state, *, lr, momentum=0.9):
    velocity = (state(momentum) if state else 0) + grad
    return (param - lr * grad - lr * momentum * velocity, lambda factor: factor * velocity)


VARIANTS = (
    variant("an object as state", nesterov_step=_object),
    variant("two jumps, lr inside", nesterov_step=_two_jumps),
    variant("a closure as state", nesterov_step=_closure),
)
WRONG = (
    variant("the old velocity looks ahead", nesterov_step=_old_velocity),
    variant("param in place", nesterov_step=_in_place),
)
