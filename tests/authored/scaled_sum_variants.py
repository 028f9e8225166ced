"""Scaled sum: other right ways to write it."""

import torch

from autograd_check.course import variant


def _einsum_forward(x, w, *, scale=2.0):
    return torch.einsum("nd,d->n", x, w) * scale, {"x": x, "w": w * scale, "scale": scale}


def _einsum_backward(dout, cache):
    return torch.einsum("n,d->nd", dout, cache["w"]), torch.einsum("n,nd->d", dout, cache["x"]) * cache["scale"]


def _closure_forward(x, w, *, scale=2.0):
    return (scale * x * w).sum(1), lambda dout: [scale * torch.outer(dout, w), scale * (x.T @ dout)]


def _closure_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant("einsum", scaled_sum_forward=_einsum_forward, scaled_sum_backward=_einsum_backward),
    variant("a closure as cache", scaled_sum_forward=_closure_forward, scaled_sum_backward=_closure_backward),
)
