"""Silu
====

A number gated by its own sigmoid, also called swish, entry by entry:

    out = x σ(x),    σ(x) = 1 / (1 + e^(−x))      x of any shape  →  out of the same shape

Unlike relu it is smooth, and it dips below 0 before it comes back. x occurs in both factors, so the product
rule gives two terms; the slope of σ is the one from your sigmoid lesson.

Convention: exact at ±1000. Here you may use `torch.sigmoid`, which is.
"""

import torch


def silu_forward(x):
    """out = x σ(x).  x any shape → out of the same shape, cache."""
    raise NotImplementedError("silu_forward: out = x σ(x).  x any shape → out of the same shape, cache.")


def silu_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("silu_backward: dout like x → dx like x.")

# When it is written: autograd-check check silu
