"""Training: other right ways to write it."""

import math

import torch

from autograd_check.course import variant
from solutions.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from solutions.u02_network.initialisation import he_normal
from solutions.u02_network.mlp import mlp_backward, mlp_forward
from solutions.u02_network.sgd import sgd_step


def _self_contained(x, y, *, dims, lr, epochs, generator):
    weights = [
        math.sqrt(2 / i) * torch.randn(i, o, generator=generator, dtype=torch.float64).to(x.dtype)
        for i, o in zip(dims[:-1], dims[1:], strict=True)
    ]
    biases = [torch.zeros(o, dtype=x.dtype) for o in dims[1:]]
    history = []
    while len(history) < epochs:
        inputs = [x]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append((inputs[-1] @ w + b).clamp(min=0))
        z = inputs[-1] @ weights[-1] + biases[-1]
        history.append((torch.logaddexp(z, torch.zeros_like(z)) - y * z).mean())
        dz = (1 / (1 + torch.exp(-z)) - y) / len(y)
        for k in range(len(weights) - 1, -1, -1):
            below = dz @ weights[k].T * (inputs[k] > 0)
            weights[k] -= lr * inputs[k].T @ dz
            biases[k] -= lr * dz.sum(0)
            dz = below
    return list(zip(weights, biases, strict=True)), history


def _object(x, y, *, dims, lr, epochs, generator):
    class Network:
        def __init__(self):
            self.layers = [
                [he_normal(i, o, generator=generator).to(x.dtype), torch.zeros(o, dtype=x.dtype)]
                for i, o in zip(dims[:-1], dims[1:], strict=True)
            ]

        def loss_and_gradients(self):
            z, cache = mlp_forward(x, self.layers)
            loss, saved = bce_with_logits_forward(z, y)
            return float(loss), mlp_backward(
                bce_with_logits_backward(torch.tensor(1.0, dtype=x.dtype), saved), cache
            )[1]

        def step(self):
            loss, gradients = self.loss_and_gradients()
            for layer, gradient in zip(self.layers, gradients, strict=True):
                layer[:] = sgd_step(layer, gradient, lr=lr)
            return loss

    network = Network()
    return network.layers, [network.step() for _ in range(epochs)]


def _flat_list(x, y, *, dims, lr, epochs, generator):
    flat, history = [], []
    for i in range(len(dims) - 1):
        flat += [
            he_normal(dims[i], dims[i + 1], generator=generator).to(x.dtype),
            torch.zeros(dims[i + 1], dtype=x.dtype),
        ]
    for _ in range(epochs):
        z, cache = mlp_forward(x, [(flat[k], flat[k + 1]) for k in range(0, len(flat), 2)])
        loss, saved = bce_with_logits_forward(z, y)
        dz = bce_with_logits_backward(torch.ones((), dtype=x.dtype), saved)
        gradients = [g for layer in mlp_backward(dz, cache)[1] for g in layer]
        flat = sgd_step(flat, gradients, lr=lr)
        history.append(loss.item())
    return [(flat[k], flat[k + 1]) for k in range(0, len(flat), 2)], history


VARIANTS = (
    variant("self-contained, in-place updates", train=_self_contained),
    variant("a class", train=_object),
    variant("a flat list", train=_flat_list),
)
