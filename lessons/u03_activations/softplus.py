"""Softplus
========

A relu with its corner rounded off, entry by entry:

    out = log(1 + e^x)      x of any shape  →  out of the same shape

It is positive everywhere, close to 0 far to the left and close to x far to the right. Its slope climbs from 0
to 1 in between, and is an old friend: the chain rule with u = 1 + e^x leads to it.

Convention: exact at ±1000, where e^1000 overflows. Taking the larger of 0 and x out of the logarithm leaves
an exponential that cannot:

    log(1 + e^x) = max(x, 0) + log(1 + e^(−|x|))

`torch.log1p(t)` is log(1 + t) without losing a t that is small beside 1.
"""

import torch


def softplus_forward(x):
    """out = log(1 + e^x).  x any shape → out of the same shape, cache."""
    raise NotImplementedError("softplus_forward: out = log(1 + e^x).  x any shape → out of the same shape,…")


def softplus_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("softplus_backward: dout like x → dx like x.")

# When it is written: autograd-check check softplus
