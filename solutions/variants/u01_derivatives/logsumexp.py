"""Log-sum-exp: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _naive_forward(x):
    return torch.log(torch.exp(x).sum(-1)), (x, torch.log(torch.exp(x).sum(-1, keepdim=True)))


def _recursive_forward(x):
    if x.dim() > 1:
        outs, caches = zip(*(_recursive_forward(row) for row in x), strict=True)
        return torch.stack(outs), list(caches)
    values = x.tolist()
    largest = max(values)
    powers = [math.exp(value - largest) for value in values]
    return torch.tensor(largest + math.log(sum(powers)), dtype=x.dtype), [
        power / sum(powers) for power in powers
    ]


def _recursive_backward(dout, cache):
    if dout.dim() == 0:
        return dout * torch.tensor(cache, dtype=dout.dtype)
    return torch.stack([_recursive_backward(slope, saved) for slope, saved in zip(dout, cache, strict=True)])


def _shares_forward(x):
    m = torch.amax(x, dim=-1)
    powers = (x - m[..., None]).exp()
    total = powers.sum(dim=-1)
    return total.log() + m, {"shares": powers / total[..., None]}


def _shares_backward(dout, cache):
    return torch.einsum("...,...k->...k", dout, cache["shares"])


def _folded_forward(x):
    out = x[..., 0].clone()
    for k in range(1, x.shape[-1]):
        high, low = torch.maximum(out, x[..., k]), torch.minimum(out, x[..., k])
        out = high + torch.log1p(torch.exp(low - high))
    return out, lambda dout: torch.stack([dout * torch.exp(column - out) for column in x.unbind(-1)], -1)


def _folded_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant(
        "python numbers, row by row",
        logsumexp_forward=_recursive_forward,
        logsumexp_backward=_recursive_backward,
    ),
    variant("the shares as cache", logsumexp_forward=_shares_forward, logsumexp_backward=_shares_backward),
    variant("two entries at a time", logsumexp_forward=_folded_forward, logsumexp_backward=_folded_backward),
)
WRONG = (variant("overflows", logsumexp_forward=_naive_forward),)
