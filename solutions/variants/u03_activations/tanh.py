"""Tanh: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _textbook_forward(x):
    out = (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))
    return out, out


def _loops_forward(x):
    values = []
    for value in x.reshape(-1).tolist():
        decay = math.expm1(-2 * abs(value))
        values.append(math.copysign(-decay / (2 + decay), value))
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    slopes = [(1 - value) * (1 + value) for value in cache]
    return torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape) * dout


def _sigmoid_forward(x):
    p = torch.sigmoid(2 * x)
    return 2 * p - 1, lambda dout: 4 * p * (1 - p) * dout


def _sigmoid_backward(dout, cache):
    return cache(dout)


def _masked_forward(x):
    out = torch.empty_like(x)
    right = x > 0
    out[right] = 2 / (1 + torch.exp(-2 * x[right])) - 1
    out[~right] = 1 - 2 / (1 + torch.exp(2 * x[~right]))
    return out, {"x": x}


def _masked_backward(dout, cache):
    decay = torch.exp(-2 * cache["x"].abs())
    return dout * 4 * decay / (1 + decay).pow(2)


VARIANTS = (
    variant("math", tanh_forward=_loops_forward, tanh_backward=_loops_backward),
    variant(
        "by the sigmoid, a closure as cache",
        tanh_forward=_sigmoid_forward,
        tanh_backward=_sigmoid_backward,
    ),
    variant("mask assignment", tanh_forward=_masked_forward, tanh_backward=_masked_backward),
)
WRONG = (variant("overflows", tanh_forward=_textbook_forward),)
