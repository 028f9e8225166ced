"""Sigmoid
=======

The logistic function turns any number into a probability, entry by entry:

    out = σ(x) = 1 / (1 + e^(−x))      x of any shape  →  out of the same shape

Differentiate it with the quotient rule, and look at what comes out: the slope needs nothing but out. So out
is all that the backward pass has to remember.

Convention: exact at ±1000. There e^1000 is more than a float holds and becomes inf. 1 / (1 + inf) is 0, which
is right, but the same function written e^x / (1 + e^x) becomes inf / inf, which is not a number.
"""

import torch


def sigmoid_forward(x):
    """out = 1 / (1 + e^(−x)).  x any shape → out of the same shape, cache."""
    raise NotImplementedError("sigmoid_forward: out = 1 / (1 + e^(−x)).  x any shape → out of the same shap…")


def sigmoid_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("sigmoid_backward: dout like x → dx like x.")

# When it is written: autograd-check check sigmoid
