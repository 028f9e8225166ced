"""Transposed convolution
======================

A convolution gathers each window into one number. The transposed convolution does the reverse: every entry of
x spreads a copy of the filter, scaled by its value, over a window of the output, and overlapping copies add
up:

    õut[n, o, h sH + i, w sW + j] += Σ over c of x[n, c, h, w] · w[c, o, i, j]
    out = õut without its frame, + b[o]

    x (N, C, H, W), w (C, O, kH, kW), b (O,)  →  out (N, O, H', W')
    H' = (H − 1) sH + kH − 2 pH,    W' = (W − 1) sW + kW − 2 pW

This is just what the backward pass of a convolution does to dout; so networks that draw images use it to make
small ones large. And its own backward pass with respect to x is a convolution.

Conventions: stride and padding are numbers for both axes, or pairs (rows, columns); the padding cuts a frame
off the output. Mind the order of w's first two axes.
"""

import torch

from lessons.u07_convolution.given import framed, pair


def conv_transpose2d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (C, O, kH, kW), b (O,) → out (N, O, H', W'), cache."""
    raise NotImplementedError("conv_transpose2d_forward: x (N, C, H, W), w (C, O, kH, kW), b (O,) → out (N,…")


def conv_transpose2d_backward(dout, cache):
    """dout (N, O, H', W') → dx (N, C, H, W), dw (C, O, kH, kW), db (O,)."""
    raise NotImplementedError("conv_transpose2d_backward: dout (N, O, H', W') → dx (N, C, H, W), dw (C, O,…")

# When it is written: autograd-check check conv_transpose2d
