"""Gradient descent
================

The gradient points where the loss grows fastest, so step the other way, lr times as far as the gradient is
long, for every parameter p with its ∂L/∂p from your backward passes. Called *stochastic* gradient descent
because the gradient is usually taken on a random batch.

Conventions: params and grads are lists of tensors in the same order. The step returns a new list and changes
neither of them: a history of parameters, or a second step tried with another lr, must not see its past
rewritten.
"""


def sgd_step(params, grads, *, lr):
    """params, grads [tensor, …] → new params [tensor, …]."""
    ### BEGIN SOLUTION
    return [p - lr * g for p, g in zip(params, grads, strict=True)]
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course import Cause, Lesson, UpdateRule, at, edit

LESSON = Lesson(
    name="sgd",
    title="Gradient descent",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), algorithm 8.1",
    requires=("initialisation",),
    forbids=("optim",),
    points=5,
    minutes=10,
    tasks=(
        UpdateRule(
            twin=torch.optim.SGD, together=True, probes=(at(lr=0.1), at(lr=1e-3), at(lr=1.0), at(lr=0.0))
        ),
    ),
    mistakes=(
        edit("p - lr * g", "p + lr * g", "uphill", Cause.SIGN),
        edit("lr * g", "g", "lr forgotten", Cause.CONSTANT_FACTOR),
        edit("lr * g", "lr * g / g.numel()", "gradient averaged over its entries", Cause.CONSTANT_FACTOR),
        edit("p - lr * g", "p.sub_(g, alpha=lr)", "in place", Cause.MUTATES_INPUT),
        edit("lr * g", "lr * g.mean()", "one step for all", Cause.FORWARD_WRONG),
        edit(
            "zip(params, grads,", "zip(params, grads[::-1],", "gradients in reverse order", Cause.WRONG_SHAPE
        ),
    ),
    why="The gradient points uphill as steeply as possible, so a small step against it lowers the loss most. New tensors leave the caller's history as it was.",
    hints=(
        "One line for one parameter: new value, old value, lr, gradient. Which sign goes downhill?",
        "`p -= …` writes into the caller's tensor; `p - …` makes a new one.",
        "zip(params, grads) walks both lists together; return a list of the new tensors.",
    ),
)
### END SPEC
