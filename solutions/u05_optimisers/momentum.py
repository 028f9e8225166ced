"""Momentum
========

Gradient descent zigzags across a narrow valley. A velocity that remembers earlier gradients averages the
zigzag away and gathers speed along the valley:

    v ← μ v + g
    p ← p − lr v        param p, grad g and velocity v of one shape

The velocity starts at 0, so the first step is plain gradient descent. In a steady slope it grows to
g / (1 − μ): ten times g for μ = 0.9.

Conventions: this is torch's form, in which lr multiplies the velocity (some books put lr inside it:
v ← μ v − lr g). `momentum` is 0.9 by default. The state is None on the first call, and afterwards whatever
your last call returned: any object. param and grad are never changed in place.
"""

import torch


def momentum_step(param, grad, state, *, lr, momentum=0.9):
    """param, grad of one shape → new param, state."""
    ### BEGIN SOLUTION
    velocity = torch.zeros_like(param) if state is None else state
    velocity = momentum * velocity + grad
    return param - lr * velocity, velocity
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import UNSEEN_STATE, Cause, Lesson, UpdateRule, at, edit, wrong

LESSON = Lesson(
    name="momentum",
    title="Momentum",
    source="Polyak (1964); Sutskever, Martens, Dahl, Hinton (2013), eq. 1 and 2 (with lr inside)",
    requires=("sgd",),
    forbids=("optim",),
    points=5,
    minutes=10,
    tasks=(
        UpdateRule(
            twin=torch.optim.SGD,
            hyper=dict(momentum=0.9),
            probes=(
                at(lr=0.1),
                at(lr=0.01, momentum=0.5),
                at(lr=0.3, momentum=0.0),
                at(lr=1.0, momentum=0.99),
                at(lr=0.0),
            ),
        ),
    ),
    mistakes=(
        edit(
            "return param - lr * velocity, velocity",
            "return param - lr * velocity, None",
            "velocity forgotten",
            Cause.STALE_STATE,
        ),
        edit(
            "lr * velocity, velocity",
            "lr * velocity, grad",
            "the gradient kept for the velocity",
            Cause.STALE_STATE,
        ),
        edit(
            "momentum * velocity + grad",
            "velocity + momentum * grad",
            "momentum on the gradient",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        wrong("averaged: 1 − μ before the gradient", Cause.CONSTANT_FACTOR),
        edit(
            "momentum * velocity",
            "0.9 * velocity",
            "momentum always 0.9",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit("param - lr", "param + lr", "uphill", Cause.SIGN),
        edit("lr * velocity", "velocity", "lr forgotten", Cause.CONSTANT_FACTOR),
        edit("param - lr * velocity", "param - lr * lr * velocity", "lr twice", Cause.CONSTANT_FACTOR),
        wrong("the last gradient is written into", Cause.MUTATES_INPUT),
        wrong("float32 velocity", Cause.WRONG_DTYPE),
    ),
    why="The velocity is a running sum of gradients: parts that keep their sign add up, parts that alternate cancel. torch adds the gradient whole, without a factor 1 − β.",
    hints=(
        "What must the second call know that the first call knew? Return it as the state.",
        "The velocity starts at 0. What is μ · 0 + g?",
        "`state.mul_(…)` writes into an object that you may have been handed as grad; `momentum * state` makes a new tensor.",
    ),
)
### END SPEC
