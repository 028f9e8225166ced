"""Softmax: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _first_axis_forward(x):
    e = torch.exp(x - x.max(0, keepdim=True).values)
    p = e / e.sum(0, keepdim=True)
    return p, p


def _first_axis_backward(dout, cache):
    return cache * (dout - (dout * cache).sum(0, keepdim=True))


def _rows_forward(x):
    if x.dim() > 1:
        ps, caches = zip(*(_rows_forward(row) for row in x), strict=True)
        return torch.stack(ps), list(caches)
    powers = [math.exp(value - max(x.tolist())) for value in x.tolist()]
    p = [power / sum(powers) for power in powers]
    return torch.tensor(p, dtype=x.dtype), p


def _rows_backward(dout, cache):
    if dout.dim() > 1:
        return torch.stack([_rows_backward(slope, saved) for slope, saved in zip(dout, cache, strict=True)])
    dx = torch.zeros_like(dout)
    for k in range(len(cache)):
        for j in range(len(cache)):
            dx[k] += dout[j] * cache[j] * ((j == k) - cache[k])
    return dx


def _jacobian_forward(x):
    p = torch.exp(x - torch.logsumexp(x, dim=-1, keepdim=True))
    return p, {"jacobian": torch.diag_embed(p) - torch.einsum("...j,...k->...jk", p, p)}


def _jacobian_backward(dout, cache):
    return torch.einsum("...j,...jk->...k", dout, cache["jacobian"])


def _quotient_forward(x):
    powers = (x - x.amax(-1, keepdim=True)).exp()
    total = powers.sum(-1, keepdim=True)

    def backward(dout):
        dpowers = dout / total
        dtotal = -(dout * powers / total**2).sum(-1, keepdim=True)
        return (dpowers + dtotal) * powers

    return powers / total, backward


def _quotient_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant(
        "python numbers and the double sum",
        softmax_forward=_rows_forward,
        softmax_backward=_rows_backward,
    ),
    variant("the whole matrix", softmax_forward=_jacobian_forward, softmax_backward=_jacobian_backward),
    variant(
        "the quotient rule, a closure as cache",
        softmax_forward=_quotient_forward,
        softmax_backward=_quotient_backward,
    ),
)
WRONG = (
    variant(
        "over the first axis", softmax_forward=_first_axis_forward, softmax_backward=_first_axis_backward
    ),
)
