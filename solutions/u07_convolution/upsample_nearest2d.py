"""Nearest-neighbour upsampling
============================

Every pixel becomes a block of scale × scale equal pixels:

    out[n, c, h, w] = x[n, c, ⌊h / s⌋, ⌊w / s⌋]      x (N, C, H, W)  →  out (N, C, sH, sW)

So a pixel is copied s² times, and has a share in the loss through each of its copies.

Convention: scale is a number for both axes, or a pair (rows, columns).
"""

from solutions.u07_convolution.given import pair


def upsample_nearest2d_forward(x, *, scale):
    """Every pixel as a block.  x (N, C, H, W) → out (N, C, sH, sW), cache."""
    ### BEGIN SOLUTION
    rows, columns = pair(scale)
    return x.repeat_interleave(rows, 2).repeat_interleave(columns, 3), (rows, columns)
    ### END SOLUTION


def upsample_nearest2d_backward(dout, cache):
    """dout (N, C, sH, sW) → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    # dx[n, c, h, w] = Σ over i, j of dout[n, c, s h + i, s w + j]
    rows, columns = cache
    return sum(dout[:, :, i::rows, j::columns] for i in range(rows) for j in range(columns))
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import CONVOLUTIONS, UNSEEN_INDEX, Cause, Layer, Lesson, at, edit, reach, standard

LESSON = Lesson(
    name="upsample_nearest2d",
    title="Nearest-neighbour upsampling",
    source="Odena, Dumoulin, Olah, Deconvolution and Checkerboard Artifacts (Distill, 2016)",
    requires=("avgpool2d",),
    forbids=(*CONVOLUTIONS, "interpolate", "upsample", "upsample_nearest2d"),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[N,C,H,W] -> out[N,C,H',W']",
            oracle=lambda x, *, scale: F.interpolate(x, scale_factor=scale, mode="nearest"),
            sizes=dict(N=3, C=2, H=4, W=5),
            hyper=dict(scale=2),
            bench=dict(N=8, C=8, H=32, W=32),
            probes=(
                at(scale=3),
                at(scale=1),
                reach(
                    "pairs",
                    at(scale=(2, 3)),
                    at(scale=(3, 2)),
                    says="a scale that is a pair, (down, across), is not taken yet",
                ),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("sum(dout", "1 / (rows * columns) * sum(dout", "mean of the block", Cause.MEAN_FOR_SUM),
        edit(
            "sum(dout[:, :, i::rows, j::columns] for i in range(rows) for j in range(columns))",
            "dout[:, :, ::rows, ::columns]",
            "one copy only",
            Cause.OVERWRITTEN,
        ),
        edit(
            "dout[:, :, i::rows, j::columns]",
            "dout.chunk(rows, 2)[i].chunk(columns, 3)[j]",
            "blocks taken apart wrongly",
            Cause.WRONG_AXIS,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit(
            "x.repeat_interleave(rows, 2).repeat_interleave(columns, 3)",
            "x.repeat(1, 1, rows, columns)",
            "tiled instead",
            Cause.TRANSPOSED,
        ),
        edit(
            "i::rows, j::columns] for i in range(rows) for j in range(columns)",
            "i::rows] for i in range(rows)",
            "sum over rows only",
            Cause.WRONG_SHAPE,
        ),
    ),
    why="One pixel was copied to a block of s × s, so it collects the gradients of the whole block.",
    hints=(
        "How many entries of out does one pixel of x reach, and with which slope?",
        "A value that is used s² times collects the gradients of all its uses.",
        "The copies at one place (i, j) of their blocks lie s apart: dout[:, :, i::s, j::s] has one for every pixel. Sum over the places.",
    ),
)
### END SPEC
