"""Nesterov momentum
=================

Momentum looks at the gradient where it stands, and then jumps with its velocity. Nesterov's idea is to look
from where the jump will lead:

    v ← μ v + g
    p ← p − lr (g + μ v)        param p, grad g and velocity v of one shape

The step uses the new velocity once more, as the next step would find it. In this form, torch's, the
parameters are those of the look-ahead point itself, so g is taken at p and no extra evaluation is needed.

Conventions: the velocity starts at 0; `momentum` is 0.9 by default. The state is None on the first call, then
whatever your last call returned. param and grad are never changed in place.
"""

import torch


def nesterov_step(param, grad, state, *, lr, momentum=0.9):
    """param, grad of one shape → new param, state."""
    ### BEGIN SOLUTION
    velocity = torch.zeros_like(param) if state is None else state
    velocity = momentum * velocity + grad
    return param - lr * (grad + momentum * velocity), velocity
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import UNSEEN_STATE, Cause, Lesson, UpdateRule, at, edit, wrong


def torchs(params, *, lr, momentum=0.9):
    return torch.optim.SGD(params, lr=lr, momentum=momentum, nesterov=momentum > 0)


LESSON = Lesson(
    name="nesterov",
    title="Nesterov momentum",
    source="Nesterov (1983); Sutskever, Martens, Dahl, Hinton (2013), eq. 3 and 4",
    requires=("momentum",),
    forbids=("optim",),
    points=5,
    minutes=10,
    tasks=(
        UpdateRule(
            twin=torchs,
            probes=(
                at(lr=0.1),
                at(lr=0.01, momentum=0.5),
                at(lr=0.3, momentum=0.0),
                at(lr=1.0, momentum=0.99),
                at(lr=0.0, momentum=0.7),
            ),
        ),
    ),
    mistakes=(
        edit(
            "(grad + momentum * velocity)",
            "velocity",
            "plain momentum",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_STATE,
        ),
        wrong("the old velocity looks ahead", Cause.MISSING_TERM, by_fingerprint=UNSEEN_STATE),
        edit(
            "(grad + momentum * velocity)",
            "momentum * velocity",
            "the gradient left out",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit(
            "(grad + momentum * velocity)",
            "(grad + velocity)",
            "the velocity counted in full",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit(
            "velocity), velocity",
            "velocity), grad + momentum * velocity",
            "the look ahead is kept",
            Cause.STALE_STATE,
        ),
        edit("velocity), velocity", "velocity), None", "velocity forgotten", Cause.STALE_STATE),
        edit(
            "momentum * velocity)",
            "0.9 * velocity)",
            "momentum always 0.9",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit("param - lr", "param + lr", "uphill", Cause.SIGN),
        wrong("param in place", Cause.MUTATES_INPUT),
    ),
    why="The step uses the velocity as it will be after this gradient's own push, g + β v, while the state keeps v alone.",
    hints=(
        "The velocity is that of your momentum lesson, unchanged. Only the step is new.",
        "Update the velocity first; the step then uses the new one.",
        "What the state carries is the velocity alone, not the step.",
    ),
)
### END SPEC
