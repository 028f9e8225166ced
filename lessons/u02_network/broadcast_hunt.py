"""The broadcast hunt
==================

This network runs. Its loss falls, nothing crashes, no warning is printed, and after any number of epochs it
reports an accuracy of 62 %: the share of the larger class, as if it had never looked at the data. It is a
copy of a real notebook, and this course grew out of it.

    autograd-check train --network broadcast_hunt --ops lessons

One mistake was planted, and it bites in more than one place. Every layer below comes from your earlier
lessons, and is right. Find it and fix it; fixed, the same network with the same seed passes 96 %.

Shapes are meant to be: x (N, D); y (N,), zeros and ones, as the data file gives them; params [(w, b), …] with
one output. The loss is the mean over N of the binary cross-entropy of logit and target, dparams its gradient,
the accuracy the share of rows whose logit is on the right side of 0.
"""

import torch

from lessons.u02_network.initialisation import he_normal
from lessons.u02_network.mlp import mlp_backward, mlp_forward
from lessons.u02_network.sgd import sgd_step


def loss_and_gradients(x, y, params):
    """x (N, D), y (N,), params [(w, b), …] → loss (), dparams [(dw, db), …]."""
    z, cache = mlp_forward(x, params)
    each = z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())) - y * z
    dz = (torch.sigmoid(z) - y) / each.numel()
    dz = dz.sum(1, keepdim=True)  # the network has one output, so its gradient has one column
    _, dparams = mlp_backward(dz, cache)
    return each.mean(), dparams


def accuracy(x, y, params):
    """x (N, D), y (N,), params [(w, b), …] → the share of rows that are classified right, ()."""
    z, _ = mlp_forward(x, params)
    right = (z > 0) == (y > 0.5)
    return right.to(x.dtype).mean()


def fit(x, y, *, dims, lr, epochs, generator):
    """x (N, D), y (N,) → params [(w, b), …], history [(loss, accuracy), …], one an epoch."""
    weights = [
        he_normal(i, o, generator=generator).to(x.dtype) for i, o in zip(dims[:-1], dims[1:], strict=True)
    ]
    params = [(w, w.new_zeros(w.shape[1])) for w in weights]
    history = []
    for _ in range(epochs):
        loss, dparams = loss_and_gradients(x, y, params)
        layers = zip(params, dparams, strict=True)
        params = [tuple(sgd_step(layer, dlayer, lr=lr)) for layer, dlayer in layers]
        history.append((float(loss), float(accuracy(x, y, params))))
    return params, history

# When it is written: autograd-check check broadcast_hunt
