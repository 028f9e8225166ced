"""Elu
===

The exponential linear unit: like relu to the right, but to the left it bends smoothly down to −α instead of being cut off:

    out = x              where x > 0
    out = α (e^x − 1)    elsewhere       x of any shape  →  out of the same shape

The derivative is 1 to the right and α e^x to the left, which is out + α, so that exponential need not be taken twice.

Both halves fit on one line: out = max(x, 0) + α (e^min(x, 0) − 1). To the right of 0 the second term is 0.

Conventions: at x = 0 the left branch counts: the derivative there is α, as in torch. And exact at ±1000: the exponential of the right
half is never needed, and must not spoil it by overflowing (inf · 0 is not a number).
"""

import torch


def elu_forward(x, *, alpha=1.0):
    """out = x where x > 0, else alpha (e^x − 1).  x any shape → out of the same shape, cache."""
    raise NotImplementedError("elu_forward: out = x where x > 0, else alpha (e^x − 1).  x any shape → out o…")


def elu_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("elu_backward: dout like x → dx like x.")

# When it is written: autograd-check check elu
