"""Convolution of images
=====================

A filter w[o] looks at every window of the image that it fits into, and its scalar product with the window is one entry of the output:

    out[n, o, h, w] = b[o] + Σ over c, i, j of x̃[n, c, h sH + i, w sW + j] · w[o, c, i, j]

    x (N, C, H, W), w (O, C, kH, kW), b (O,)  →  out (N, O, H', W')
    H' = ⌊(H + 2 pH − kH) / sH⌋ + 1,    W' = ⌊(W + 2 pW − kW) / sW⌋ + 1

x̃ is x in a frame of zeros, pH rows and pW columns wide on each side. (Mathematicians would turn the filter around first; networks do not.)

Backwards each of the three gets the sum over all products in which it took part: w[o, c, i, j] met one entry of every window, and b[o] every
window. An entry of x̃ lies in several windows, each time at another place (i, j), and collects a gradient from each. The frame is not x,
so its gradient is cut off again.

Convention: stride and padding are ints or pairs (rows, columns).
"""

import torch


def pair(size):
    """An int for both axes, or a pair as it is."""
    return (size, size) if isinstance(size, int) else tuple(size)


def framed(x, padding):
    """x in a frame of zeros.  x (N, C, H, W) → (N, C, H + 2 pH, W + 2 pW)."""
    pH, pW = pair(padding)
    frame = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * pH, x.shape[3] + 2 * pW)
    frame[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]] = x
    return frame


def conv2d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (O, C, kH, kW), b (O,) → out (N, O, H', W'), cache."""
    raise NotImplementedError("conv2d_forward: x (N, C, H, W), w (O, C, kH, kW), b (O,) → out (N, O, H', W'…")


def conv2d_backward(dout, cache):
    """dout (N, O, H', W') → dx (N, C, H, W), dw (O, C, kH, kW), db (O,)."""
    raise NotImplementedError("conv2d_backward: dout (N, O, H', W') → dx (N, C, H, W), dw (O, C, kH, kW), d…")

# When it is written: autograd-check check conv2d
