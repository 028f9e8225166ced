"""Residual block
==============

Two convolutions that need not learn what is there already: their output is added to the input.

    out = x + conv(relu(conv(x, w1, b1)), w2, b2)

    x (N, C, H, W), w1 (M, C, k, k), b1 (M,), w2 (C, M, k, k), b2 (C,)  →  out (N, C, H, W)

k is odd, the stride is 1 and the padding k // 2, so that the image keeps its size.

x reaches the output on two ways, straight and through the branch, and its gradient has a part from each.
However deep the stack of blocks, the gradient finds a way through.
"""

from lessons.u02_network.relu import relu_backward, relu_forward
from lessons.u07_convolution.conv2d import conv2d_backward, conv2d_forward


def residual_block_forward(x, w1, b1, w2, b2):
    """x + conv(relu(conv(x))).  x (N, C, H, W) → out (N, C, H, W), cache."""
    raise NotImplementedError("residual_block_forward: x + conv(relu(conv(x))).  x (N, C, H, W) → out (N, C…")


def residual_block_backward(dout, cache):
    """dout (N, C, H, W) → dx, dw1, db1, dw2, db2."""
    raise NotImplementedError("residual_block_backward: dout (N, C, H, W) → dx, dw1, db1, dw2, db2.")

# When it is written: autograd-check check residual_block
