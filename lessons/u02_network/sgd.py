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
    raise NotImplementedError("sgd_step: params, grads [tensor, …] → new params [tensor, …].")

# When it is written: autograd-check check sgd
