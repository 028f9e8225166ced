"""Softplus: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _naive_forward(x):
    return torch.log(1 + torch.exp(x)), x


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    out = [
        value + math.log1p(math.exp(-value)) if value > 0 else math.log1p(math.exp(value)) for value in values
    ]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    slopes = [
        1 / (1 + math.exp(-value)) if value > 0 else math.exp(value) / (1 + math.exp(value))
        for value in cache
    ]
    return torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape) * dout


def _logaddexp_forward(x):
    out = torch.logaddexp(x, torch.zeros_like(x))
    return out, lambda dout: dout * torch.exp(x - out)


def _logaddexp_backward(dout, cache):
    return cache(dout)


def _masked_forward(x):
    right = x > 0
    out = torch.zeros_like(x)
    out[right] = x[right] - torch.log(torch.sigmoid(x[right]))
    out[~right] = torch.log1p(torch.exp(x[~right]))
    return out, {"out": out}


def _masked_backward(dout, cache):
    return -dout * torch.expm1(-cache["out"])


VARIANTS = (
    variant("math and python if", softplus_forward=_loops_forward, softplus_backward=_loops_backward),
    variant(
        "logaddexp, a closure as cache",
        softplus_forward=_logaddexp_forward,
        softplus_backward=_logaddexp_backward,
    ),
    variant(
        "mask assignment, the slope from out",
        softplus_forward=_masked_forward,
        softplus_backward=_masked_backward,
    ),
)
WRONG = (variant("e^x overflows", softplus_forward=_naive_forward),)
