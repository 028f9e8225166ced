"""Log-softmax
===========

The logarithm of the softmax, as losses need it, row by row:

    outₖ = xₖ − log Σⱼ e^(xⱼ)      x (..., K)  →  out (..., K), over the last axis

xₖ reaches the loss on two paths: directly, through outₖ alone, and through the logarithm, which every out of
the row subtracts. You know the slope of that logarithm from the lesson on log-sum-exp.

Convention: exact for entries of ±1000. The softmax of the smaller ones rounds to 0, and its logarithm is −∞;
so never take the logarithm of a softmax, but subtract log-sum-exp, with each row's own maximum taken out.
"""

import torch


def log_softmax_forward(x):
    """out = x − log Σ e^x over the last axis.  x (..., K) → out (..., K), cache."""
    raise NotImplementedError("log_softmax_forward: out = x − log Σ e^x over the last axis.  x (..., K) → o…")


def log_softmax_backward(dout, cache):
    """dout (..., K) → dx (..., K)."""
    raise NotImplementedError("log_softmax_backward: dout (..., K) → dx (..., K).")

# When it is written: autograd-check check log_softmax
