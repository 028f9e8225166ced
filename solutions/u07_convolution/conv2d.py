"""Convolution of images
=====================

A filter w[o] looks at every window of the image that it fits into, and its scalar product with the window is
one entry of the output:

    out[n, o, h, w] = b[o] + Σ over c, i, j of x̃[n, c, h sH + i, w sW + j] · w[o, c, i, j]

    x (N, C, H, W), w (O, C, kH, kW), b (O,)  →  out (N, O, H', W')
    H' = ⌊(H + 2 pH − kH) / sH⌋ + 1,    W' = ⌊(W + 2 pW − kW) / sW⌋ + 1

x̃ is x in a frame of zeros, pH rows and pW columns wide on each side. (Mathematicians would turn the filter
around first; networks do not.)

Backwards each of the three gets the sum over all products in which it took part: w[o, c, i, j] met one entry
of every window, and b[o] every window. An entry of x̃ lies in several windows, each time at another place
(i, j), and collects a gradient from each. The frame is not x, so its gradient is cut off again.

Convention: stride and padding are numbers for both axes, or pairs (rows, columns).
"""

import torch

from solutions.u07_convolution.given import framed, pair


def conv2d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (O, C, kH, kW), b (O,) → out (N, O, H', W'), cache."""
    ### BEGIN SOLUTION
    (kH, kW), (sH, sW) = w.shape[2:], pair(stride)
    windows = framed(x, padding).unfold(2, kH, sH).unfold(3, kW, sW)
    out = torch.einsum("nchwij,ocij->nohw", windows, w) + b[:, None, None]
    return out, (x, w, windows, stride, padding)
    ### END SOLUTION


def conv2d_backward(dout, cache):
    """dout (N, O, H', W') → dx (N, C, H, W), dw (O, C, kH, kW), db (O,)."""
    ### BEGIN SOLUTION
    x, w, windows, stride, padding = cache
    db = dout.sum((0, 2, 3))
    dw = torch.einsum("nohw,nchwij->ocij", dout, windows)
    dwindows = torch.einsum("nohw,ocij->nchwij", dout, w)

    (H, W), (kH, kW) = dout.shape[2:], w.shape[2:]
    (sH, sW), (pH, pW) = pair(stride), pair(padding)
    dx = framed(torch.zeros_like(x), padding)
    for i in range(kH):
        for j in range(kW):
            dx[:, :, i : i + sH * H : sH, j : j + sW * W : sW] += dwindows[..., i, j]
    return dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]], dw, db
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
    standard,
    wrong,
)

LESSON = Lesson(
    name="conv2d",
    title="Convolution of images",
    source="Goodfellow, Bengio, Courville (2016), eq. 9.6; Dumoulin, Visin (2016), relationship 6",
    requires=("conv1d",),
    forbids=CONVOLUTIONS,
    points=20,
    minutes=45,
    tasks=(
        Layer(
            "x[N,C,H,W] w[O,C,kH,kW] b[O] -> out[N,O,H',W']",
            oracle=lambda x, w, b, *, stride=1, padding=0: F.conv2d(x, w, b, stride=stride, padding=padding),
            sizes=dict(N=3, C=2, H=7, W=8, O=5, kH=4, kW=3),
            bench=dict(N=8, C=8, H=16, W=16, O=16, kH=3, kW=3, padding=1),
            probes=(
                *WINDOWS,
                at("1 × 1 filters", kH=1, kW=1),
                at("a frame beyond the filter", H=3, W=2, kH=2, kW=1, padding=2),
                at("filter as large as the image", kH=7, kW=8),
                *PAIRS,
            ),
        ),
    ),
    mistakes=(
        *standard("dw divided by N", "db summed over everything"),
        wrong("every filter and window overwrites dx", Cause.OVERWRITTEN),
        wrong("window by window overwrites dx", Cause.OVERWRITTEN),
        wrong("every window overwrites dw", Cause.OVERWRITTEN),
        wrong("every window overwrites db", Cause.OVERWRITTEN),
        edit("+= dwindows", "= dwindows", "windows overwrite one another", Cause.OVERWRITTEN),
        edit("dout, windows)", "dout, windows).flip(2, 3)", "filter turned around in dw", Cause.FLIPPED),
        edit("[..., i, j]", "[..., -1 - i, -1 - j]", "filter turned around in dx", Cause.FLIPPED),
        edit(
            "dx[:, :, i : i + sH * H : sH, j : j + sW * W : sW]",
            "dx[:, :, i : i + H, j : j + W]",
            "stride forgotten in dx",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit(
            "dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]]",
            "dx",
            "frame not cut off",
            Cause.WRONG_SHAPE,
        ),
        edit(
            "pH : pH + x.shape[2], pW : pW + x.shape[3]]",
            "pH:-pH, pW:-pW]",
            "pad : −pad with pad 0",
            Cause.WRONG_SHAPE,
        ),
        edit(
            "pH : pH + x.shape[2], pW : pW + x.shape[3]]",
            ": x.shape[2], : x.shape[3]]",
            "frame cut off at one side",
            Cause.BORDER,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit("dout.sum((0, 2", "dout.sum((2", "bias not summed over the batch", Cause.MISSING_REDUCTION),
        edit("dout.sum((0, 2, 3))", "dout.mean((0, 2, 3))", "bias averaged", Cause.MEAN_FOR_SUM),
        edit("dout, windows)", "dout[-1:], windows[-1:])", "last image only in dw", Cause.OVERWRITTEN),
        edit("dout, w)", "dout[:, :1], w[:1])", "first filter only in dx", Cause.ROWS_MISSING),
        edit("pH, pW) = ", "pW, pH) = ", "padding of rows for columns", Cause.NOT_GENERAL),
    ),
    why="Each output is a linear layer on one window. Going backward the windows put their gradients back where they were cut out, and where they overlap these add up.",
    hints=(
        "Write out the sum for one entry of out and find everything that is multiplied by w[o, c, i, j]. That, with dout, is its gradient.",
        "For x, ask first what each window would get: every place (i, j) of it gets Σ over o of dout · w[o, c, i, j].",
        "Put the windows back where they were cut out: overlapping ones add up, and the frame comes off at the end.",
    ),
)
### END SPEC
