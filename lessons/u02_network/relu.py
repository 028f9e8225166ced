"""Relu
====

The rectified linear unit keeps what is positive and silences the rest, entry by entry:

    out = max(x, 0)      x of any shape  →  out of the same shape

Each output depends on one input only, with slope 1 where x > 0 and 0 where x < 0. The gradient dout of the
loss with respect to out therefore passes where the unit was on, and stops where it was off.

Convention: at x = 0 there is no slope. This course takes relu'(0) = 0, as torch does. Neither x nor dout is
changed in place.
"""


def relu_forward(x):
    """out = max(x, 0).  x any shape → out of the same shape, cache."""
    raise NotImplementedError("relu_forward: out = max(x, 0).  x any shape → out of the same shape, cache.")


def relu_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("relu_backward: dout like x → dx like x.")

# When it is written: autograd-check check relu
