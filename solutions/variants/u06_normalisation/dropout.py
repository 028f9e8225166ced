"""Dropout: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _redrawn_forward(x, *, p, train, generator):
    if not train:
        return x.clone(), None
    kept = (torch.rand(x.shape, generator=generator) >= p).to(x.dtype)
    return x * kept / (1 - p), (p, generator)


def _redrawn_backward(dout, cache):
    if cache is None:
        return dout
    p, generator = cache
    return dout * (torch.rand(dout.shape, generator=generator) >= p).to(dout.dtype) / (1 - p)


def _seen_forward(x, *, p, train, generator):
    if not train:
        return x.clone(), None
    out = x * (torch.rand(x.shape, generator=generator) >= p).to(x.dtype) / (1 - p)
    return out, (out != 0).to(x.dtype) / (1 - p)


def _classic_forward(x, *, p, train, generator):
    if not train:
        return x * (1 - p), torch.full_like(x, 1 - p)
    kept = (torch.rand(x.shape, generator=generator) >= p).to(x.dtype)
    return x * kept, kept


def _plain_mask_forward(x, *, p, train, generator):
    if not train:
        return x.clone(), None
    kept = (torch.rand(x.shape, generator=generator) >= p).to(x.dtype)
    return x * kept / (1 - p), kept


def _bernoulli_forward(x, *, p, train, generator):
    if not train:
        return x, {"train": False}
    mask = torch.bernoulli(torch.full(x.shape, 1 - p, dtype=x.dtype), generator=generator)
    return mask * x / (1.0 - p), {"train": True, "mask": mask, "p": p}


def _bernoulli_backward(dout, cache):
    if not cache["train"]:
        return dout.clone()
    dx = dout.clone()
    dx *= cache["mask"]
    return dx / (1.0 - cache["p"])


def _loops_forward(x, *, p, train, generator):
    draws = torch.rand(x.numel(), generator=generator).tolist()
    factors = [0.0 if train and draw < p else 1 / (1 - p) if train else 1.0 for draw in draws]
    out = [value * factor for value, factor in zip(x.reshape(-1).tolist(), factors, strict=True)]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), factors


def _loops_backward(dout, cache):
    return torch.tensor(cache, dtype=dout.dtype).reshape(dout.shape) * dout


def _where_forward(x, *, p, train, generator):
    dropped = torch.empty(x.shape, dtype=torch.float64).uniform_(generator=generator) < (p if train else 0.0)
    keep = 1 - p if train else 1

    def backward(dout):
        dx = dout / keep
        dx[dropped] = 0
        return dx

    return torch.where(dropped, torch.zeros_like(x), x / keep), backward


def _where_backward(dout, cache):
    return cache(dout)


def _counted_forward(x, *, p, train, generator):
    count = x.numel()
    order = torch.randperm(count, generator=generator)
    extra = int(torch.rand((), generator=generator) < (count * p) % 1)
    mask = torch.ones(count, dtype=x.dtype)
    if train:
        mask = mask / (1 - p)
        mask[order[: int(count * p) + extra]] = 0
    return x * mask.reshape(x.shape), mask


def _counted_backward(dout, cache):
    return dout * cache.reshape(dout.shape)


VARIANTS = (
    variant(
        "torch.bernoulli, a dict", dropout_forward=_bernoulli_forward, dropout_backward=_bernoulli_backward
    ),
    variant("python numbers", dropout_forward=_loops_forward, dropout_backward=_loops_backward),
    variant("where, and a closure", dropout_forward=_where_forward, dropout_backward=_where_backward),
    variant(
        "an exact number of entries", dropout_forward=_counted_forward, dropout_backward=_counted_backward
    ),
)
WRONG = (
    variant(
        "mask drawn again in the backward",
        dropout_forward=_redrawn_forward,
        dropout_backward=_redrawn_backward,
    ),
    variant("the backward not rescaled", dropout_forward=_plain_mask_forward),
    variant("mask taken from where the output is not 0", dropout_forward=_seen_forward),
    variant("scaled in evaluation, as before it was inverted", dropout_forward=_classic_forward),
)
