"""Binary cross-entropy
====================

How surprised is a prediction p by the truth y? For p the probability of class 1 and y either 0 or 1, averaged
over all N entries:

    loss = −1/N Σ [ y log p + (1 − y) log(1 − p) ]      p, y (N, 1)  →  a 0-d tensor

Every p stands in one term of the sum only, and of its two logarithms one is switched off by y. Differentiate
both, and bring them over one denominator.

Conventions: log 0 is −∞, so p is first clamped to [1e-7, 1 − 1e-7]; where that changed p, the loss does not
depend on p any more and its gradient is 0. p and y must have one shape. (N, 1) against (N,) would broadcast
to N × N pairs without a word, so it raises a `ValueError` that names both shapes.
"""

import torch


def bce_forward(p, y):
    """Mean of −y log p − (1 − y) log(1 − p).  p, y (N, 1) → loss (), cache."""
    raise NotImplementedError("bce_forward: Mean of −y log p − (1 − y) log(1 − p).  p, y (N, 1) → loss (),…")


def bce_backward(dout, cache):
    """dout () → dp (N, 1), 0 where p was clamped."""
    raise NotImplementedError("bce_backward: dout () → dp (N, 1), 0 where p was clamped.")

# When it is written: autograd-check check bce
