"""Gelu by tanh
============

An approximation of gelu without erf, right to about three digits. Many transformers were trained with it, so it has to be this very
function that one differentiates, and not the exact one:

    out = x/2 (1 + t),    t = tanh u,    u = √(2/π) (x + 0.044715 x³)      x of any shape  →  out of the same shape

The product rule, and along the second factor the chain rule:

    dx = dout (½ (1 + t) + x/2 (1 − t²) u′),    u′ = √(2/π) (1 + 3 · 0.044715 x²)

Convention: exact at ±1000. Here you may use `torch.tanh`, which is.
"""

import math

import torch


def gelu_tanh_forward(x):
    """out = x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))).  x any shape → out of the same shape, cache."""
    raise NotImplementedError("gelu_tanh_forward: out = x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))).  x any sh…")


def gelu_tanh_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("gelu_tanh_backward: dout like x → dx like x.")

# When it is written: autograd-check check gelu_tanh
