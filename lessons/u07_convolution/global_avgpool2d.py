"""Global average pooling
======================

The mean of each channel over the whole image: what a deep network hands to its last layer instead of a long
vector.

    out[n, c] = 1/(H W) Σ over h, w of x[n, c, h, w]      x (N, C, H, W)  →  out (N, C)

Every pixel of a channel has the same share in its mean.

(Some keep the two axes, out (N, C, 1, 1); that counts as well.)
"""


def global_avgpool2d_forward(x):
    """The mean over all pixels.  x (N, C, H, W) → out (N, C), cache."""
    raise NotImplementedError("global_avgpool2d_forward: The mean over all pixels.  x (N, C, H, W) → out (N…")


def global_avgpool2d_backward(dout, cache):
    """dout (N, C) → dx (N, C, H, W)."""
    raise NotImplementedError("global_avgpool2d_backward: dout (N, C) → dx (N, C, H, W).")

# When it is written: autograd-check check global_avgpool2d
