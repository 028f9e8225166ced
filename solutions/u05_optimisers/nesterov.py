"""Nesterov momentum
=================

Momentum looks at the gradient where it stands, and then jumps with its velocity. Nesterov's idea is to look from where the jump will lead:

    v ← μ v + g
    p ← p − lr (g + μ v)        param p, grad g and velocity v of one shape

The step uses the new velocity once more, as the next step would find it. In this form, torch's, the parameters are those of the look-ahead point
itself, so g is taken at p and no extra evaluation is needed.

Conventions: the velocity starts at 0; `momentum` is 0.9 by default. The state is None on the first call, then whatever your last call returned.
param and grad are never changed in place.
"""


def nesterov_step(param, grad, state, *, lr, momentum=0.9):
    """param, grad of one shape → new param, state."""
    ### BEGIN SOLUTION
    velocity = grad if state is None else momentum * state + grad
    return param - lr * (grad + momentum * velocity), velocity
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course.spec import Lesson, UpdateRule, mistake, variant


def twin(params, *, lr, momentum=0.9):
    return torch.optim.SGD(params, lr=lr, momentum=momentum, nesterov=momentum > 0)


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


LESSON = Lesson(
    name="nesterov",
    title="Nesterov momentum",
    source="Nesterov (1983); Sutskever, Martens, Dahl, Hinton, On the importance of initialization and momentum in deep learning (2013), eq. 3 and 4",
    requires=("momentum",),
    forbids=("optim",),
    points=5,
    minutes=10,
    target=1.0,
    tasks=(
        UpdateRule(
            "nesterov",
            twin=twin,
            hypers=(
                {"lr": 0.1},
                {"lr": 0.01, "momentum": 0.5},
                {"lr": 0.3, "momentum": 0.0},
                {"lr": 1.0, "momentum": 0.99},
                {"lr": 0.0, "momentum": 0.7},
            ),
        ),
    ),
    mistakes=(
        mistake(
            "plain momentum",
            "missing_term",
            "(grad + momentum * velocity)",
            "velocity",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "the old velocity looks ahead",
            "missing_term",
            nesterov_step=_old_velocity,
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "the gradient left out",
            "missing_term",
            "(grad + momentum * velocity)",
            "momentum * velocity",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "the velocity counted in full",
            "wrong_operand",
            "(grad + momentum * velocity)",
            "(grad + velocity)",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "the look ahead is kept",
            "stale_state",
            "velocity), velocity",
            "velocity), grad + momentum * velocity",
        ),
        mistake("velocity forgotten", "stale_state", "velocity), velocity", "velocity), None"),
        mistake(
            "momentum always 0.9",
            "wrong_operand",
            "momentum * velocity",
            "0.9 * velocity",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("uphill", "sign", "param - lr", "param + lr"),
        mistake("param in place", "mutates_input", nesterov_step=_in_place),
    ),
    variants=(
        variant("an object as state", nesterov_step=_object),
        variant("two jumps, lr inside", nesterov_step=_two_jumps),
        variant("a closure as state", nesterov_step=_closure),
    ),
    hints=(
        "The velocity is that of your momentum lesson, unchanged. Only the step is new.",
        "Update the velocity first; the step then uses the new one.",
        "What the state carries is the velocity alone, not the step.",
    ),
)
### END SPEC
