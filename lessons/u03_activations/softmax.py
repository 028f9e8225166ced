"""Softmax
=======

K scores become K probabilities, row by row:

    pₖ = e^(xₖ) / Σⱼ e^(xⱼ)      x (..., K)  →  p (..., K), over the last axis

Every p depends on every x of its row: raising one score lowers the share of all others. So the derivative is
a matrix, with

    ∂pⱼ/∂xₖ = pⱼ (δⱼₖ − pₖ),     δⱼₖ = 1 if j = k, and 0 otherwise

and dxₖ collects doutⱼ ∂pⱼ/∂xₖ from all j of its row. Work that sum out: the matrix never has to be written
down, and one number a row is enough. Along a row dx sums to 0, for a shift of all K scores changes nothing.

Convention: exact for entries of ±1000, where e^1000 overflows; subtract each row's own maximum first, which
changes nothing either.
"""

import torch


def softmax_forward(x):
    """p = e^x / Σ e^x over the last axis.  x (..., K) → p (..., K), cache."""
    raise NotImplementedError("softmax_forward: p = e^x / Σ e^x over the last axis.  x (..., K) → p (..., K…")


def softmax_backward(dout, cache):
    """dout (..., K) → dx (..., K)."""
    raise NotImplementedError("softmax_backward: dout (..., K) → dx (..., K).")

# When it is written: autograd-check check softmax
