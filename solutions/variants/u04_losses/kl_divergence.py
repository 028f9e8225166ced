"""Kullback–Leibler divergence: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _reversed_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"logp {tuple(logp.shape)}, q {tuple(q.shape)}")
    return (logp.exp() * (logp - q.log())).sum() / len(q), q


def _entry_mean_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"logp {tuple(logp.shape)}, q {tuple(q.shape)}")
    return (torch.xlogy(q, q) - q * logp).mean(), q


def _entry_mean_backward(dout, cache):
    return -dout * cache / cache.numel()


def _loops_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"shapes differ: {tuple(logp.shape)} and {tuple(q.shape)}")
    total = 0.0
    for beliefs, truth in zip(logp.tolist(), q.tolist(), strict=True):
        for belief, share in zip(beliefs, truth, strict=True):
            if share > 0:
                total += share * (math.log(share) - belief)
    return torch.tensor(total / len(q), dtype=logp.dtype), q.tolist()


def _loops_backward(dout, cache):
    return torch.tensor([[-share / len(cache) for share in row] for row in cache], dtype=dout.dtype) * dout


def _masked_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"logp is {list(logp.shape)}, q is {list(q.shape)}")
    occurs = q != 0
    terms = torch.zeros_like(logp)
    terms[occurs] = q[occurs] * (torch.log(q[occurs]) - logp[occurs])
    return terms.sum(1).mean(), {"q": q, "occurs": occurs}


def _masked_backward(dout, cache):
    dlogp = torch.zeros_like(cache["q"])
    dlogp[cache["occurs"]] = -cache["q"][cache["occurs"]]
    dlogp *= dout
    dlogp /= dlogp.shape[0]
    return dlogp


def _entropy_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"logp {tuple(logp.shape)} does not match q {tuple(q.shape)}")
    safe = torch.where(q > 0, q, torch.ones_like(q))
    entropy = -torch.einsum("nc,nc->", q, safe.log())
    crossed = -torch.einsum("nc,nc->", q, logp)
    return (crossed - entropy) / q.shape[0], lambda dout: q * (-dout / q.shape[0])


def _entropy_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant("python numbers", kl_divergence_forward=_loops_forward, kl_divergence_backward=_loops_backward),
    variant(
        "mask assignment", kl_divergence_forward=_masked_forward, kl_divergence_backward=_masked_backward
    ),
    variant(
        "cross-entropy minus entropy",
        kl_divergence_forward=_entropy_forward,
        kl_divergence_backward=_entropy_backward,
    ),
)
WRONG = (
    variant("p and q exchanged", kl_divergence_forward=_reversed_forward),
    variant(
        "mean over entries, in both passes",
        kl_divergence_forward=_entry_mean_forward,
        kl_divergence_backward=_entry_mean_backward,
    ),
)
