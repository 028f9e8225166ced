"""The dropout hunt
================

A hidden layer with dropout, in a network that trains; only its loss stays higher than it should. Its outputs
are right: a share of 1 − p survives, scaled by 1 / (1 − p), and in evaluation nothing is dropped. With p = 0
even every gradient is right, so the test that somebody wrote (with p = 0, "to have no randomness in it") has
always passed.

    h = relu(x w + b) · m / (1 − p)     m ~ Bernoulli(1 − p)     x (N, D), w (D, H), b (H,)  →  h (N, H)

One mistake was planted in this layer; everything else is right, and everything from earlier lessons is. Find
it and fix it.
"""

import torch

from lessons.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from lessons.u02_network.initialisation import he_normal
from lessons.u02_network.linear import linear_backward, linear_forward


def hidden_forward(x, w, b, *, p, train, generator):
    """x (N, D), w (D, H), b (H,) → h (N, H), cache."""
    active = (x @ w + b).clamp(min=0)
    p = p if train else 0.0
    mask = dropout_mask(active, p, generator)
    return active * mask, (x, w, active, p, generator)


def hidden_backward(dh, cache):
    """dh (N, H) → dx (N, D), dw (D, H), db (H,)."""
    x, w, active, p, generator = cache
    mask = dropout_mask(active, p, generator)  # as in the forward
    dz = dh * mask * (active > 0)
    return dz @ w.T, x.T @ dz, dz.sum(0)


def dropout_mask(like, p, generator):
    """0 with probability p, else 1 / (1 − p), in the shape of `like`."""
    return (torch.rand(like.shape, generator=generator) >= p).to(like.dtype) / (1 - p)


def loss_and_gradients(x, y, params, *, p, generator):
    """x (N, D), y (N, 1), params [(w, b), (v, c)] → loss (), dparams [(dw, db), (dv, dc)]."""
    (w, b), (v, c) = params
    h, hidden_cache = hidden_forward(x, w, b, p=p, train=True, generator=generator)
    z, linear_cache = linear_forward(h, v, c)
    loss, loss_cache = bce_with_logits_forward(z, y)
    dz = bce_with_logits_backward(torch.ones_like(loss), loss_cache)
    dh, dv, dc = linear_backward(dz, linear_cache)
    _, dw, db = hidden_backward(dh, hidden_cache)
    return loss, [(dw, db), (dv, dc)]


def fit(x, y, *, hidden, p, lr, epochs, generator):
    """x (N, D), y (N, 1) → params, history [(loss, accuracy), …], the accuracy without dropout."""
    sizes = ((x.shape[1], hidden), (hidden, 1))
    params = [
        (he_normal(i, o, generator=generator).to(x.dtype), torch.zeros(o, dtype=x.dtype)) for i, o in sizes
    ]
    history = []
    for _ in range(epochs):
        loss, dparams = loss_and_gradients(x, y, params, p=p, generator=generator)
        params = [(w - lr * dw, b - lr * db) for (w, b), (dw, db) in zip(params, dparams, strict=True)]
        (w, b), (v, c) = params
        z = hidden_forward(x, w, b, p=p, train=False, generator=generator)[0] @ v + c
        history.append((float(loss), float(((z > 0) == (y > 0.5)).to(x.dtype).mean())))
    return params, history

# When it is written: autograd-check check dropout_hunt
