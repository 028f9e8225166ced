"""Log-sum-exp
===========

A smooth maximum over the last axis:

    out = log Σₖ e^(xₖ)      x (..., K)  →  out (...)

It lies between max x and max x + log K. One out depends on all K entries of its row, and the slope of the
logarithm is shared among them: write u = Σₖ e^(xₖ), out = log u, and multiply ∂out/∂u by ∂u/∂xₖ. The K slopes
turn out to be positive and to sum to 1; larger entries get the larger share.

Convention: finite for entries of ±1000, where e^1000 overflows and the logarithm of e^(−1000) = 0 is −∞. A
shift m of the whole row comes back out unchanged, so choose m = max x, for every row its own:

    log Σₖ e^(xₖ) = m + log Σₖ e^(xₖ − m)
"""

import torch


def logsumexp_forward(x):
    """out = log Σ e^x over the last axis.  x (..., K) → out (...), cache."""
    raise NotImplementedError("logsumexp_forward: out = log Σ e^x over the last axis.  x (..., K) → out (..…")


def logsumexp_backward(dout, cache):
    """dout (...) → dx (..., K)."""
    raise NotImplementedError("logsumexp_backward: dout (...) → dx (..., K).")

# When it is written: autograd-check check logsumexp
