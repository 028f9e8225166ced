"""Relu: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _magnitude_forward(x):
    return x.abs(), None


def _magnitude_backward(dout, cache):
    return dout.clone()


def _loops_forward(x):
    values = [value if value > 0 else 0.0 for value in x.reshape(-1).tolist()]
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape), x.tolist()


def _loops_backward(dout, cache):
    def gate(gradient, value):
        if isinstance(value, list):
            return [gate(g, v) for g, v in zip(gradient, value, strict=True)]
        return gradient if value > 0 else 0.0

    return torch.tensor(gate(dout.tolist(), cache), dtype=dout.dtype)


def _masked_forward(x):
    out = x.clone()
    off = x <= 0
    out[off] = 0
    return out, {"off": off}


def _masked_backward(dout, cache):
    dx = dout.clone()
    dx[cache["off"]] = 0
    return dx


def _where_forward(x):
    def backward(dout):
        return torch.where(x > 0, dout, torch.zeros_like(dout))

    return torch.where(x > 0, x, torch.zeros_like(x)), backward


def _where_backward(dout, cache):
    return cache(dout)


def _half_forward(x):
    return (x + x.abs()) / 2, x.sign()


def _half_backward(dout, cache):
    return dout * cache * (cache + 1) / 2


VARIANTS = (
    variant("python numbers", relu_forward=_loops_forward, relu_backward=_loops_backward),
    variant("mask assignment", relu_forward=_masked_forward, relu_backward=_masked_backward),
    variant("where, and a closure as cache", relu_forward=_where_forward, relu_backward=_where_backward),
    variant("half of x + |x|", relu_forward=_half_forward, relu_backward=_half_backward),
)
WRONG = (variant("keeps the magnitude", relu_forward=_magnitude_forward, relu_backward=_magnitude_backward),)
