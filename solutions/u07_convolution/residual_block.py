"""Residual block
==============

Two convolutions that need not learn what is there already: their output is added to the input.

    out = x + conv(relu(conv(x, w1, b1)), w2, b2)      x (N, C, H, W)  →  out (N, C, H, W)

w1 (M, C, k, k), b1 (M,), w2 (C, M, k, k), b2 (C,); k is odd, the stride is 1 and the padding k // 2, so that the image keeps its size.

x reaches the output on two ways, straight and through the branch. So its gradient has two parts, and the straight one is dout itself:
however deep the stack of blocks, the gradient finds a way through.
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
import torch

from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, w1, b1, w2, b2):
    conv = torch.nn.functional.conv2d
    return x + conv(torch.relu(conv(x, w1, b1, padding=w1.shape[-1] // 2)), w2, b2, padding=w2.shape[-1] // 2)


def _columns(x, k):
    """All k × k windows of the padded image as rows of a matrix (N, H W, C k k)."""
    p = k // 2
    padded = x.new_zeros(x.shape[0], x.shape[1], x.shape[2] + 2 * p, x.shape[3] + 2 * p)
    padded[:, :, p : p + x.shape[2], p : p + x.shape[3]] = x
    windows = padded.unfold(2, k, 1).unfold(3, k, 1)
    return windows.permute(0, 2, 3, 1, 4, 5).reshape(x.shape[0], x.shape[2] * x.shape[3], -1)


def _conv(x, w, b):
    out = _columns(x, w.shape[-1]) @ w.flatten(1).T + b
    return out.transpose(1, 2).reshape(x.shape[0], w.shape[0], x.shape[2], x.shape[3])


def _unfolded_forward(x, w1, b1, w2, b2):
    h = _conv(x, w1, b1)
    return x + _conv(h.clamp(min=0), w2, b2), (x, h, w1, w2)


def _unfolded_backward(dout, cache):
    x, h, w1, w2 = cache

    def conv_backward(dout, x, w):
        # a convolution of stride 1 goes back by the filter turned around
        turned = w.flip(2, 3).transpose(0, 1).contiguous()
        dw = torch.einsum("npm,npk->mk", dout.flatten(2).transpose(1, 2), _columns(x, w.shape[-1]))
        return _conv(dout, turned, 0), dw.reshape(w.shape), dout.sum((0, 2, 3))

    dh, dw2, db2 = conv_backward(dout, h.clamp(min=0), w2)
    dx, dw1, db1 = conv_backward(torch.where(h > 0, dh, torch.zeros_like(dh)), x, w1)
    return [dx + dout, dw1, db1, dw2, db2]


def _shifts(x, k):
    p = k // 2
    padded = torch.zeros(x.shape[0], x.shape[1], x.shape[2] + 2 * p, x.shape[3] + 2 * p, dtype=x.dtype)
    padded[:, :, p : p + x.shape[2], p : p + x.shape[3]] += x
    return {(i, j): padded[:, :, i : i + x.shape[2], j : j + x.shape[3]] for i in range(k) for j in range(k)}


def _shifted_forward(x, w1, b1, w2, b2):
    def conv(x, w, b):
        return (
            sum(
                torch.einsum("nchw,mc->nmhw", part, w[:, :, i, j])
                for (i, j), part in _shifts(x, w.shape[-1]).items()
            )
            + b[:, None, None]
        )

    h = conv(x, w1, b1)
    on = h > 0
    return x + conv(h * on, w2, b2), {"x": x, "r": h * on, "on": on, "w": (w1, w2)}


def _shifted_backward(dout, cache):
    def conv_backward(dout, x, w):
        dw, k = torch.zeros_like(w), w.shape[-1]
        for (i, j), part in _shifts(x, k).items():
            dw[:, :, i, j] = torch.einsum("nmhw,nchw->mc", dout, part)
        dx = sum(
            torch.einsum("nmhw,mc->nchw", part, w[:, :, k - 1 - i, k - 1 - j])
            for (i, j), part in _shifts(dout, k).items()
        )
        return dx, dw, dout.sum((0, 2, 3))

    w1, w2 = cache["w"]
    dr, dw2, db2 = conv_backward(dout, cache["r"], w2)
    dx, dw1, db1 = conv_backward(dr * cache["on"], cache["x"], w1)
    return dout + dx, dw1, db1, dw2, db2


def weights(channels, hidden, kernel):
    """Two convolutions; biases that keep most hidden units away from 0."""
    return {
        "w1": normal(hidden, channels, kernel, kernel, scale=0.5),
        "b1": normal(hidden, scale=0.5, shift=0.3),
        "w2": normal(channels, hidden, kernel, kernel, scale=0.5),
        "b2": normal(channels),
    }


LESSON = Lesson(
    name="residual_block",
    title="The residual block",
    source="He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition (2016), eq. 1, and Identity Mappings in Deep Residual Networks (2016), eq. 5",
    requires=("conv2d", "relu"),
    minutes=25,
    target=None,
    forbids=(
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "conv_tbc",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "fold",
        "col2im",
    ),
    tasks=(
        Pair(
            "residual_block",
            wrt=("x", "w1", "b1", "w2", "b2"),
            oracle=oracle,
            probes=(
                probe("2 images, 3 channels, 2 hidden", x=normal(2, 3, 4, 5), **weights(3, 2, 3)),
                probe("one image", x=normal(1, 2, 3, 4), **weights(2, 4, 3)),
                probe("1 × 1 filters", x=normal(3, 2, 3, 2), **weights(2, 3, 1)),
                probe("5 × 5 filters", x=normal(2, 1, 5, 4), **weights(1, 2, 5)),
                probe("non-contiguous", x=transposed(normal(2, 2, 4, 3)), **weights(2, 3, 3)),
            ),
            bench=probe("8 images, 16 channels, 16 × 16", x=normal(8, 16, 16, 16), **weights(16, 16, 3)),
        ),
    ),
    mistakes=(
        mistake("the straight way forgotten", "missing_term", "return dout + dx, dw1", "return dx, dw1"),
        mistake("the branch forgotten", "missing_term", "return dout + dx, dw1", "return dout + 0 * dx, dw1"),
        mistake(
            "dout twice",
            "extra_term",
            "return dout + dx, dw1",
            "return 2 * dout + dx, dw1",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake(
            "relu not taken back",
            "mask_missing",
            "dh = relu_backward(dh, cache2)",
            "dh = dh * 1",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake("weights in the wrong order", "swapped", "dw1, db1, dw2, db2\n", "dw2, db2, dw1, db1\n"),
        mistake("no sum in the forward", "forward_wrong", "return x + h, (cache1", "return h, (cache1"),
        mistake("padding hard-coded as 1", "crashed", "padding=w1.shape[-1] // 2", "padding=1"),
    ),
    variants=(
        variant(
            "one matrix product a layer",
            residual_block_forward=_unfolded_forward,
            residual_block_backward=_unfolded_backward,
        ),
        variant(
            "sums of shifted images",
            residual_block_forward=_shifted_forward,
            residual_block_backward=_shifted_backward,
        ),
    ),
    hints=(
        "Take the layers back in reverse order with functions that you have written; each gives the next one its upstream gradient.",
        "x is used twice in the forward. What happens to the gradients of two uses?",
        "Only one of the two uses goes through the convolutions; for the other one, out changes just as much as x does.",
    ),
)
### END SPEC
