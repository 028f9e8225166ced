"""Leaky relu
==========

A relu that never quite switches off, so that a unit which is off still learns:

    out = x          where x > 0
    out = slope · x  elsewhere       x of any shape  →  out of the same shape,  0 ≤ slope < 1

Two half-lines that meet at 0: each entry of dout passes as its x did. `slope` is a hyperparameter, and
whatever value the forward pass was given, the backward pass must use.

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
