"""Linear regression: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant
from solutions.u01_derivatives.linear_regression import linear_regression_backward, linear_regression_forward


def _loops_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError(f"shapes differ: {tuple(x.shape)} and {tuple(y.shape)}")
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    slope, offset = float(w), float(b)
    total = sum((slope * u + offset - v) ** 2 for u, v in points)
    return torch.tensor(total / len(points), dtype=x.dtype), (points, slope, offset)


def _loops_backward(dout, cache):
    points, slope, offset = cache
    dw = db = 0.0
    for u, v in points:
        error = slope * u + offset - v
        dw += 2 * error * u / len(points)
        db += 2 * error / len(points)
    return [dout * dw, dout * db]


def _loops_fit(x, y, *, lr, epochs):
    w, b = torch.zeros((), dtype=x.dtype), torch.zeros((), dtype=x.dtype)
    while epochs > 0:
        loss, cache = linear_regression_forward(x, y, w, b)
        dw, db = linear_regression_backward(torch.ones_like(loss), cache)
        w -= lr * dw
        b -= lr * db
        epochs -= 1
    return [w, b]


def _design_forward(x, y, w, b):
    if x.size() != y.size():
        raise ValueError(f"x is {tuple(x.size())}, y is {tuple(y.size())}")
    design = torch.stack([x, torch.ones_like(x)], 1)
    residual = y - design @ torch.stack([w, b])
    return residual @ residual / len(y), {"design": design, "residual": residual}


def _design_backward(dout, cache):
    design, residual = cache["design"], cache["residual"]
    gradient = -2 * dout * design.T @ residual / len(residual)
    return gradient[0].clone(), gradient[1].clone()


def _design_fit(x, y, *, lr, epochs):
    design = torch.stack([x, torch.ones_like(x)], 1)
    theta = torch.zeros(2, dtype=x.dtype)
    for _ in range(epochs):
        theta = theta - lr * 2 * design.T @ (design @ theta - y) / len(y)
    return tuple(theta.unbind())


def _moments_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError("x %s and y %s do not match" % (tuple(x.shape), tuple(y.shape)))

    class Cache:
        xx, xy, mx, my = (x * x).mean(), (x * y).mean(), x.mean(), y.mean()
        slopes = (2 * (w * xx + b * mx - xy), 2 * (w * mx + b - my))

    return torch.mean(torch.square(torch.add(torch.mul(x, w), b).sub(y))), Cache


def _moments_backward(dout, cache):
    return tuple(dout * slope for slope in cache.slopes)


def _moments_fit(x, y, *, lr, epochs):
    parameters = [x.new_zeros(()), x.new_zeros(())]
    for _ in range(epochs):
        gradients = _moments_backward(x.new_ones(()), _moments_forward(x, y, *parameters)[1])
        parameters = [p - lr * g for p, g in zip(parameters, gradients, strict=True)]
    return parameters


def _sequential_fit(x, y, *, lr, epochs):
    w, b = x.new_zeros(()), x.new_zeros(())
    for _ in range(epochs):
        w = w - lr * 2 * ((w * x + b - y) * x).mean()
        b = b - lr * 2 * (w * x + b - y).mean()
    return w, b


def _stale_fit(x, y, *, lr, epochs):
    w, b = x.new_zeros(()), x.new_zeros(())
    error = w * x + b - y
    for _ in range(epochs):
        w, b = w - lr * 2 * (error * x).mean(), b - lr * 2 * error.mean()
    return w, b


VARIANTS = (
    variant(
        "python numbers, in-place steps",
        linear_regression_forward=_loops_forward,
        linear_regression_backward=_loops_backward,
        fit=_loops_fit,
    ),
    variant(
        "design matrix",
        linear_regression_forward=_design_forward,
        linear_regression_backward=_design_backward,
        fit=_design_fit,
    ),
    variant(
        "by moments, a class as cache",
        linear_regression_forward=_moments_forward,
        linear_regression_backward=_moments_backward,
        fit=_moments_fit,
    ),
)
WRONG = (
    variant("b stepped at the new w", fit=_sequential_fit),
    variant("gradient taken once", fit=_stale_fit),
)
