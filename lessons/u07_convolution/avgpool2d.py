"""Average pooling
===============

A window of size kernel slides over every channel in steps of stride; the mean of each window goes on:

    out[n, c, h, w] = 1/(kH kW) Σ over i, j of x[n, c, h sH + i, w sW + j]      x (N, C, H, W)  →  out (N, C, H', W')
    H' = ⌊(H − kH) / sH⌋ + 1,    W' = ⌊(W − kW) / sW⌋ + 1

Every entry of a window has the same share in its mean, 1/(kH kW), and so it gets the same share of dout back. Where windows overlap
(stride < kernel), an entry collects a share from each window that it lies in.

Conventions: kernel and stride are ints or pairs (rows, columns); rows and columns that no window reaches are left out, and get gradient 0.
"""

import torch


def pair(size):
    """An int for both axes, or a pair as it is."""
    return (size, size) if isinstance(size, int) else tuple(size)


def places(x, kernel, stride):
    """For every place (i, j) of the window, row by row: the view of x that meets it.  x (N, C, H, W) → views (N, C, H', W')."""
    (kH, kW), (sH, sW) = pair(kernel), pair(stride)
    H, W = x.shape[2] - kH + 1, x.shape[3] - kW + 1
    return [x[:, :, i : i + H : sH, j : j + W : sW] for i in range(kH) for j in range(kW)]


def avgpool2d_forward(x, *, kernel, stride):
    """The mean of each window.  x (N, C, H, W) → out (N, C, H', W'), cache."""
    raise NotImplementedError("avgpool2d_forward: The mean of each window.  x (N, C, H, W) → out (N, C, H',…")


def avgpool2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W)."""
    raise NotImplementedError("avgpool2d_backward: dout (N, C, H', W') → dx (N, C, H, W).")

# When it is written: autograd-check check avgpool2d
