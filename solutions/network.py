"""The 30-4-3-2-1 network and its training, made of nothing but the lessons' functions: no autograd, no torch.nn, no torch.optim."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from solutions.ops import Ops

if TYPE_CHECKING:  # the network itself needs no scikit-learn
    from solutions.data import Data

Params = list[tuple[Tensor, Tensor]]
DIMS = (30, 4, 3, 2, 1)


@dataclass(frozen=True)
class Settings:
    """How to descend: full batches, v ← momentum v + ∂L/∂p + weight_decay p (weights only), p ← p − lr v."""

    lr: float
    weight_decay: float
    epochs: int
    momentum: float = 0.9


def initial_parameters(ops: Ops, seed: int, dims: tuple[int, ...] = DIMS) -> Params:
    """He's weights and biases of 0. The weights lie in memory unit by unit, as torch.nn.Linear's do: x @ w is faster so."""
    generator = torch.Generator().manual_seed(seed)
    params = []
    for inputs, outputs in zip(dims[:-1], dims[1:], strict=True):
        w = ops.he_normal(inputs, outputs, generator=generator).to(torch.float64)
        params.append((w.T.contiguous().T, torch.zeros(outputs, dtype=torch.float64)))
    return params


def gradients(ops: Ops, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Params]:
    """The loss () and its gradients; x (N, 30), y (N, 1)."""
    z, cache = ops.mlp_forward(x, params)
    loss, loss_cache = ops.bce_with_logits_forward(z, y)
    dz = ops.bce_with_logits_backward(torch.ones_like(loss), loss_cache)
    return loss, ops.mlp_backward(dz, cache)[1]


# no operation here needs autograd's book-keeping, and without it each is faster
@torch.inference_mode()
def sgd_training_step(ops: Ops, x: Tensor, y: Tensor, params: Params, lr: float) -> tuple[Tensor, Params]:
    """One step of plain gradient descent: the loss before it, and the new parameters."""
    loss, dparams = gradients(ops, x, y, params)
    flat = [p for layer in params for p in layer]
    dflat = [g for layer in dparams for g in layer]
    new = ops.sgd_step(flat, dflat, lr=lr)
    return loss, list(zip(new[::2], new[1::2], strict=True))


@torch.inference_mode()
def momentum_step(
    ops: Ops, x: Tensor, y: Tensor, params: Params, velocity: Params, settings: Settings
) -> tuple[Params, Params]:
    """One step with momentum and weight decay: the new parameters and the new velocity."""
    _, dparams = gradients(ops, x, y, params)
    velocity = [
        (settings.momentum * vw + dw + settings.weight_decay * w, settings.momentum * vb + db)
        for (vw, vb), (dw, db), (w, _) in zip(velocity, dparams, params, strict=True)
    ]
    steps = [
        ops.sgd_step(list(layer), list(v), lr=settings.lr) for layer, v in zip(params, velocity, strict=True)
    ]
    return [(w, b) for w, b in steps], velocity


def descend(ops: Ops, data: Data, settings: Settings, seed: int) -> Iterator[Params]:
    """The parameters after every epoch."""
    params = initial_parameters(ops, seed)
    velocity = [(torch.zeros_like(w), torch.zeros_like(b)) for w, b in params]
    y = data.y[:, None]
    for _ in range(settings.epochs):
        params, velocity = momentum_step(ops, data.x, y, params, velocity, settings)
        yield params


@torch.inference_mode()
def accuracy(ops: Ops, data: Data, params: Params) -> float:
    """The share of rows whose logit is on the right side of 0."""
    z, _ = ops.mlp_forward(data.x, params)
    return float(((z[:, 0] > 0) == (data.y > 0.5)).to(torch.float64).mean())
