"""Huber loss: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _smooth_l1_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    r = p - y
    each = torch.where(r.abs() <= delta, 0.5 * r**2 / delta, r.abs() - 0.5 * delta)
    return each.mean(), (r, delta)


def _smooth_l1_backward(dout, cache):
    r, delta = cache
    return dout * (r / delta).clamp(-1, 1) / r.numel()


def _loops_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"shapes differ: {tuple(p.shape)} and {tuple(y.shape)}")
    distances = [a - b for a, b in zip(p.flatten().tolist(), y.flatten().tolist(), strict=True)]
    total = 0.0
    for r in distances:
        if abs(r) < delta:
            total += r * r / 2
        else:
            total += delta * abs(r) - delta * delta / 2
    return torch.tensor(total / len(distances), dtype=p.dtype), (distances, delta, p.shape)


def _loops_backward(dout, cache):
    distances, delta, shape = cache
    slopes = [max(-delta, min(delta, r)) / len(distances) for r in distances]
    return torch.tensor(slopes, dtype=dout.dtype).view(shape) * dout


def _masked_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"p is {tuple(p.shape)}, y is {tuple(y.shape)}")
    r = p - y
    near = r.abs() < delta
    each = torch.empty_like(r)
    each[near] = r[near].square() / 2
    each[~near] = delta * r[~near].abs() - delta**2 / 2
    return each.sum() / each.numel(), {"r": r, "near": near, "delta": delta}


def _masked_backward(dout, cache):
    dp = cache["delta"] * cache["r"].sign()
    dp[cache["near"]] = cache["r"][cache["near"]]
    dp *= dout / dp.numel()
    return (dp,)


def _where_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    r = p - y
    return torch.where(r.abs() <= delta, 0.5 * r**2, delta * (r.abs() - 0.5 * delta)).mean(), (r, delta)


def _where_backward(dout, cache):
    r, delta = cache
    return dout / r.numel() * torch.where(r.abs() <= delta, r, delta * r.sign())


def _split_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"the shapes {tuple(p.shape)} and {tuple(y.shape)} differ")
    r = p - y
    inner = torch.minimum(r.abs(), torch.full_like(r, delta))
    beyond = r.abs() - inner

    def backward(dout):
        return torch.copysign(inner, r) * dout / r.numel()

    return (inner * inner / 2 + delta * beyond).mean(), backward


def _split_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant("python numbers", huber_forward=_loops_forward, huber_backward=_loops_backward),
    variant("mask assignment", huber_forward=_masked_forward, huber_backward=_masked_backward),
    variant("where, branch by branch", huber_forward=_where_forward, huber_backward=_where_backward),
    variant("near part and far part", huber_forward=_split_forward, huber_backward=_split_backward),
)
WRONG = (
    variant(
        "smooth l1: divided by delta in both passes",
        huber_forward=_smooth_l1_forward,
        huber_backward=_smooth_l1_backward,
    ),
)
