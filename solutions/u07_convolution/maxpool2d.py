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

from solutions.u07_convolution.given import places


def maxpool2d_forward(x, *, kernel, stride):
    """The largest entry of each window.  x (N, C, H, W) → out (N, C, H', W'), cache."""
    ### BEGIN SOLUTION
    out, winner = torch.stack(places(x, kernel, stride)).max(0)
    return out, (x, winner, kernel, stride)
    ### END SOLUTION


def maxpool2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    x, winner, kernel, stride = cache
    dx = torch.zeros_like(x)
    for k, place in enumerate(places(dx, kernel, stride)):
        place += dout * (winner == k)
    return dx
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    POOLINGS,
    POOLS,
    UNSEEN_INDEX,
    Cause,
    Layer,
    Lesson,
    at,
    convention,
    distinct,
    edit,
    normal,
    standard,
    wrong,
)

TIES = "where several entries of a window are the largest, the first in row-major order takes the whole gradient."
TIED = [[[[1.0, 1.0, 2.0, 0.0], [1.0, 1.0, 2.0, 2.0], [3.0, 0.0, 0.0, 0.0], [3.0, 3.0, 0.0, 0.0]]]]

LESSON = Lesson(
    name="maxpool2d",
    title="Max pooling",
    source="Goodfellow, Bengio, Courville (2016), section 9.3; Boureau, Ponce, LeCun (2010)",
    requires=("relu",),
    forbids=POOLINGS,
    minutes=30,
    tasks=(
        Layer(
            "x[N,C,H,W] -> out[N,C,H',W']",
            oracle=lambda x, *, kernel, stride: F.max_pool2d(x, kernel, stride),
            sizes=dict(N=3, C=2, H=6, W=7),
            hyper=dict(kernel=2, stride=2),
            draw=dict(x=distinct()),
            bench=dict(N=8, C=8, H=32, W=32),
            probes=(
                *POOLS,
                at("one step at a time", kernel=3, stride=1),
                at("very negative images", x=normal(shift=-1e6)),
                convention("ties", Cause.TIES, TIES, x=TIED),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        wrong("window by window overwrites dx", Cause.OVERWRITTEN),
        wrong("the winner's entry is overwritten", Cause.OVERWRITTEN),
        edit("place += dout", "place[:] = dout", "windows overwrite one another", Cause.OVERWRITTEN),
        edit("dout * (winner == k)", "dout", "dout goes to every entry", Cause.MASK_MISSING),
        wrong("shared among the entries", Cause.MASK_MISSING, by_fingerprint=UNSEEN_INDEX),
        edit(
            "(winner == k)",
            "(winner == (k + 1) % (int(winner.max()) + 1))",
            "window offset by one",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_INDEX,
        ),
        wrong("last of the ties", Cause.TIES),
        wrong("strides for rows on columns", Cause.NOT_GENERAL),
        edit(".max(0)", ".min(0)", "min for max", Cause.FORWARD_WRONG),
        wrong("all ties get the gradient", Cause.TIES),
    ),
    why="Only the winner of a window moves the output, so it gets the whole gradient; an entry that wins in several windows collects from each.",
    hints=(
        "Which entry of a window changes the output when it moves a little? What is the slope for it, and for the others?",
        "Remember in the forward, for every window, which place in it won.",
        "Go over the places of the window once more in the backward: each receives dout exactly where it won, and an entry may lie in several windows.",
    ),
)
### END SPEC
