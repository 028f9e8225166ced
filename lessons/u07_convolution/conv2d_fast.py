"""Convolution by one matrix product
=================================

The same convolution, made fast. Lay every window of the batch out as one column, and every filter as one row:

    X (C kH kW, N H' W')        W (O, C kH kW)        out = W X + b        backwards:  dW = dout Xᵀ,   dX = Wᵀ dout

One large product of matrices replaces many small ones, and a matrix product is what a processor does best. What is left is to copy windows
into X, and to add the columns of dX up where they were copied from. Neither needs a loop over the image: taken one place (i, j) of the
window at a time, all windows together are a strided slice of x.

Conventions: as in conv2d; x (N, C, H, W), w (O, C, kH, kW), b (O,)  →  out (N, O, H', W'). This lesson is graded for speed as well.
"""

import torch


def pair(size):
    """An int for both axes, or a pair as it is."""
    return (size, size) if isinstance(size, int) else tuple(size)


def framed(x, padding):
    """x in a frame of zeros.  x (.., H, W) → (.., H + 2 pH, W + 2 pW)."""
    pH, pW = pair(padding)
    frame = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * pH, x.shape[3] + 2 * pW)
    frame[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]] = x
    return frame


def places(x, kernel, stride):
    """For every place (i, j) of the window, row by row: the view of x that meets it.  x (.., H, W) → views (.., H', W')."""
    (kH, kW), (sH, sW) = pair(kernel), pair(stride)
    H, W = x.shape[2] - kH + 1, x.shape[3] - kW + 1
    return [x[:, :, i : i + H : sH, j : j + W : sW] for i in range(kH) for j in range(kW)]


def conv2d_fast_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (O, C, kH, kW), b (O,) → out (N, O, H', W'), cache."""
    raise NotImplementedError("conv2d_fast_forward: x (N, C, H, W), w (O, C, kH, kW), b (O,) → out (N, O, H…")


def conv2d_fast_backward(dout, cache):
    """dout (N, O, H', W') → dx (N, C, H, W), dw (O, C, kH, kW), db (O,)."""
    raise NotImplementedError("conv2d_fast_backward: dout (N, O, H', W') → dx (N, C, H, W), dw (O, C, kH, k…")

# When it is written: autograd-check check conv2d_fast
