"""Convolution by one matrix product
=================================

The same convolution, made fast. Lay every window of the batch out as one column, and every filter as one row:

    X (C kH kW, N H' W')        W (O, C kH kW)        out = W X + b

One large product of matrices replaces many small ones, and a matrix product is what a processor does best;
going backward there are two of them, as in the linear layer. What is left is to copy windows into X, and to
add the columns of its gradient up where they were copied from. Neither needs a loop over the image: taken one
place (i, j) of the window at a time, all windows together are a strided slice of x.

Conventions: as in conv2d; x (N, C, H, W), w (O, C, kH, kW), b (O,)  →  out (N, O, H', W'). This lesson is
graded for speed as well.
"""

import torch

from lessons.u07_convolution.given import framed, pair, places


def conv2d_fast_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (O, C, kH, kW), b (O,) → out (N, O, H', W'), cache."""
    raise NotImplementedError("conv2d_fast_forward: x (N, C, H, W), w (O, C, kH, kW), b (O,) → out (N, O, H…")


def conv2d_fast_backward(dout, cache):
    """dout (N, O, H', W') → dx (N, C, H, W), dw (O, C, kH, kW), db (O,)."""
    raise NotImplementedError("conv2d_fast_backward: dout (N, O, H', W') → dx (N, C, H, W), dw (O, C, kH, k…")

# When it is written: autograd-check check conv2d_fast
