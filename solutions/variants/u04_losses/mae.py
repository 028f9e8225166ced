"""Mean absolute error: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _summed_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    return (p - y).abs().sum(), p - y


def _summed_backward(dout, cache):
    return dout * cache.sign()


def _loops_forward(p, y):
    if p.shape != y.shape:
        raise ValueError("p is %s and y is %s" % (tuple(p.shape), tuple(y.shape)))
    pairs = list(zip(p.reshape(-1).tolist(), y.reshape(-1).tolist(), strict=True))
    loss = sum(abs(a - b) for a, b in pairs) / len(pairs)
    return torch.tensor(loss, dtype=p.dtype), (pairs, p.shape)


def _loops_backward(dout, cache):
    pairs, shape = cache
    slopes = [0.0 if a == b else (1.0 if a > b else -1.0) / len(pairs) for a, b in pairs]
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(shape)


def _masked_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"cannot compare {list(p.shape)} with {list(y.shape)}")
    above, below = p > y, p < y
    return (torch.maximum(p, y) - torch.minimum(p, y)).sum() / p.numel(), {"above": above, "below": below}


def _masked_backward(dout, cache):
    dp = torch.zeros(cache["above"].shape, dtype=dout.dtype)
    dp[cache["above"]] = 1
    dp[cache["below"]] = -1
    return dp * dout / dp.numel()


def _where_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)}, y {tuple(y.shape)}")
    r = p - y
    slope = torch.where(r == 0, torch.zeros_like(r), r / r.abs())
    return (slope * r).mean(), lambda dout: slope * (dout / slope.numel())


def _where_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant("python numbers", mae_forward=_loops_forward, mae_backward=_loops_backward),
    variant("mask assignment", mae_forward=_masked_forward, mae_backward=_masked_backward),
    variant("where, and a closure as cache", mae_forward=_where_forward, mae_backward=_where_backward),
)
WRONG = (variant("sum for mean, in both passes", mae_forward=_summed_forward, mae_backward=_summed_backward),)
