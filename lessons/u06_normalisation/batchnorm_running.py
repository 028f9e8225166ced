"""Batch normalisation, trained and used
=====================================

A trained network must give one sample the same answer whatever else is in the batch. So batch normalisation
keeps running estimates of the mean and the variance while it is trained, and afterwards uses those instead of
the batch's own:

    training      normalise with the batch's μ and σ²; then    m ← (1 − momentum) m + momentum μ
                                                               v ← (1 − momentum) v + momentum N/(N − 1) σ²
    evaluation    x̂ = (x − m) / √(v + ε)                       m and v stay as they are

x (N, D), γ and β (D,)  →  out (N, D). The layer has a state, (m, v), that is handed from call to call:

    batchnorm_running_forward(x, gamma, beta, state, *, momentum, train, eps) → out, state, cache

Three values come back, the new state between the other two. The first state is None: m = 0, v = 1.

In evaluation m and v are constants, so that every entry of x reaches the loss through its own x̂ only.

Conventions, as in torch: the batch is normalised by its biased variance, but v estimates that of all data and
takes the unbiased one, N/(N − 1) σ². momentum is the weight of the new batch. Training on one row raises a
`ValueError`; evaluating one does not. The state is your own, any object: only what evaluation makes of it is
looked at.
"""

import torch


def batchnorm_running_forward(x, gamma, beta, state, *, momentum, train, eps):
    """x (N, D), gamma (D,), beta (D,), state None or what came before → out (N, D), state, cache."""
    raise NotImplementedError("batchnorm_running_forward: x (N, D), gamma (D,), beta (D,), state None or wh…")


def batchnorm_running_backward(dout, cache):
    """dout (N, D) → dx (N, D), dgamma (D,), dbeta (D,)."""
    raise NotImplementedError("batchnorm_running_backward: dout (N, D) → dx (N, D), dgamma (D,), dbeta (D,).")

# When it is written: autograd-check check batchnorm_running
