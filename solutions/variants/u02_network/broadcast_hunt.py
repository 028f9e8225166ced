"""The broadcast hunt: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant
from solutions.u02_network.mlp import mlp_backward, mlp_forward


def planted_loss_and_gradients(x, y, params):
    z, cache = mlp_forward(x, params)
    each = z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())) - y * z
    dz = (torch.sigmoid(z) - y) / each.numel()
    dz = dz.sum(1, keepdim=True)
    _, dparams = mlp_backward(dz, cache)
    return each.mean(), dparams


def planted_accuracy(x, y, params):
    z, _ = mlp_forward(x, params)
    right = (z > 0) == (y > 0.5)
    return right.to(x.dtype).mean()


def _half_mended_loss(x, y, params):
    z, cache = mlp_forward(x, params)
    each = z[:, 0].clamp(min=0) + torch.log1p(torch.exp(-z[:, 0].abs())) - y * z[:, 0]
    dz = (torch.sigmoid(z) - y) / len(y) ** 2
    _, dparams = mlp_backward(dz.sum(1, keepdim=True), cache)
    return each.mean(), dparams


def _squeezed_loss(x, y, params):
    z, cache = mlp_forward(x, params)
    z = z[:, 0]
    each = torch.logaddexp(z, torch.zeros_like(z)) - y * z
    dz = (torch.sigmoid(z) - y) / len(y)
    return each.mean(), mlp_backward(dz[:, None], cache)[1]


def _loops_loss(x, y, params):
    z, cache = mlp_forward(x, params)
    total, dz = 0.0, torch.zeros_like(z)
    for n in range(len(y)):
        p = torch.sigmoid(z[n, 0])
        total = total - torch.log(p if y[n] == 1 else 1 - p)
        dz[n, 0] = (p - y[n]) / len(y)
    return total / len(y), mlp_backward(dz, cache)[1]


def _loops_accuracy(x, y, params):
    logits = mlp_forward(x, params)[0].flatten().tolist()
    hits = [
        logit > 0 if target == 1 else logit <= 0 for logit, target in zip(logits, y.tolist(), strict=True)
    ]
    return sum(hits) / len(hits)


def _own_forward_loss(x, y, params):
    y = y.reshape(-1, 1)
    inputs = [x]
    for w, b in params[:-1]:
        inputs.append(torch.maximum(inputs[-1] @ w + b, torch.zeros((), dtype=x.dtype)))
    z = inputs[-1] @ params[-1][0] + params[-1][1]
    signs = 1 - 2 * y
    dz = signs / (1 + torch.exp(-signs * z)) / len(y)
    loss = torch.log1p(torch.exp(signs * z)).sum() / len(y)
    dparams = []
    for h, (w, _) in zip(inputs[::-1], params[::-1], strict=True):
        dparams.insert(0, [h.T @ dz, dz.sum(0)])
        dz = dz @ w.T * (h > 0)
    return loss, dparams


VARIANTS = (
    variant("logits squeezed instead", loss_and_gradients=_squeezed_loss),
    variant("loops", loss_and_gradients=_loops_loss, accuracy=_loops_accuracy),
    variant("self-contained", loss_and_gradients=_own_forward_loss),
)
WRONG = (
    variant("as handed out", loss_and_gradients=planted_loss_and_gradients, accuracy=planted_accuracy),
    variant("accuracy still broadcasts", accuracy=planted_accuracy),
    variant("loss still broadcasts", loss_and_gradients=planted_loss_and_gradients),
    variant("gradient still broadcasts", loss_and_gradients=_half_mended_loss),
)
