"""Nearest-neighbour upsampling
============================

Every pixel becomes a block of scale × scale equal pixels:

    out[n, c, h, w] = x[n, c, ⌊h / s⌋, ⌊w / s⌋]      x (N, C, H, W)  →  out (N, C, sH, sW)

So a pixel is copied s² times, and has a share in the loss through each of its copies.

Convention: scale is a number for both axes, or a pair (rows, columns).
"""

from lessons.u07_convolution.given import pair


def upsample_nearest2d_forward(x, *, scale):
    """Every pixel as a block.  x (N, C, H, W) → out (N, C, sH, sW), cache."""
    raise NotImplementedError("upsample_nearest2d_forward: Every pixel as a block.  x (N, C, H, W) → out (N…")


def upsample_nearest2d_backward(dout, cache):
    """dout (N, C, sH, sW) → dx (N, C, H, W)."""
    raise NotImplementedError("upsample_nearest2d_backward: dout (N, C, sH, sW) → dx (N, C, H, W).")

# When it is written: autograd-check check upsample_nearest2d
