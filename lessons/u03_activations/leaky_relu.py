"""Leaky relu
==========

A relu that never quite switches off, so that a unit which is off still learns:

    out = x          where x > 0
    out = slope · x  elsewhere       x of any shape  →  out of the same shape,  0 ≤ slope < 1

The derivative is 1 to the right of 0 and slope to its left; dout passes in full, or scaled by slope. So out is x times its own derivative, and
the sign of x (1, 0 or −1), raised to slope where it is less, is that derivative.

Convention: at x = 0 the left branch counts: the derivative there is slope, as in torch.
"""

import torch


def leaky_relu_forward(x, *, slope=0.01):
    """out = x where x > 0, else slope · x.  x any shape → out of the same shape, cache."""
    raise NotImplementedError("leaky_relu_forward: out = x where x > 0, else slope · x.  x any shape → out…")


def leaky_relu_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("leaky_relu_backward: dout like x → dx like x.")

# When it is written: autograd-check check leaky_relu
