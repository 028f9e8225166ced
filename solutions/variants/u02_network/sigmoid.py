"""Sigmoid: other right ways to write it."""

import math

import torch

from autograd_check.course import variant


def _loops_forward(x):
    values = []
    for value in x.reshape(-1).tolist():
        if value >= 0:
            values.append(1 / (1 + math.exp(-value)))
        else:
            values.append(math.exp(value) / (1 + math.exp(value)))
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    slopes = [value * (1 - value) for value in cache]
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape)


def _masked_forward(x):
    out = torch.empty_like(x)
    right = x >= 0
    out[right] = 1 / (1 + torch.exp(-x[right]))
    small = torch.exp(x[~right])
    out[~right] = small / (1 + small)
    return out, {"x": x}


def _masked_backward(dout, cache):
    decay = torch.exp(-cache["x"].abs())
    return dout * decay / (1 + decay) ** 2


def _tanh_forward(x):
    half = torch.tanh(x / 2)
    return 0.5 + 0.5 * half, lambda dout: dout * (1 - half * half) / 4


def _tanh_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant("math and python if", sigmoid_forward=_loops_forward, sigmoid_backward=_loops_backward),
    variant("mask assignment", sigmoid_forward=_masked_forward, sigmoid_backward=_masked_backward),
    variant("by tanh, a closure as cache", sigmoid_forward=_tanh_forward, sigmoid_backward=_tanh_backward),
)
