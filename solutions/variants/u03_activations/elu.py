"""Elu: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _multiplied_forward(x, *, alpha=1.0):
    right = (x > 0).to(x.dtype)
    out = right * x + (1 - right) * alpha * (torch.exp(x) - 1)
    return out, (x, out, alpha)


def _loops_forward(x, *, alpha=1.0):
    values = x.reshape(-1).tolist()
    out = [value if value > 0 else alpha * math.expm1(value) for value in values]
    slopes = [1.0 if value > 0 else alpha * math.exp(value) for value in values]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), slopes


def _loops_backward(dout, cache):
    return dout * torch.tensor(cache, dtype=dout.dtype).reshape(dout.shape)


def _clamped_forward(x, *, alpha=1.0):
    left = x.clamp(max=0)
    return x.clamp(min=0) + alpha * (
        left.exp() - 1
    ), lambda dout: dout * torch.where(x > 0, 1.0, alpha * left.exp())


def _clamped_backward(dout, cache):
    return cache(dout)


def _masked_forward(x, *, alpha=1.0):
    off = x <= 0
    out = x.clone()
    out[off] = alpha * (torch.exp(x[off]) - 1)
    return out, {"x": x, "off": off, "alpha": alpha}


def _masked_backward(dout, cache):
    dx, off = dout.clone(), cache["off"]
    dx[off] *= cache["alpha"] * torch.exp(cache["x"][off])
    return (dx,)


VARIANTS = (
    variant("math and python if", elu_forward=_loops_forward, elu_backward=_loops_backward),
    variant("clamped, a closure as cache", elu_forward=_clamped_forward, elu_backward=_clamped_backward),
    variant("mask assignment", elu_forward=_masked_forward, elu_backward=_masked_backward),
)
WRONG = (variant("0 times infinity", elu_forward=_multiplied_forward),)
