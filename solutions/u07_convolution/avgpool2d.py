"""Average pooling
===============

A window of size kernel slides over every channel in steps of stride; the mean of each window goes on:

    out[n, c, h, w] = 1/(kH kW) Σ over i, j of x[n, c, h sH + i, w sW + j]

    x (N, C, H, W)  →  out (N, C, H', W'),   H' = ⌊(H − kH) / sH⌋ + 1,   W' = ⌊(W − kW) / sW⌋ + 1

Every entry of a window has the same share in its mean. Where windows overlap (stride < kernel), an entry has
a share in each window that it lies in.

Conventions: kernel and stride are numbers for both axes, or pairs (rows, columns); rows and columns that no
window reaches are left out, and get gradient 0.
"""

import torch

from solutions.u07_convolution.given import places


def avgpool2d_forward(x, *, kernel, stride):
    """The mean of each window.  x (N, C, H, W) → out (N, C, H', W'), cache."""
    ### BEGIN SOLUTION
    windows = places(x, kernel, stride)
    return sum(windows) / len(windows), (x, kernel, stride)
    ### END SOLUTION


def avgpool2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    x, kernel, stride = cache
    dx = torch.zeros_like(x)
    windows = places(dx, kernel, stride)
    for place in windows:
        place += dout / len(windows)
    return dx
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    CONVOLUTIONS,
    POOLINGS,
    POOLS,
    UNSEEN_INDEX,
    Cause,
    Layer,
    Lesson,
    at,
    edit,
    standard,
    wrong,
)

LESSON = Lesson(
    name="avgpool2d",
    title="Average pooling",
    source="LeCun, Bottou, Bengio, Haffner (1998), section II.B (subsampling); Goodfellow et al. (2016), section 9.3",
    requires=("maxpool2d",),
    forbids=(*POOLINGS, *CONVOLUTIONS),
    minutes=15,
    tasks=(
        Layer(
            "x[N,C,H,W] -> out[N,C,H',W']",
            oracle=lambda x, *, kernel, stride: F.avg_pool2d(x, kernel, stride),
            sizes=dict(N=3, C=2, H=6, W=7),
            hyper=dict(kernel=2, stride=2),
            bench=dict(N=8, C=8, H=32, W=32),
            probes=(*POOLS, at("one step at a time", kernel=3, stride=1)),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        wrong("window by window overwrites dx", Cause.OVERWRITTEN),
        edit("place += dout", "place[:] = dout", "windows overwrite one another", Cause.OVERWRITTEN),
        edit("+= dout / len(windows)", "+= dout", "not shared", Cause.CONSTANT_FACTOR),
        edit(
            "+= dout / len(windows)", "+= dout / kernel", "shared among the rows only", Cause.CONSTANT_FACTOR
        ),
        edit(
            "in windows:",
            "in windows[:1]:",
            "only the first place",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit("sum(windows) / len(windows)", "sum(windows)", "sum for mean", Cause.CONSTANT_FACTOR),
        edit("x, kernel, stride)\n", "x, kernel, kernel)\n", "kernel for stride", Cause.CRASHED),
    ),
    why="Every entry of a window has the same share in its mean, and gets that share of the gradient, once for each window that it lies in.",
    hints=(
        "How much does the mean of a window change when one of its entries does?",
        "Every entry of the window gets that share of dout. How many windows does an entry lie in when stride < kernel?",
        "Start from zeros and add, place by place of the window, the share to the slice of dx that meets it.",
    ),
)
### END SPEC
