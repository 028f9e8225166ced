"""Depthwise convolution
=====================

A convolution in which every channel has one filter of its own and never sees the others:

    out[n, c, h, w] = b[c] + Σ over i, j of x̃[n, c, h sH + i, w sW + j] · w[c, 0, i, j]

    x (N, C, H, W), w (C, 1, kH, kW), b (C,)  →  out (N, C, H', W')
    H' = ⌊(H + 2 pH − kH) / sH⌋ + 1,    W' = ⌊(W + 2 pW − kW) / sW⌋ + 1

It needs C times fewer products than a convolution with C filters; a 1 × 1 convolution after it mixes the
channels. The backward pass is that of conv2d with the sum over channels left out.

Convention: stride and padding are numbers for both axes, or pairs (rows, columns).
"""

import torch

from lessons.u07_convolution.given import framed, pair, places


def depthwise_conv2d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (C, 1, kH, kW), b (C,) → out (N, C, H', W'), cache."""
    raise NotImplementedError("depthwise_conv2d_forward: x (N, C, H, W), w (C, 1, kH, kW), b (C,) → out (N,…")


def depthwise_conv2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W), dw (C, 1, kH, kW), db (C,)."""
    raise NotImplementedError("depthwise_conv2d_backward: dout (N, C, H', W') → dx (N, C, H, W), dw (C, 1,…")

# When it is written: autograd-check check depthwise_conv2d
