"""Logistic neuron: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _log_of_sigmoid_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError(f"x {tuple(x.shape)} and y {tuple(y.shape)} must have the same shape")
    z = w * x + b
    p = torch.sigmoid(z)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean(), (x, y, z)


def _loops_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError(f"shapes differ: {tuple(x.shape)} and {tuple(y.shape)}")
    total, dw, db = 0.0, 0.0, 0.0
    for feature, truth in zip(x.tolist(), y.tolist(), strict=True):
        z = float(w) * feature + float(b)
        decay = math.exp(-abs(z))
        total += max(z, 0.0) + math.log1p(decay) - truth * z
        slope = (1 / (1 + decay) if z > 0 else decay / (1 + decay)) - truth
        dw, db = dw + slope * feature, db + slope
    n = len(x)
    return torch.tensor(total / n, dtype=x.dtype), (dw / n, db / n)


def _loops_backward(dout, cache):
    return [dout * slope for slope in cache]


def _logaddexp_forward(x, y, w, b):
    if x.size() != y.size():
        raise ValueError(f"x is {tuple(x.size())}, y is {tuple(y.size())}")
    z = torch.stack([x, torch.ones_like(x)], 1) @ torch.stack([w, b])
    loss = torch.logaddexp(z, torch.zeros_like(z)) - z * y
    return loss.sum() / len(loss), {"x": x, "residual": torch.sigmoid(z) - y}


def _logaddexp_backward(dout, cache):
    x, residual = cache["x"], cache["residual"]
    return dout * torch.dot(x, residual) / len(x), dout * residual.mean()


def _signed_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError("x %s and y %s do not match" % (tuple(x.shape), tuple(y.shape)))
    signs = 1 - 2 * y
    wrong = signs * (x * w + b)
    out = torch.empty_like(wrong)
    far = wrong > 0
    out[far] = wrong[far] + torch.log1p(torch.exp(-wrong[far]))
    out[~far] = torch.log1p(torch.exp(wrong[~far]))

    def backward(dout):
        slopes = dout * signs / (1 + torch.exp(-wrong))
        return torch.mean(slopes * x), torch.mean(slopes)

    return out.mean(), backward


def _signed_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant(
        "python numbers", logistic_neuron_forward=_loops_forward, logistic_neuron_backward=_loops_backward
    ),
    variant(
        "design matrix, logaddexp",
        logistic_neuron_forward=_logaddexp_forward,
        logistic_neuron_backward=_logaddexp_backward,
    ),
    variant(
        "by the sign of the error",
        logistic_neuron_forward=_signed_forward,
        logistic_neuron_backward=_signed_backward,
    ),
)
WRONG = (variant("log of a sigmoid", logistic_neuron_forward=_log_of_sigmoid_forward),)
