"""Gradient descent: other right ways to write it."""

import torch

from autograd_check.course import variant


def _loops(params, grads, *, lr):
    new = []
    for i in range(len(params)):
        step = params[i].clone()
        step -= grads[i] * lr
        new.append(step)
    return new


def _mapped(params, grads, *, lr):
    return tuple(map(lambda p, g: p - lr * g, params, grads))


def _flattened(params, grads, *, lr):
    flat = torch.cat([p.reshape(-1) for p in params]) - lr * torch.cat([g.reshape(-1) for g in grads])
    pieces = flat.split([p.numel() for p in params])
    return [piece.reshape(p.shape).clone() for piece, p in zip(pieces, params, strict=True)]


VARIANTS = (
    variant("a loop over indices", sgd_step=_loops),
    variant("map over both lists", sgd_step=_mapped),
    variant("one flat vector", sgd_step=_flattened),
)
