"""Gelu: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _tanh_forward(x):
    t = torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return x * (1 + t) / 2, (x, t)


def _tanh_backward(dout, cache):
    x, t = cache
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return dout * ((1 + t) / 2 + x * (1 - t**2) * slope / 2)


def _quick_forward(x):
    return x * torch.sigmoid(1.702 * x), (x, (1 + torch.erf(x / math.sqrt(2))) / 2)


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    out = [value * math.erfc(-value / math.sqrt(2)) / 2 for value in values]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    dx = torch.empty_like(dout).reshape(-1)
    for position, (slope, value) in enumerate(zip(dout.reshape(-1).tolist(), cache, strict=True)):
        density = math.exp(-value * value / 2) / math.sqrt(2 * math.pi)
        dx[position] = slope * (math.erfc(-value / math.sqrt(2)) / 2 + value * density)
    return dx.reshape(dout.shape)


def _chained_forward(x):
    u = x * 0.5**0.5
    gate = torch.erf(u).add(1).mul(0.5)

    def backward(dout):
        dgate, dx = dout * x, dout * gate
        du = 0.5 * dgate * 2 / math.pi**0.5 * torch.exp(-u * u)
        return dx + du * 0.5**0.5

    return gate * x, backward


def _chained_backward(dout, cache):
    return cache(dout)


def _slope_forward(x):
    cdf = torch.special.ndtr(x)
    density = torch.exp(-0.5 * torch.square(x) - 0.5 * math.log(2 * math.pi))
    return torch.einsum("...,...->...", x, cdf), {"slope": torch.addcmul(cdf, x, density)}


def _slope_backward(dout, cache):
    return [dout * cache["slope"]]


VARIANTS = (
    variant("math and erfc", gelu_forward=_loops_forward, gelu_backward=_loops_backward),
    variant(
        "step by step, a closure as cache", gelu_forward=_chained_forward, gelu_backward=_chained_backward
    ),
    variant("the slope as cache", gelu_forward=_slope_forward, gelu_backward=_slope_backward),
)
WRONG = (
    variant("the tanh approximation", gelu_forward=_tanh_forward, gelu_backward=_tanh_backward),
    variant("the sigmoid approximation", gelu_forward=_quick_forward),
)
