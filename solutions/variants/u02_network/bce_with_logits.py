"""Binary cross-entropy with logits: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _naive_forward(z, y):
    if z.shape != y.shape:
        raise ValueError(f"z {tuple(z.shape)} and y {tuple(y.shape)} must have the same shape")
    p = torch.sigmoid(z)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean(), (z, y)


def _summed_forward(z, y):
    if z.shape != y.shape:
        raise ValueError(f"z {tuple(z.shape)} and y {tuple(y.shape)} must have the same shape")
    return (z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())) - y * z).sum(), (z, y)


def _summed_backward(dout, cache):
    z, y = cache
    return dout * (torch.sigmoid(z) - y)


def _loops_forward(z, y):
    if z.shape != y.shape:
        raise ValueError(f"shapes differ: {tuple(z.shape)} and {tuple(y.shape)}")
    total, slopes = 0.0, []
    for logit, truth in zip(z.reshape(-1).tolist(), y.reshape(-1).tolist(), strict=True):
        decay = math.exp(-abs(logit))
        total += max(logit, 0.0) + math.log1p(decay) - truth * logit
        p = 1 / (1 + decay) if logit > 0 else decay / (1 + decay)
        slopes.append((p - truth) / z.numel())
    return torch.tensor(total / z.numel(), dtype=z.dtype), slopes


def _loops_backward(dout, cache):
    return dout * torch.tensor(cache, dtype=dout.dtype).reshape(-1, 1)


def _saved_forward(z, y):
    class Saved:
        logits, targets = z, y

    if z.size() != y.size():
        raise ValueError(f"z is {tuple(z.size())}, y is {tuple(y.size())}")
    each = torch.maximum(z, torch.zeros_like(z)) + torch.log1p(torch.exp(-z.abs())) - z * y
    return each.sum() / z.shape[0], Saved


def _saved_backward(dout, cache):
    dz = torch.sigmoid(cache.logits)
    dz -= cache.targets
    dz *= dout
    dz /= dz.shape[0]
    return dz


def _signed_forward(z, y):
    if z.shape != y.shape:
        raise ValueError(f"cannot compare {tuple(z.shape)} with {tuple(y.shape)}")
    signs = 1 - 2 * y
    wrong = z * signs
    out = torch.empty_like(wrong)
    far = wrong > 0
    out[far] = wrong[far] + torch.log1p(torch.exp(-wrong[far]))
    out[~far] = torch.log1p(torch.exp(wrong[~far]))
    return out.mean(), lambda dout: dout * signs / (1 + torch.exp(-wrong)) / len(z)


def _signed_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant(
        "python numbers", bce_with_logits_forward=_loops_forward, bce_with_logits_backward=_loops_backward
    ),
    variant(
        "log1p, a class as cache",
        bce_with_logits_forward=_saved_forward,
        bce_with_logits_backward=_saved_backward,
    ),
    variant(
        "by the sign of the error",
        bce_with_logits_forward=_signed_forward,
        bce_with_logits_backward=_signed_backward,
    ),
)
WRONG = (
    variant("log of a sigmoid", bce_with_logits_forward=_naive_forward),
    variant(
        "sum for mean, in both passes",
        bce_with_logits_forward=_summed_forward,
        bce_with_logits_backward=_summed_backward,
    ),
)
