"""Average pooling
===============

A window of size kernel slides over every channel in steps of stride; the mean of each window goes on:

    out[n, c, h, w] = 1/(kH kW) Σ over i, j of x[n, c, h sH + i, w sW + j]

    x (N, C, H, W)  →  out (N, C, H', W'),   H' = ⌊(H − kH) / sH⌋ + 1,   W' = ⌊(W − kW) / sW⌋ + 1

Every entry of a window has the same share in its mean. Where windows overlap (stride < kernel), an entry has
a share in each window that it lies in.

Conventions: kernel and stride are numbers for both axes, or pairs (rows, columns); rows and columns that no
window reaches are left out, and get gradient 0.
"""

import torch

from lessons.u07_convolution.given import places


def avgpool2d_forward(x, *, kernel, stride):
    """The mean of each window.  x (N, C, H, W) → out (N, C, H', W'), cache."""
    raise NotImplementedError("avgpool2d_forward: The mean of each window.  x (N, C, H, W) → out (N, C, H',…")


def avgpool2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W)."""
    raise NotImplementedError("avgpool2d_backward: dout (N, C, H', W') → dx (N, C, H, W).")

# When it is written: autograd-check check avgpool2d
