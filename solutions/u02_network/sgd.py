"""Gradient descent
================

The gradient points where the loss grows fastest, so step the other way, lr times as far as the gradient is long:

    p ← p − lr ∂L/∂p      for every parameter p

Here ∂L/∂p comes from your backward passes. Called *stochastic* gradient descent because the gradient is usually taken on a random batch.

Conventions: params and grads are lists of tensors in the same order. The step returns a new list and changes neither of them: a history of
parameters, or a second step tried with another lr, must not see its past rewritten. torch.sub(p, g, alpha=lr) is p − lr g in one pass.
"""

import torch


def sgd_step(params, grads, *, lr):
    """params, grads [tensor, …] → new params [tensor, …]."""
    ### BEGIN SOLUTION
    return [torch.sub(p, g, alpha=lr) for p, g in zip(params, grads, strict=True)]
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.spec import Lesson, UpdateRule, mistake, variant


def _loops(params, grads, *, lr):
    new = []
    for i in range(len(params)):
        step = params[i].clone()
        step -= grads[i] * lr
        new.append(step)
    return new


def _mapped(params, grads, *, lr):
    return tuple(map(lambda p, g: p - lr * g, params, grads))


def _flattened(params, grads, *, lr):
    flat = torch.cat([p.reshape(-1) for p in params]) - lr * torch.cat([g.reshape(-1) for g in grads])
    pieces = flat.split([p.numel() for p in params])
    return [piece.reshape(p.shape).clone() for piece, p in zip(pieces, params, strict=True)]


LESSON = Lesson(
    name="sgd",
    title="Gradient descent",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), algorithm 8.1",
    requires=("initialisation",),
    forbids=("optim",),
    points=5,
    minutes=10,
    target=1.0,
    tasks=(
        UpdateRule(
            "sgd",
            twin=torch.optim.SGD,
            hypers=({"lr": 0.1}, {"lr": 1e-3}, {"lr": 1.0}, {"lr": 0.0}),
            together=True,
        ),
    ),
    mistakes=(
        mistake("uphill", "sign", "torch.sub(", "torch.add("),
        mistake("lr forgotten", "constant_factor", ", alpha=lr", ""),
        mistake("gradient averaged over its entries", "constant_factor", "p, g, alpha", "p, g / g.numel(), alpha"),
        mistake("in place", "mutates_input", "torch.sub(p, g, alpha=lr)", "p.sub_(g, alpha=lr)"),
        mistake("one step for all", "forward_wrong", "p, g, alpha", "p, g.mean(), alpha"),
        mistake("gradients in reverse order", "wrong_shape", "zip(params, grads,", "zip(params, grads[::-1],"),
    ),
    variants=(
        variant("a loop over indices", sgd_step=_loops),
        variant("map over both lists", sgd_step=_mapped),
        variant("one flat vector", sgd_step=_flattened),
    ),
    hints=(
        "One line for one parameter: new value, old value, lr, gradient. Which sign goes downhill?",
        "`p -= …` writes into the caller's tensor; `p - …` makes a new one.",
        "zip(params, grads) walks both lists together; return a list of the new tensors.",
    ),
)
### END SPEC
