"""Depthwise convolution
=====================

A convolution in which every channel has one filter of its own and never sees the others:

    out[n, c, h, w] = b[c] + Σ over i, j of x̃[n, c, h sH + i, w sW + j] · w[c, 0, i, j]

    x (N, C, H, W), w (C, 1, kH, kW), b (C,)  →  out (N, C, H', W')
    H' = ⌊(H + 2 pH − kH) / sH⌋ + 1,    W' = ⌊(W + 2 pW − kW) / sW⌋ + 1

It needs C times fewer products than a convolution with C filters; a 1 × 1 convolution after it mixes the
channels. The backward pass is that of conv2d with the sum over channels left out.

Convention: stride and padding are numbers for both axes, or pairs (rows, columns).
"""

import torch

from solutions.u07_convolution.given import framed, pair, places


def depthwise_conv2d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (C, 1, kH, kW), b (C,) → out (N, C, H', W'), cache."""
    ### BEGIN SOLUTION
    frame = framed(x, padding)
    filters = w.flatten(1).T[:, :, None, None]  # at each place of the window, one number a channel
    out = sum(place * f for place, f in zip(places(frame, w.shape[2:], stride), filters, strict=True))
    return out + b[:, None, None], (x, w, frame, filters, stride, padding)
    ### END SOLUTION


def depthwise_conv2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W), dw (C, 1, kH, kW), db (C,)."""
    ### BEGIN SOLUTION
    x, w, frame, filters, stride, padding = cache
    dw = torch.stack([(dout * place).sum((0, 2, 3)) for place in places(frame, w.shape[2:], stride)], 1)

    (H, W), (pH, pW) = x.shape[2:], pair(padding)
    dx = torch.zeros_like(frame)
    for f, place in zip(filters, places(dx, w.shape[2:], stride), strict=True):
        place += dout * f
    return dx[:, :, pH : pH + H, pW : pW + W], dw.reshape(w.shape), dout.sum((0, 2, 3))
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    CONVOLUTIONS,
    PAIRS,
    UNSEEN_INDEX,
    WINDOWS,
    Cause,
    Layer,
    Lesson,
    at,
    edit,
    wrong,
)

LESSON = Lesson(
    name="depthwise_conv2d",
    title="Depthwise convolution",
    source="Howard et al., MobileNets (2017), eq. 3; Chollet, Xception (2017), section 2",
    requires=("conv2d",),
    forbids=CONVOLUTIONS,
    minutes=25,
    tasks=(
        Layer(
            "x[N,C,H,W] w[C,1,kH,kW] b[C] -> out[N,C,H',W']",
            oracle=lambda x, w, b, *, stride=1, padding=0: F.conv2d(x, w, b, stride, padding, groups=len(w)),
            sizes=dict(N=3, C=2, H=6, W=7, kH=4, kW=3),
            bench=dict(N=8, C=16, H=16, W=16, kH=3, kW=3, padding=1),
            probes=(
                *WINDOWS,
                at("rows left over", W=8, stride=2),
                at("a frame beyond the filter", H=3, W=2, kH=2, kW=1, padding=2),
                *PAIRS,
            ),
        ),
    ),
    mistakes=(
        wrong("window by window overwrites dx", Cause.OVERWRITTEN),
        edit("place += dout", "place[:] = dout", "windows overwrite one another", Cause.OVERWRITTEN),
        edit(
            "(dout * place).sum((0, 2, 3))",
            "(dout * place).sum() * torch.ones_like(w[:, 0, 0, 0])",
            "summed over the channels in dw",
            Cause.WRONG_AXIS,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit("zip(filters", "zip(filters.flip(0)", "filter turned around in dx", Cause.FLIPPED),
        edit("reshape(w.shape)", "reshape(w.shape)[:, 0]", "dw without its axis of one", Cause.WRONG_SHAPE),
        edit("dx[:, :, pH : pH + H, pW : pW + W]", "dx", "frame not cut off", Cause.WRONG_SHAPE),
        edit("pH : pH + H, pW : pW + W]", "pH:-pH, pW:-pW]", "pad : −pad with pad 0", Cause.WRONG_SHAPE),
        edit("dout.sum((0, 2, 3))", "dout.mean((0, 2, 3))", "bias averaged", Cause.MEAN_FOR_SUM),
        edit(
            "place += dout * f",
            "place += dout * f * (f is filters[-1] or not f.ne(filters[-1]).any())",
            "last place only in dx",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_INDEX,
        ),
    ),
    why="No channel sees another, so nothing is summed over channels: each has its own filter, and each filter its own gradient.",
    hints=(
        "Take one channel alone: it is an image with one filter, and you have written its backward pass.",
        "Which axes does dw have, and over which of dout's must it therefore be summed?",
        "Place by place of the window: dw gets the sum of dout times the slice of x̃ there; the slice of dx gets dout times the filter's entry.",
    ),
)
### END SPEC
