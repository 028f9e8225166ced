"""Residual block
==============

Two convolutions that need not learn what is there already: their output is added to the input.

    out = x + conv(relu(conv(x, w1, b1)), w2, b2)

    x (N, C, H, W), w1 (M, C, k, k), b1 (M,), w2 (C, M, k, k), b2 (C,)  →  out (N, C, H, W)

k is odd, the stride is 1 and the padding k // 2, so that the image keeps its size.

x reaches the output on two ways, straight and through the branch, and its gradient has a part from each.
However deep the stack of blocks, the gradient finds a way through.
"""

from solutions.u02_network.relu import relu_backward, relu_forward
from solutions.u07_convolution.conv2d import conv2d_backward, conv2d_forward


def residual_block_forward(x, w1, b1, w2, b2):
    """x + conv(relu(conv(x))).  x (N, C, H, W) → out (N, C, H, W), cache."""
    ### BEGIN SOLUTION
    h, cache1 = conv2d_forward(x, w1, b1, padding=w1.shape[-1] // 2)
    h, cache2 = relu_forward(h)
    h, cache3 = conv2d_forward(h, w2, b2, padding=w2.shape[-1] // 2)
    return x + h, (cache1, cache2, cache3)
    ### END SOLUTION


def residual_block_backward(dout, cache):
    """dout (N, C, H, W) → dx, dw1, db1, dw2, db2."""
    ### BEGIN SOLUTION
    cache1, cache2, cache3 = cache
    dh, dw2, db2 = conv2d_backward(dout, cache3)
    dh = relu_backward(dh, cache2)
    dx, dw1, db1 = conv2d_backward(dh, cache1)
    return dout + dx, dw1, db1, dw2, db2
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import CONVOLUTIONS, UNSEEN_INDEX, Cause, Layer, Lesson, at, edit, normal


def block(x, w1, b1, w2, b2):
    h = F.relu(F.conv2d(x, w1, b1, padding=w1.shape[-1] // 2))
    return x + F.conv2d(h, w2, b2, padding=w2.shape[-1] // 2)


LESSON = Lesson(
    name="residual_block",
    title="The residual block",
    source="He, Zhang, Ren, Sun, Deep Residual Learning (2016), eq. 1; Identity Mappings (2016), eq. 5",
    requires=("conv2d", "relu"),
    forbids=CONVOLUTIONS,
    minutes=25,
    tasks=(
        Layer(
            "x[N,C,H,W] w1[M,C,k,k] b1[M] w2[C,M,k,k] b2[C] -> out[N,C,H,W]",
            oracle=block,
            sizes=dict(N=3, C=2, H=4, W=5, M=6, k=3),
            # biases that keep most hidden units away from 0
            draw=dict(w1=normal(scale=0.5), b1=normal(scale=0.5, shift=0.3), w2=normal(scale=0.5)),
            bench=dict(N=8, C=16, H=16, W=16, M=16),
            probes=(at("1 × 1 filters", k=1), at("5 × 5 filters", C=1, H=5, M=2, k=5)),
        ),
    ),
    mistakes=(
        edit("return dout + dx", "return dx", "the straight way forgotten", Cause.MISSING_TERM),
        edit("return dout + dx", "return dout + 0 * dx", "the branch forgotten", Cause.MISSING_TERM),
        edit(
            "return dout + dx",
            "return 2 * dout + dx",
            "dout twice",
            Cause.EXTRA_TERM,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit(
            "relu_backward(dh, cache2)",
            "dh * 1",
            "relu not taken back",
            Cause.MASK_MISSING,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit("dx, dw1, db1, dw2, db2", "dx, dw2, db2, dw1, db1", "weights in the wrong order", Cause.SWAPPED),
        edit("return x + h", "return h", "no sum in the forward", Cause.FORWARD_WRONG),
        edit("padding=w1.shape[-1] // 2", "padding=1", "padding hard-coded as 1", Cause.CRASHED),
    ),
    why="x is used twice, by the convolutions and by the sum, so its gradient is a sum of two: one through the convolutions, and dout itself, which no layer in between can make vanish.",
    hints=(
        "Take the layers back in reverse order with functions that you have written; each gives the next one its upstream gradient.",
        "x is used twice in the forward. What happens to the gradients of two uses?",
        "Only one of the two uses goes through the convolutions; for the other one, out changes just as much as x does.",
    ),
)
### END SPEC
