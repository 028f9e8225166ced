"""The Adam hunt
=============

This network is trained with Adam, batch by batch. The loss falls, the accuracy rises. Yet next to torch's
Adam, from the same parameters and with the same batches, it usually ends worse: its loss does not settle but
dances, as if it had never slowed down.

One mistake was planted. The layers and `adam_step` are those of your earlier lessons, and right; this is
about how they are used. Find it and fix it: fixed, the parameters equal torch's after every epoch.

Shapes: x (N, D), y (N, 1), zeros and ones; params [w, b, w, b, …], a flat list. Batches are `batch` rows in
order, the last one may be shorter.
"""

import torch

from lessons.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from lessons.u02_network.mlp import mlp_backward, mlp_forward
from lessons.u05_optimisers.adam import adam_step


def loss_and_gradients(x, y, params):
    """x (N, D), y (N, 1), params [w, b, …] → loss (), grads [dw, db, …]."""
    layers = list(zip(params[::2], params[1::2], strict=True))
    z, cache = mlp_forward(x, layers)
    loss, loss_cache = bce_with_logits_forward(z, y)
    dz = bce_with_logits_backward(torch.ones_like(loss), loss_cache)
    _, dlayers = mlp_backward(dz, cache)
    return loss, [gradient for layer in dlayers for gradient in layer]


def epoch(x, y, params, states, *, lr, batch):
    """One pass over all batches → params, states, mean loss."""
    total = 0.0
    for rows in torch.arange(len(x)).split(batch):
        loss, grads = loss_and_gradients(x[rows], y[rows], params)
        moved = [adam_step(p, g, s, lr=lr) for p, g, s in zip(params, grads, states, strict=True)]
        params = [param for param, _ in moved]
        total += float(loss) * len(rows) / len(x)
    return params, states, total


def fit(x, y, params, *, lr, epochs, batch):
    """x (N, D), y (N, 1), params [w, b, …] → params, history [mean loss, …] of length epochs."""
    states = [None] * len(params)
    history = []
    for _ in range(epochs):
        params, states, loss = epoch(x, y, params, states, lr=lr, batch=batch)
        history.append(loss)
    return params, history

# When it is written: autograd-check check adam_hunt
