"""Softsign: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    return torch.tensor([v / (1 + abs(v)) for v in values], dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    slopes = [1 / (1 + abs(v)) ** 2 for v in cache]
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape)


def _closure_forward(x):
    below = 1 + torch.where(x > 0, x, -x)
    return x / below, lambda dout: dout / below / below


def _closure_backward(dout, cache):
    return cache(dout)


def _early_backward(dout, cache):
    dx = torch.zeros_like(cache)
    for row in range(len(cache)):
        dx[row] = dout[row] / (1 + cache[row].abs()) ** 2
        return dx


VARIANTS = (
    variant("python numbers", softsign_forward=_loops_forward, softsign_backward=_loops_backward),
    variant("a closure as cache", softsign_forward=_closure_forward, softsign_backward=_closure_backward),
)
WRONG = (variant("return inside the loop", softsign_backward=_early_backward),)
