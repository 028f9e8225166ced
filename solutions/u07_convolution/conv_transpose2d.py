"""Transposed convolution
======================

A convolution gathers each window into one number. The transposed convolution does the reverse: every entry of
x spreads a copy of the filter, scaled by its value, over a window of the output, and overlapping copies add
up:

    õut[n, o, h sH + i, w sW + j] += Σ over c of x[n, c, h, w] · w[c, o, i, j]
    out = õut without its frame, + b[o]

    x (N, C, H, W), w (C, O, kH, kW), b (O,)  →  out (N, O, H', W')
    H' = (H − 1) sH + kH − 2 pH,    W' = (W − 1) sW + kW − 2 pW

This is just what the backward pass of a convolution does to dout; so networks that draw images use it to make
small ones large. And its own backward pass with respect to x is a convolution.

Conventions: stride and padding are numbers for both axes, or pairs (rows, columns); the padding cuts a frame
off the output. Mind the order of w's first two axes.
"""

import torch

from solutions.u07_convolution.given import framed, pair


def conv_transpose2d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (C, O, kH, kW), b (O,) → out (N, O, H', W'), cache."""
    ### BEGIN SOLUTION
    (N, _, H, W), (_, O, kH, kW) = x.shape, w.shape
    (sH, sW), (pH, pW) = pair(stride), pair(padding)
    spread = torch.einsum("nchw,coij->nohwij", x, w)
    out = x.new_zeros(N, O, (H - 1) * sH + kH, (W - 1) * sW + kW)
    for i in range(kH):
        for j in range(kW):
            out[:, :, i : i + sH * H : sH, j : j + sW * W : sW] += spread[..., i, j]
    out = out[:, :, pH : out.shape[2] - pH, pW : out.shape[3] - pW] + b[:, None, None]
    return out, (x, w, stride, padding)
    ### END SOLUTION


def conv_transpose2d_backward(dout, cache):
    """dout (N, O, H', W') → dx (N, C, H, W), dw (C, O, kH, kW), db (O,)."""
    ### BEGIN SOLUTION
    x, w, stride, padding = cache
    (kH, kW), (sH, sW) = w.shape[2:], pair(stride)
    windows = framed(dout, padding).unfold(2, kH, sH).unfold(3, kW, sW)
    dx = torch.einsum("nohwij,coij->nchw", windows, w)
    dw = torch.einsum("nchw,nohwij->coij", x, windows)
    db = dout.sum((0, 2, 3))
    return dx, dw, db
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import CONVOLUTIONS, PAIRS, WINDOWS, Cause, Layer, Lesson, at, edit, standard

LESSON = Lesson(
    name="conv_transpose2d",
    title="Transposed convolution",
    source="Dumoulin, Visin, A guide to convolution arithmetic (2016), section 4, relationship 13",
    requires=("conv2d",),
    forbids=CONVOLUTIONS,
    minutes=35,
    tasks=(
        Layer(
            "x[N,C,H,W] w[C,O,kH,kW] b[O] -> out[N,O,H',W']",
            oracle=lambda x, w, b, *, stride=1, padding=0: F.conv_transpose2d(x, w, b, stride, padding),
            sizes=dict(N=3, C=2, H=4, W=5, O=6, kH=4, kW=3),
            bench=dict(N=8, C=8, H=8, W=8, O=16, kH=4, kW=4, stride=2, padding=1),
            probes=(*WINDOWS, at("gaps between windows", kH=2, kW=1, stride=3), *PAIRS),
        ),
    ),
    mistakes=(
        *standard("dw divided by N"),
        edit("windows, w)", "windows, w.flip(2, 3))", "filter turned around in dx", Cause.FLIPPED),
        edit("x, windows)", "x, windows).flip(2, 3)", "filter turned around in dw", Cause.FLIPPED),
        edit("x, windows)", "x[:1], windows[:1])", "first image only in dw", Cause.ROWS_MISSING),
        edit('"nchw,nohwij->coij"', '"nchw,nohwij->ocij"', "channels swapped in dw", Cause.TRANSPOSED),
        edit("framed(dout, padding)", "framed(dout, 0)", "frame forgotten", Cause.CRASHED),
        edit(
            "dout.sum((0, 2, 3))", "dout.sum(0)", "bias not summed over the pixels", Cause.MISSING_REDUCTION
        ),
        edit("+= spread", "= spread", "windows overwrite one another", Cause.OVERWRITTEN),
    ),
    why="It is the backward pass of a convolution, run forward: each entry spreads a filter. So its own backward pass is a convolution, which gathers what was spread.",
    hints=(
        "One entry of x was spread over a window of the output. Which entries of dout does it get its gradient from?",
        "Put dout back into the frame that the padding cut off, then take its windows just as a convolution does.",
        "dx is the scalar product of each window with the filter; dw the sum over all windows, each times the entry that was spread there.",
    ),
)
### END SPEC
