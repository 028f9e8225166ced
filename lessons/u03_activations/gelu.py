"""Gelu
====

The Gaussian error linear unit weighs each number by how many of a normal distribution's lie below it:

    out = x Φ(x),    Φ(x) = ½ (1 + erf(x / √2))      x of any shape  →  out of the same shape

A smooth gate: Φ is nearly 0 far to the left and nearly 1 far to the right. x occurs in both factors, so the
product rule gives two terms, and one of them needs the slope of Φ: the normal density,

    φ(x) = e^(−x² / 2) / √(2π)

Conventions: the exact function, with `torch.erf`; the approximation by tanh is a lesson of its own. Exact at
±1000 too, where the gradient is 1 and 0.
"""

import math

import torch


def gelu_forward(x):
    """out = x Φ(x).  x any shape → out of the same shape, cache."""
    raise NotImplementedError("gelu_forward: out = x Φ(x).  x any shape → out of the same shape, cache.")


def gelu_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("gelu_backward: dout like x → dx like x.")

# When it is written: autograd-check check gelu
