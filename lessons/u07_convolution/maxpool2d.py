"""Max pooling
===========

A window of size kernel slides over every channel in steps of stride, and of each window only the largest
entry goes on:

    out[n, c, h, w] = max over i, j of x[n, c, h sH + i, w sW + j]

    x (N, C, H, W)  →  out (N, C, H', W'),   H' = ⌊(H − kH) / sH⌋ + 1,   W' = ⌊(W − kW) / sW⌋ + 1

Seen from one place (i, j) of the window, the entries that meet it in all windows are a strided slice of x.
The largest of these kH · kW slices is the output.

Backwards, an entry of x gets dout from every window in which it was the largest, and nothing from the others.
Where windows overlap (stride < kernel), one entry may win several times: its gradients add up.

Conventions: kernel and stride are numbers for both axes, or pairs (rows, columns); rows and columns that no
window reaches are left out, and get gradient 0; at a tie the first entry in row-major order wins, and takes
the whole gradient.
"""

import torch

from lessons.u07_convolution.given import places


def maxpool2d_forward(x, *, kernel, stride):
    """The largest entry of each window.  x (N, C, H, W) → out (N, C, H', W'), cache."""
    raise NotImplementedError("maxpool2d_forward: The largest entry of each window.  x (N, C, H, W) → out (…")


def maxpool2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W)."""
    raise NotImplementedError("maxpool2d_backward: dout (N, C, H', W') → dx (N, C, H, W).")

# When it is written: autograd-check check maxpool2d
