"""Softmax cross-entropy
=====================

Scores become probabilities by the softmax, and the loss is the surprise at the right class, averaged over the
rows. For scores s (N, C) and class indices y (N,):

    p[n, c] = e^s[n, c] / Σ_k e^s[n, k]      loss = −1/N Σ_n log p[n, y_n]      →  a 0-d tensor

Written as log Σ_k e^s[n, k] − s[n, y_n], a row's surprise has two parts: one that all of its scores share,
and one that the right score has alone. Added up, a row's gradients are 0.

Conventions: exact for scores of ±1000. e^1000 overflows, but the softmax does not change when a row's largest
score is subtracted from the row, and log p is then s minus the logarithm of a sum, never the logarithm of a
0. y holds integers and gets no gradient; y of another shape than (N,) raises a `ValueError` that names both
shapes.
"""

import torch


def cross_entropy_forward(scores, y):
    """Mean of −log softmax(scores)[y].  scores (N, C), y (N,) class indices → loss (), cache."""
    raise NotImplementedError("cross_entropy_forward: Mean of −log softmax(scores)[y].  scores (N, C), y (N…")


def cross_entropy_backward(dout, cache):
    """dout () → dscores (N, C)."""
    raise NotImplementedError("cross_entropy_backward: dout () → dscores (N, C).")

# When it is written: autograd-check check cross_entropy
