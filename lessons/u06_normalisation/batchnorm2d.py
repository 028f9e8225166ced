"""Batch normalisation of images
=============================

A convolution slides one filter over the whole image, so all pixels of a channel are samples of the same
feature. Batch normalisation therefore takes its statistics over the batch and over all pixels, one mean and
one variance a channel:

    x̂[n, c, h, w] = (x[n, c, h, w] − μ[c]) / √(σ²[c] + ε)     out = γ[c] x̂ + β[c]

x (N, C, H, W), γ and β (C,)  →  out (N, C, H, W).

An entry of x reaches the loss as before, through its own x̂ and through μ and σ² of its channel; every mean
is now over the N H W entries that share them. γ[c] and β[c] meet all of those entries, too.

Conventions: training mode; biased variance, divided by N H W; ε under the root; x may be any view, contiguous
in memory or not.
"""


def batchnorm2d_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) → out (N, C, H, W), cache."""
    raise NotImplementedError("batchnorm2d_forward: out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,)…")


def batchnorm2d_backward(dout, cache):
    """dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    raise NotImplementedError("batchnorm2d_backward: dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbet…")

# When it is written: autograd-check check batchnorm2d
