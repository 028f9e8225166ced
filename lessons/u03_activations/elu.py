"""Elu
===

The exponential linear unit: like relu to the right, but to the left it bends smoothly down to −α instead of
being cut off:

    out = x              where x > 0
    out = α (e^x − 1)    elsewhere       x of any shape  →  out of the same shape

Each branch has a slope of its own. That of the left one holds an exponential which out holds already: how
much are they apart?

Conventions: at x = 0 the left branch counts: the derivative there is α, as in torch. And exact at ±1000: the
exponential of the right half is never needed, and must not spoil it by overflowing (inf · 0 is not a number).
`torch.expm1(x)` is e^x − 1 without losing an x that is small beside 1.
"""

import torch


def elu_forward(x, *, alpha=1.0):
    """out = x where x > 0, else alpha (e^x − 1).  x any shape → out of the same shape, cache."""
    raise NotImplementedError("elu_forward: out = x where x > 0, else alpha (e^x − 1).  x any shape → out o…")


def elu_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("elu_backward: dout like x → dx like x.")

# When it is written: autograd-check check elu
