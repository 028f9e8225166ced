"""Tanh
====

The hyperbolic tangent squeezes any number into (−1, 1), entry by entry:

    out = tanh x = (e^x − e^(−x)) / (e^x + e^(−x))      x of any shape  →  out of the same shape

It is an odd function, and a sigmoid in disguise: tanh x = 2σ(2x) − 1. Like the sigmoid's, its slope can be
told from its value alone, so out is all that the backward pass has to remember. Differentiate the fraction
by the quotient rule, and look for out in what you get.

Convention: exact at ±1000. There e^1000 overflows, and inf / inf is not a number. Divide both terms of the
fraction by the larger power of e before you compute them: only e^(−2|x|) is left, which cannot overflow.
"""

import torch


def tanh_forward(x):
    """out = tanh x.  x any shape → out of the same shape, cache."""
    raise NotImplementedError("tanh_forward: out = tanh x.  x any shape → out of the same shape, cache.")


def tanh_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("tanh_backward: dout like x → dx like x.")

# When it is written: autograd-check check tanh
