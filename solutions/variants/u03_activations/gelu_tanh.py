"""Gelu by tanh: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _exponentials_forward(x):
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    t = (torch.exp(u) - torch.exp(-u)) / (torch.exp(u) + torch.exp(-u))
    return x / 2 * (1 + t), (x, t)


def _exact_forward(x):
    cdf = (1 + torch.erf(x / math.sqrt(2))) / 2
    return x * cdf, (x, cdf)


def _exact_backward(dout, cache):
    x, cdf = cache
    return dout * (cdf + x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi))


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    gates = [math.tanh((2 / math.pi) ** 0.5 * value * (1 + 0.044715 * value * value)) for value in values]
    out = [value * (1 + gate) / 2 for value, gate in zip(values, gates, strict=True)]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), (values, gates)


def _loops_backward(dout, cache):
    slopes = []
    for value, gate in zip(*cache, strict=True):
        inner = (2 / math.pi) ** 0.5 * (1 + 3 * 0.044715 * value**2)
        slopes.append((1 + gate + value * (1 - gate) * (1 + gate) * inner) / 2)
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape)


def _sigmoid_forward(x):
    scale = 2 * math.sqrt(2 / math.pi)
    gate = torch.sigmoid(scale * (x + 0.044715 * torch.pow(x, 3)))

    def backward(dout):
        return dout * gate + dout * x * gate * (1 - gate) * (scale + scale * 0.134145 * x * x)

    return x * gate, backward


def _sigmoid_backward(dout, cache):
    return cache(dout)


def _tape_forward(x):
    class Tape:
        half = 0.5 * x
        cube = x * x * x
        inner = 0.7978845608028654 * (x + 0.044715 * cube)
        gate = torch.tanh(inner)

    return Tape.half + Tape.half * Tape.gate, Tape


def _tape_backward(dout, cache):
    dhalf = dout + dout * cache.gate
    dgate = dout * cache.half
    dinner = dgate * (1 - cache.gate.square())
    dx = 0.7978845608028654 * dinner
    dcube = 0.7978845608028654 * 0.044715 * dinner
    x = cache.half + cache.half
    return dx + 3 * dcube * x**2 + 0.5 * dhalf


VARIANTS = (
    variant("math", gelu_tanh_forward=_loops_forward, gelu_tanh_backward=_loops_backward),
    variant(
        "by the sigmoid, a closure as cache",
        gelu_tanh_forward=_sigmoid_forward,
        gelu_tanh_backward=_sigmoid_backward,
    ),
    variant(
        "one step after the other, a class as cache",
        gelu_tanh_forward=_tape_forward,
        gelu_tanh_backward=_tape_backward,
    ),
)
WRONG = (
    variant("tanh overflows", gelu_tanh_forward=_exponentials_forward),
    variant(
        "slope of the exact gelu",
        gelu_tanh_backward=lambda dout, cache: _exact_backward(dout, _exact_forward(cache[0])[1]),
    ),
    variant("the exact gelu", gelu_tanh_forward=_exact_forward, gelu_tanh_backward=_exact_backward),
)
