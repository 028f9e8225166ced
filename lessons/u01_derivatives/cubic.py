"""Cubic
=====

A sum of two terms, entry by entry:

    out = x³ + 4x      x of any shape  →  out of the same shape

Derivatives add up: each term has a slope of its own, and by the chain rule dout multiplies the sum of both.
"""


def cubic_forward(x):
    """out = x³ + 4x.  x any shape → out of the same shape, cache."""
    raise NotImplementedError("cubic_forward: out = x³ + 4x.  x any shape → out of the same shape, cache.")


def cubic_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("cubic_backward: dout like x → dx like x.")

# When it is written: autograd-check check cubic
