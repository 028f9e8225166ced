"""Transposed convolution
======================

A convolution gathers each window into one number. The transposed convolution does the reverse: every entry of x spreads a copy of the filter,
scaled by its value, over a window of the output, and overlapping copies add up:

    õut[n, o, h sH + i, w sW + j] += Σ over c of x[n, c, h, w] · w[c, o, i, j]       out = õut without its frame, + b[o]

    x (N, C, H, W), w (C, O, kH, kW), b (O,)  →  out (N, O, (H − 1) sH + kH − 2 pH, (W − 1) sW + kW − 2 pW)

This is just what the backward pass of a convolution does to dout; so networks that draw images use it to make small ones large. And its own
backward pass with respect to x is a convolution: dx[n, c, h, w] gathers the window of dout over which x[n, c, h, w] was spread.

Conventions: stride and padding are ints or pairs; the padding cuts a frame off the output. Mind the order of w's first two axes.
"""

import torch


def pair(size):
    """An int for both axes, or a pair as it is."""
    return (size, size) if isinstance(size, int) else tuple(size)


def framed(x, padding):
    """x in a frame of zeros.  x (N, C, H, W) → (N, C, H + 2 pH, W + 2 pW)."""
    pH, pW = pair(padding)
    frame = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * pH, x.shape[3] + 2 * pW)
    frame[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]] = x
    return frame


def conv_transpose2d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (C, O, kH, kW), b (O,) → out (N, O, H', W'), cache."""
    ### BEGIN SOLUTION
    (N, _, H, W), (_, O, kH, kW) = x.shape, w.shape
    (sH, sW), (pH, pW) = pair(stride), pair(padding)
    out = x.new_zeros(N, O, (H - 1) * sH + kH, (W - 1) * sW + kW)
    for i in range(kH):
        for j in range(kW):
            out[:, :, i : i + sH * H : sH, j : j + sW * W : sW] += torch.einsum(
                "nchw,co->nohw", x, w[:, :, i, j]
            )
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
    return dx, dw, dout.sum((0, 2, 3))
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, w, b, *, stride=1, padding=0):
    return torch.nn.functional.conv_transpose2d(x, w, b, stride=stride, padding=padding)


def _loops_forward(x, w, b, *, stride=1, padding=0):
    (sH, sW), (pH, pW), (kH, kW) = pair(stride), pair(padding), w.shape[2:]
    full = torch.zeros(
        len(x), w.shape[1], (x.shape[2] - 1) * sH + kH, (x.shape[3] - 1) * sW + kW, dtype=x.dtype
    )
    for n in range(len(x)):
        for c in range(x.shape[1]):
            for h in range(x.shape[2]):
                for v in range(x.shape[3]):
                    full[n, :, h * sH : h * sH + kH, v * sW : v * sW + kW] += x[n, c, h, v] * w[c]
    return full[:, :, pH : full.shape[2] - pH, pW : full.shape[3] - pW] + b.reshape(1, -1, 1, 1), (
        x,
        w,
        b,
        stride,
        padding,
    )


def _loops_backward(dout, cache):
    x, w, b, stride, padding = cache
    (sH, sW), (kH, kW), full = pair(stride), w.shape[2:], framed(dout, padding)
    dx, dw, db = torch.zeros_like(x), torch.zeros_like(w), torch.zeros_like(b)
    for n in range(len(x)):
        db += dout[n].sum((1, 2))
        for c in range(x.shape[1]):
            for h in range(x.shape[2]):
                for v in range(x.shape[3]):
                    window = full[n, :, h * sH : h * sH + kH, v * sW : v * sW + kW]
                    dx[n, c, h, v] = (window * w[c]).sum()
                    dw[c] += x[n, c, h, v] * window
    return dx, dw, db


def _stretched_forward(x, w, b, *, stride=1, padding=0):
    """Zeros between the entries of x, then an ordinary convolution with the filter turned around."""
    (sH, sW), (kH, kW), (pH, pW) = pair(stride), w.shape[2:], pair(padding)
    wide = x.new_zeros(len(x), x.shape[1], (x.shape[2] - 1) * sH + 1, (x.shape[3] - 1) * sW + 1)
    wide[:, :, ::sH, ::sW] = x
    windows = framed(wide, (kH - 1, kW - 1)).unfold(2, kH, 1).unfold(3, kW, 1)
    full = torch.einsum("nchwij,coij->nohw", windows, w.flip(2, 3))
    return full[:, :, pH : full.shape[2] - pH, pW : full.shape[3] - pW] + b[None, :, None, None], (
        windows,
        w,
        (sH, sW),
        (pH, pW),
    )


def _stretched_backward(dout, cache):
    windows, w, (sH, sW), (pH, pW) = cache
    full = framed(dout, (pH, pW))
    dw = torch.einsum("nohw,nchwij->coij", full, windows).flip(2, 3)
    wide = torch.einsum("nohwij,coij->nchw", full.unfold(2, w.shape[2], 1).unfold(3, w.shape[3], 1), w)
    return wide[:, :, ::sH, ::sW].contiguous(), dw, dout.sum(3).sum(2).sum(0)


LESSON = Lesson(
    name="conv_transpose2d",
    title="Transposed convolution",
    source="Dumoulin, Visin, A guide to convolution arithmetic (2016), section 4, relationship 13",
    requires=("conv2d",),
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
    minutes=35,
    target=None,
    tasks=(
        Pair(
            "conv_transpose2d",
            wrt=("x", "w", "b"),
            oracle=oracle,
            probes=(
                probe("2 images, 3 channels to 4", x=normal(2, 3, 3, 4), w=normal(3, 4, 3, 2), b=normal(4)),
                probe(
                    "stride 2, overlapping",
                    x=normal(2, 2, 3, 4),
                    w=normal(2, 3, 3, 3),
                    b=normal(3),
                    hyper={"stride": 2},
                ),
                probe(
                    "stride 2, padding 1",
                    x=normal(1, 2, 4, 3),
                    w=normal(2, 3, 4, 4),
                    b=normal(3),
                    hyper={"stride": 2, "padding": 1},
                ),
                probe(
                    "padding 2", x=normal(2, 2, 5, 4), w=normal(2, 1, 3, 3), b=normal(1), hyper={"padding": 2}
                ),
                probe(
                    "gaps between windows",
                    x=normal(2, 1, 3, 2),
                    w=normal(1, 2, 2, 2),
                    b=normal(2),
                    hyper={"stride": 3},
                ),
                probe(
                    "pairs the other way",
                    x=normal(2, 2, 4, 3),
                    w=normal(2, 2, 4, 3),
                    b=normal(2),
                    hyper={"stride": (1, 2), "padding": (1, 0)},
                ),
                probe(
                    "pairs",
                    x=normal(2, 2, 3, 4),
                    w=normal(2, 3, 3, 4),
                    b=normal(3),
                    hyper={"stride": (2, 1), "padding": (0, 1)},
                ),
                probe("one image, one channel", x=normal(1, 1, 3, 2), w=normal(1, 1, 2, 2), b=normal(1)),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 2, 4, 3)),
                    w=transposed(normal(2, 3, 3, 2)),
                    b=normal(3),
                    hyper={"stride": 2},
                ),
            ),
            bench=probe(
                "8 images, 8 channels, 8 × 8 to 16 × 16",
                x=normal(8, 8, 8, 8),
                w=normal(8, 16, 4, 4),
                b=normal(16),
                hyper={"stride": 2, "padding": 1},
            ),
        ),
    ),
    mistakes=(
        mistake(
            "filter turned around in dx",
            "flipped",
            '"nohwij,coij->nchw", windows, w)',
            '"nohwij,coij->nchw", windows, w.flip(2, 3))',
        ),
        mistake(
            "filter turned around in dw",
            "flipped",
            '"nchw,nohwij->coij", x, windows)',
            '"nchw,nohwij->coij", x, windows).flip(2, 3)',
        ),
        mistake(
            "first image only in dw",
            "rows_missing",
            '"nchw,nohwij->coij", x, windows)',
            '"nchw,nohwij->coij", x[:1], windows[:1])',
        ),
        mistake(
            "dw averaged over the batch",
            "extra_batch_mean",
            '"nchw,nohwij->coij", x, windows)',
            '"nchw,nohwij->coij", x, windows) / len(x)',
        ),
        mistake("channels swapped in dw", "transposed", '"nchw,nohwij->coij"', '"nchw,nohwij->ocij"'),
        mistake("frame forgotten", "crashed", "framed(dout, padding)", "framed(dout, 0)"),
        mistake("bias not summed over the pixels", "missing_reduction", "dout.sum((0, 2, 3))", "dout.sum(0)"),
        mistake("windows overwrite one another", "overwritten", "+= torch.einsum", "= torch.einsum"),
    ),
    variants=(
        variant(
            "four loops", conv_transpose2d_forward=_loops_forward, conv_transpose2d_backward=_loops_backward
        ),
        variant(
            "stretched and convolved",
            conv_transpose2d_forward=_stretched_forward,
            conv_transpose2d_backward=_stretched_backward,
        ),
    ),
    hints=(
        "One entry of x was spread over a window of the output. Which entries of dout does it get its gradient from?",
        "Put dout back into the frame that the padding cut off, then take its windows just as a convolution does.",
        "dx is the scalar product of each window with the filter; dw the sum over all windows, each times the entry that was spread there.",
    ),
)
### END SPEC
