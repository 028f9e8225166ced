"""Softmax cross-entropy: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _naive_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    p = scores.exp() / scores.exp().sum(1, keepdim=True)
    return -p[torch.arange(len(y)), y].log().mean(), (p.log(), y)


def _summed_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    logp = scores - torch.logsumexp(scores, 1, keepdim=True)
    return -logp[torch.arange(len(y)), y].sum(), (logp, y)


def _summed_backward(dout, cache):
    logp, y = cache
    return dout * (logp.exp() - torch.eye(logp.shape[1], dtype=logp.dtype)[y])


def _repeated_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    logp = scores - torch.logsumexp(scores, 1, keepdim=True)
    return -logp[:, y].mean(), (logp, y)


def _mutating_backward(dout, cache):
    logp, y = cache
    dscores = logp.exp_()
    dscores[torch.arange(len(y)), y] -= 1
    return dout * dscores / len(y)


def _loops_forward(scores, y):
    if y.dim() != 1 or len(y) != len(scores):
        raise ValueError(f"expected one index a row: scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    probabilities, total = [], 0.0
    for row, right in zip(scores.tolist(), y.tolist(), strict=True):
        top = max(row)
        powers = [math.exp(score - top) for score in row]
        total += math.log(sum(powers)) - (row[right] - top)
        probabilities.append([power / sum(powers) for power in powers])
    return torch.tensor(total / len(probabilities), dtype=scores.dtype), (probabilities, y.tolist())


def _loops_backward(dout, cache):
    probabilities, targets = cache
    rows = [
        [(p - (c == right)) / len(targets) for c, p in enumerate(row)]
        for row, right in zip(probabilities, targets, strict=True)
    ]
    return dout * torch.tensor(rows, dtype=dout.dtype)


def _onehot_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {list(scores.shape)}, y {list(y.shape)}")
    onehot = (torch.arange(scores.shape[1]) == y[:, None]).to(scores.dtype)
    return (torch.logsumexp(scores, 1) - (scores * onehot).sum(1)).mean(), {
        "scores": scores,
        "onehot": onehot,
    }


def _onehot_backward(dout, cache):
    p = torch.softmax(cache["scores"], dim=1)
    return (p - cache["onehot"]).mul(dout).div(p.shape[0])


def _chained_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"y {tuple(y.shape)} for scores {tuple(scores.shape)}")
    shifted = scores - scores.max(dim=1, keepdim=True)[0]
    powers = torch.exp(shifted)
    sums = powers.sum(dim=1, keepdim=True)
    loss = (torch.log(sums) - shifted.gather(1, y[:, None])).sum() / y.numel()

    def backward(dout):
        dloss = (dout / y.numel()).expand(len(y), 1)
        dscores = powers * (dloss / sums)
        return dscores.scatter_add(1, y[:, None], -dloss)

    return loss, backward


def _chained_backward(dout, cache):
    return cache(dout)


def _differences_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"one class index a row: scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    against = scores - scores[torch.arange(len(y)), y].unsqueeze(1)
    top = against.amax(1, keepdim=True)
    surprise = top.squeeze(1) + (against - top).exp().sum(1).log()
    return surprise.mean(), (against, surprise, y)


def _differences_backward(dout, cache):
    against, surprise, y = cache
    dscores = torch.exp(against - surprise.unsqueeze(1))
    for n in range(len(y)):
        dscores[n, y[n]] -= 1.0
    return [dscores * dout / len(y)]


VARIANTS = (
    variant("python numbers", cross_entropy_forward=_loops_forward, cross_entropy_backward=_loops_backward),
    variant("one-hot rows", cross_entropy_forward=_onehot_forward, cross_entropy_backward=_onehot_backward),
    variant(
        "step by step, a closure as cache",
        cross_entropy_forward=_chained_forward,
        cross_entropy_backward=_chained_backward,
    ),
    variant(
        "differences to the right score",
        cross_entropy_forward=_differences_forward,
        cross_entropy_backward=_differences_backward,
    ),
)
WRONG = (
    variant("e^1000 overflows", cross_entropy_forward=_naive_forward),
    variant("every row with every target", cross_entropy_forward=_repeated_forward),
    variant("the cache is overwritten", cross_entropy_backward=_mutating_backward),
    variant(
        "sum for mean, in both passes",
        cross_entropy_forward=_summed_forward,
        cross_entropy_backward=_summed_backward,
    ),
)
