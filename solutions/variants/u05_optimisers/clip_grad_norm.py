"""Clipping the gradient's norm: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _each(grads, *, max_norm):
    return [g * (max_norm / g.norm()).clamp(max=1) for g in grads]


def _in_place(grads, *, max_norm):
    norm = torch.cat([g.reshape(-1) for g in grads]).norm()
    if norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return grads


def _values(grads, *, max_norm):
    return [g.clamp(-max_norm, max_norm) for g in grads]


def _one_vector(grads, *, max_norm):
    flat = torch.cat([g.flatten() for g in grads])
    norm = torch.sqrt(torch.dot(flat, flat))
    if norm > max_norm:
        flat = flat / norm * max_norm
    pieces = torch.split(flat, [g.numel() for g in grads])
    return [piece.reshape(g.shape).clone() for piece, g in zip(pieces, grads, strict=True)]


def _norm_of_norms(grads, *, max_norm):
    total = 0.0
    for g in grads:
        total += float(torch.linalg.vector_norm(g)) ** 2
    norm = total**0.5
    factor = max_norm / norm if norm > max_norm else 1.0
    return tuple(g * factor for g in grads)


def _divided(grads, *, max_norm):
    norm = sum((g**2).sum() for g in grads) ** 0.5
    excess = torch.maximum(norm / max_norm, torch.ones_like(norm))
    return [torch.div(g, excess) for g in grads]


VARIANTS = (
    variant("one long vector", clip_grad_norm=_one_vector),
    variant("python numbers, an if", clip_grad_norm=_norm_of_norms),
    variant("divided by the excess", clip_grad_norm=_divided),
)
WRONG = (
    variant("each tensor for itself", clip_grad_norm=_each),
    variant("entries clipped", clip_grad_norm=_values),
    variant("in place", clip_grad_norm=_in_place),
)
