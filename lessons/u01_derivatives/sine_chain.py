"""Sine chain
==========

One function inside another, entry by entry:

    u = x² + 1,    out = sin u      x of any shape  →  out of the same shape

The chain rule multiplies the slopes along the way, each taken where its own function was evaluated: that of
the sine at u, that of the square at x.

    ∂L/∂x = ∂L/∂out · ∂out/∂u · ∂u/∂x

(Some courses give the name to 2x · cos(x² + 1) itself; that forward with its own backward counts as well.)

This is all that back-propagation ever does: start from dout and multiply by one slope after the other, from
the last function to the first.
"""

import torch


def sine_chain_forward(x):
    """out = sin(x² + 1).  x any shape → out of the same shape, cache."""
    raise NotImplementedError("sine_chain_forward: out = sin(x² + 1).  x any shape → out of the same shape,…")


def sine_chain_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("sine_chain_backward: dout like x → dx like x.")

# When it is written: autograd-check check sine_chain
