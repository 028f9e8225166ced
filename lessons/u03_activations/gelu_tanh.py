"""Gelu by tanh
============

An approximation of gelu without erf, right to about three digits. Many transformers were trained with it, so
it has to be this very function that one differentiates, and not the exact one:

    u = √(2/π) (x + 0.044715 x³),    t = tanh u
    out = x/2 (1 + t)                                  x of any shape  →  out of the same shape

x reaches out on two paths: directly, and through u and t. The product rule adds them up; along the second
one the chain rule multiplies the slopes of x/2 (1 + t) in t, of tanh, and of a cubic.

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
