"""Logistic neuron
===============

A single neuron that answers yes or no: its weighted input z becomes the probability σ(z) = 1 / (1 + e^(−z))
of class 1, and the loss is how surprised it is by the true classes y, zeros and ones:

    z = w x + b,    p = σ(z),    loss = −1/N Σₙ [ yₙ log pₙ + (1 − yₙ) log(1 − pₙ) ]

x, y (N,), w, b ()  →  a 0-d tensor. Three slopes in a row, of the logarithm, of the sigmoid (σ′ = σ (1 − σ))
and of z; multiply the first two, and most of it cancels. From ∂loss/∂zₙ on it is linear regression again: w
and b serve all N points, so each collects the slopes of all of them.

Conventions: exact at z = ±1000, where p rounds to 0 or 1 and the logarithm of it is −∞. Written in z, the
loss of one point is log(1 + e^z) − y z, and log(1 + e^z) = max(z, 0) + log(1 + e^(−|z|)), which never
overflows. x and y must have one shape: (N, 1) against (N,) would broadcast to N × N pairs without a word, so
it raises a `ValueError` that names both shapes.
"""

import torch


def logistic_neuron_forward(x, y, w, b):
    """Mean binary cross-entropy of σ(w x + b) and y.  x, y (N,), w, b () → loss (), cache."""
    raise NotImplementedError("logistic_neuron_forward: Mean binary cross-entropy of σ(w x + b) and y.  x,…")


def logistic_neuron_backward(dout, cache):
    """dout () → dw (), db ()."""
    raise NotImplementedError("logistic_neuron_backward: dout () → dw (), db ().")

# When it is written: autograd-check check logistic_neuron
