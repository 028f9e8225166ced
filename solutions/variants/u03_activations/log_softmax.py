"""Log-softmax: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _log_of_softmax_forward(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    out = torch.log(e / e.sum(-1, keepdim=True))
    return out, out


def _first_axis_forward(x):
    shifted = x - x.max(0, keepdim=True).values
    out = shifted - torch.log(torch.exp(shifted).sum(0, keepdim=True))
    return out, out


def _first_axis_backward(dout, cache):
    return dout - torch.exp(cache) * dout.sum(0, keepdim=True)


def _rows_forward(x):
    if x.dim() > 1:
        outs, caches = zip(*(_rows_forward(row) for row in x), strict=True)
        return torch.stack(outs), list(caches)
    values = x.tolist()
    total = max(values) + math.log(sum(math.exp(value - max(values)) for value in values))
    return torch.tensor([value - total for value in values], dtype=x.dtype), [
        math.exp(value - total) for value in values
    ]


def _rows_backward(dout, cache):
    if dout.dim() > 1:
        return torch.stack([_rows_backward(slope, saved) for slope, saved in zip(dout, cache, strict=True)])
    total = sum(dout.tolist())
    return torch.tensor(
        [slope - p * total for slope, p in zip(dout.tolist(), cache, strict=True)], dtype=dout.dtype
    )


def _jacobian_forward(x):
    total = torch.logsumexp(x, -1)[..., None]
    p = (x - total).exp()
    return x - total, torch.eye(x.shape[-1], dtype=x.dtype) - p.unsqueeze(-2)


def _jacobian_backward(dout, cache):
    return torch.einsum("...j,...jk->...k", dout, cache)


def _steps_forward(x):
    powers = (x - x.amax(-1, keepdim=True)).exp()
    total = powers.sum(-1, keepdim=True)

    def backward(dout):
        dtotal = -dout.sum(dim=-1, keepdim=True) / total
        dx = dtotal * powers
        dx += dout
        return dx

    return x - x.amax(-1, keepdim=True) - total.log(), backward


def _steps_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant("python numbers", log_softmax_forward=_rows_forward, log_softmax_backward=_rows_backward),
    variant(
        "the whole matrix", log_softmax_forward=_jacobian_forward, log_softmax_backward=_jacobian_backward
    ),
    variant(
        "step by step, a closure as cache",
        log_softmax_forward=_steps_forward,
        log_softmax_backward=_steps_backward,
    ),
)
WRONG = (
    variant("logarithm of a softmax", log_softmax_forward=_log_of_softmax_forward),
    variant(
        "over the first axis",
        log_softmax_forward=_first_axis_forward,
        log_softmax_backward=_first_axis_backward,
    ),
)
