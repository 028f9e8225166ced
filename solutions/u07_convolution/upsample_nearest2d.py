"""Nearest-neighbour upsampling
============================

Every pixel becomes a block of scale × scale equal pixels:

    out[n, c, h, w] = x[n, c, ⌊h / s⌋, ⌊w / s⌋]      x (N, C, H, W)  →  out (N, C, sH, sW)

A pixel that was copied s² times collects the gradients of all its copies: the backward pass sums each block.

Convention: scale is an int or a pair (rows, columns).
"""

import torch


def pair(size):
    """An int for both axes, or a pair as it is."""
    return (size, size) if isinstance(size, int) else tuple(size)


def upsample_nearest2d_forward(x, *, scale):
    """Every pixel as a block.  x (N, C, H, W) → out (N, C, sH, sW), cache."""
    ### BEGIN SOLUTION
    rows, columns = pair(scale)
    N, C, H, W = x.shape
    out = x[:, :, :, None, :, None].expand(N, C, H, rows, W, columns)
    return out.reshape(N, C, H * rows, W * columns), (rows, columns)
    ### END SOLUTION


def upsample_nearest2d_backward(dout, cache):
    """dout (N, C, sH, sW) → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    # dx[n, c, h, w] = Σ over i, j of dout[n, c, s h + i, s w + j]
    rows, columns = cache
    return sum(dout[:, :, i::rows, j::columns] for i in range(rows) for j in range(columns))
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, *, scale):
    factors = [float(s) for s in ((scale, scale) if isinstance(scale, int) else scale)]
    return torch.nn.functional.interpolate(x, scale_factor=factors, mode="nearest")


def _interleave_forward(x, *, scale):
    s = (scale, scale) if isinstance(scale, int) else scale
    return x.repeat_interleave(s[0], dim=2).repeat_interleave(s[1], dim=3), s


def _interleave_backward(dout, s):
    return sum(dout[:, :, i :: s[0], j :: s[1]] for i in range(s[0]) for j in range(s[1]))


def _index_forward(x, *, scale):
    down, across = (scale, scale) if isinstance(scale, int) else scale
    rows, columns = torch.arange(x.shape[2] * down) // down, torch.arange(x.shape[3] * across) // across
    return x[:, :, rows[:, None], columns], (x, rows, columns)


def _index_backward(dout, cache):
    x, rows, columns = cache
    tall = torch.zeros(x.shape[0], x.shape[1], x.shape[2], dout.shape[3], dtype=dout.dtype).index_add_(
        2, rows, dout
    )
    return torch.zeros_like(x).index_add_(3, columns, tall)


def _kron_forward(x, *, scale):
    down, across = (scale, scale) if isinstance(scale, int) else scale
    block = torch.ones(down, across, dtype=x.dtype)
    return torch.kron(x.contiguous(), block), (x.shape, block)


def _kron_backward(dout, cache):
    shape, block = cache
    blocks = dout.unfold(2, block.shape[0], block.shape[0]).unfold(3, block.shape[1], block.shape[1])
    return (blocks * block).sum((-1, -2)).reshape(shape)


def _reshaped_backward(dout, cache):
    rows, columns = cache
    return dout.unflatten(3, (-1, columns)).unflatten(2, (-1, rows)).sum((3, 5))


LESSON = Lesson(
    name="upsample_nearest2d",
    title="Nearest-neighbour upsampling",
    source="Odena, Dumoulin, Olah, Deconvolution and Checkerboard Artifacts (Distill, 2016)",
    requires=("avgpool2d",),
    forbids=(
        "interpolate",
        "upsample",
        "upsample_nearest2d",
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
    points=5,
    minutes=10,
    target=None,
    tasks=(
        Pair(
            "upsample_nearest2d",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("doubled", x=normal(2, 3, 4, 5), hyper={"scale": 2}),
                probe("three times", x=normal(1, 2, 3, 2), hyper={"scale": 3}),
                probe("one image, one channel", x=normal(1, 1, 2, 3), hyper={"scale": 2}),
                probe("scale 1", x=normal(2, 2, 3, 4), hyper={"scale": 1}),
                probe("a pair the other way", x=normal(2, 2, 4, 3), hyper={"scale": (2, 3)}),
                probe("a pair", x=normal(2, 2, 3, 4), hyper={"scale": (3, 2)}),
                probe("non-contiguous", x=transposed(normal(2, 2, 4, 3)), hyper={"scale": 2}),
            ),
            bench=probe("64 maps of 32 × 32", x=normal(8, 8, 32, 32), hyper={"scale": 2}),
        ),
    ),
    mistakes=(
        mistake("mean of the block", "mean_for_sum", "sum(dout", "1 / (rows * columns) * sum(dout"),
        mistake(
            "one copy only",
            "overwritten",
            "sum(dout[:, :, i::rows, j::columns] for i in range(rows) for j in range(columns))",
            "dout[:, :, ::rows, ::columns]",
        ),
        mistake(
            "blocks taken apart wrongly",
            "wrong_axis",
            "dout[:, :, i::rows, j::columns]",
            "dout.chunk(rows, 2)[i].chunk(columns, 3)[j]",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake(
            "tiled instead",
            "transposed",
            "x[:, :, :, None, :, None].expand(N, C, H, rows, W, columns)",
            "x[:, :, None, :, None, :].expand(N, C, rows, H, columns, W)",
        ),
        mistake(
            "sum over rows only",
            "wrong_shape",
            "dout[:, :, i::rows, j::columns] for i in range(rows) for j in range(columns)",
            "dout[:, :, i::rows] for i in range(rows)",
        ),
        mistake("upstream ignored", "ignores_upstream", "sum(dout[", "sum(torch.ones_like(dout)["),
    ),
    variants=(
        variant(
            "repeat_interleave, strided slices",
            upsample_nearest2d_forward=_interleave_forward,
            upsample_nearest2d_backward=_interleave_backward,
        ),
        variant(
            "index and index_add",
            upsample_nearest2d_forward=_index_forward,
            upsample_nearest2d_backward=_index_backward,
        ),
        variant("a sum over two axes", upsample_nearest2d_backward=_reshaped_backward),
        variant(
            "Kronecker product",
            upsample_nearest2d_forward=_kron_forward,
            upsample_nearest2d_backward=_kron_backward,
        ),
    ),
    hints=(
        "How many entries of out does one pixel of x reach, and with which slope?",
        "A value that is used s² times collects the gradients of all its uses.",
        "The copies at one place (i, j) of their blocks lie s apart: dout[:, :, i::s, j::s] has one for every pixel. Sum over the places.",
    ),
)
### END SPEC
