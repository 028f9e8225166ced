"""Silu: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _overflowing_forward(x):
    s = torch.exp(x) / (1 + torch.exp(x))
    return x * s, (x, s)


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    gates = [
        1 / (1 + math.exp(-value)) if value > 0 else math.exp(value) / (1 + math.exp(value))
        for value in values
    ]
    out = [value * gate for value, gate in zip(values, gates, strict=True)]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), [
        gate * (1 + value * (1 - gate)) for value, gate in zip(values, gates, strict=True)
    ]


def _loops_backward(dout, cache):
    return torch.tensor(cache, dtype=dout.dtype).reshape(dout.shape) * dout


def _divided_forward(x):
    below = 1 + torch.exp(-x)
    return x / below, lambda dout: dout / below + dout * (x / below) * (1 - 1 / below)


def _divided_backward(dout, cache):
    return cache(dout)


def _from_out_forward(x):
    gate = torch.tanh(x / 2).add(1).div(2)
    out = x.mul(gate)
    return out, {"out": out, "gate": gate}


def _from_out_backward(dout, cache):
    dx = cache["out"].clone()
    dx += cache["gate"] * (1 - cache["out"])
    dx *= dout
    return dx


VARIANTS = (
    variant("math and python if", silu_forward=_loops_forward, silu_backward=_loops_backward),
    variant("a quotient, a closure as cache", silu_forward=_divided_forward, silu_backward=_divided_backward),
    variant("by tanh, the slope from out", silu_forward=_from_out_forward, silu_backward=_from_out_backward),
)
WRONG = (variant("overflows", silu_forward=_overflowing_forward),)
