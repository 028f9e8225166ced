"""Linear regression
=================

A line through N points, and how far it misses them:

    p = w x + b,    loss = 1/N Σₙ (pₙ − yₙ)²      x, y (N,), w, b ()  →  a 0-d tensor

Every point has a slope ∂loss/∂pₙ of its own; w and b reach the loss through all N of them. One w and one b
serve all points, so each collects the slopes of all of them, times what it does to pₙ.

Fitting starts from w = b = 0 and walks downhill, both parameters from the same gradient, `epochs` times:

    w ← w − lr ∂loss/∂w,    b ← b − lr ∂loss/∂b

Conventions: x and y must have one shape. (N, 1) against (N,) would broadcast to N × N pairs without a word,
so it raises a `ValueError` that names both shapes. fit returns w and b as 0-d tensors with the dtype of x.
"""

import torch


def linear_regression_forward(x, y, w, b):
    """Mean of (w x + b − y)².  x, y (N,), w, b () → loss (), cache."""
    raise NotImplementedError("linear_regression_forward: Mean of (w x + b − y)².  x, y (N,), w, b () → los…")


def linear_regression_backward(dout, cache):
    """dout () → dw (), db ()."""
    raise NotImplementedError("linear_regression_backward: dout () → dw (), db ().")


def fit(x, y, *, lr, epochs):
    """x, y (N,) → w (), b () after `epochs` steps of gradient descent from w = b = 0."""
    raise NotImplementedError("fit: x, y (N,) → w (), b () after `epochs` steps of gradient descent from w…")

# When it is written: autograd-check check linear_regression
