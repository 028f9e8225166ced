"""The softmax hunt: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant
from solutions.u02_network.linear import linear_backward, linear_forward
from solutions.u03_activations.softmax import softmax_forward
from solutions.u03_activations.softmax_hunt import loss_and_gradients


def _planted(x, y, w, b):
    scores, cache = linear_forward(x, w, b)
    p, _ = softmax_forward(scores)
    rows = torch.arange(len(y))
    loss = -torch.log(p[rows, y]).mean()
    dp = torch.zeros_like(p)
    dp[rows, y] = -1 / p[rows, y] / len(y)
    dscores = dp * p * (1 - p)
    _, dw, db = linear_backward(dscores, cache)
    return loss, dw, db


def _half_fixed(x, y, w, b):
    loss, _, db = loss_and_gradients(x, y, w, b)
    return loss, _planted(x, y, w, b)[1], db


def _simplified(x, y, w, b):
    scores, cache = linear_forward(x, w, b)
    p, _ = softmax_forward(scores)
    loss = -p.gather(1, y[:, None]).log().mean()
    dscores = p.clone()
    dscores[range(len(y)), y] -= 1
    dscores /= len(y)
    _, dw, db = linear_backward(dscores, cache)
    return loss, dw, db


def _rows(x, y, w, b):
    loss, dw, db = x.new_zeros(()), torch.zeros_like(w), torch.zeros_like(b)
    for row, label in zip(x, y.tolist(), strict=True):
        scores = row @ w + b
        p = torch.exp(scores - torch.logsumexp(scores, 0))
        loss = loss - torch.log(p[label]) / len(y)
        for k in range(len(p)):
            slope = (p[k] - (1 if k == label else 0)) / len(y)
            dw[:, k] += slope * row
            db[k] += slope
    return loss, dw, db


def _jacobian(x, y, w, b):
    p, _ = softmax_forward(x @ w + b)
    jacobian = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    hits = torch.eye(len(b), dtype=x.dtype)[y]
    dp = -hits / p / len(y)
    dscores = torch.einsum("nj,njk->nk", dp, jacobian)
    return -(hits * p.log()).sum() / len(y), torch.einsum("nd,nk->dk", x, dscores), dscores.sum(0)


VARIANTS = (
    variant("p − 1 at the true class", loss_and_gradients=_simplified),
    variant("row by row", loss_and_gradients=_rows),
    variant("the whole matrix", loss_and_gradients=_jacobian),
)
WRONG = (
    variant("as handed out", loss_and_gradients=_planted),
    variant("fixed for b only", loss_and_gradients=_half_fixed),
)
