"""Training
========

Everything so far, in one loop. The parameters start at He's random weights and biases of 0; then, epoch after
epoch, on the whole batch:

    z = mlp(x)                        forward
    L = bce_with_logits(z, y)         how wrong?
    ∂L/∂z, then ∂L/∂params            backward, from dout = ∂L/∂L
    params ← params − lr ∂L/∂params   step

x (N, D), y (N, 1); dims = (D, …, 1) lists the sizes, so that layer k has w (dims[k], dims[k + 1]) and
b (dims[k + 1],).

Conventions: params is a list of (w, b) with the dtype of x. history holds the loss of every epoch, measured
before its step; with epochs = 0 the parameters come back as they were initialised. The generator is used for
the weights only, so the same seed gives the same run.
"""

import torch

from lessons.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from lessons.u02_network.initialisation import he_normal
from lessons.u02_network.mlp import mlp_backward, mlp_forward
from lessons.u02_network.sgd import sgd_step


def train(x, y, *, dims, lr, epochs, generator):
    """x (N, D), y (N, 1) → params [(w, b), …], history [loss, …] of length epochs."""
    raise NotImplementedError("train: x (N, D), y (N, 1) → params [(w, b), …], history [loss, …] of length…")

# When it is written: autograd-check check training
