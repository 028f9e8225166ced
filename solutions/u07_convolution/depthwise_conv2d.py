"""Depthwise convolution
=====================

A convolution in which every channel has one filter of its own and never sees the others:

    out[n, c, h, w] = b[c] + Σ over i, j of x̃[n, c, h sH + i, w sW + j] · w[c, 0, i, j]

    x (N, C, H, W), w (C, 1, kH, kW), b (C,)  →  out (N, C, H', W')
    H' = ⌊(H + 2 pH − kH) / sH⌋ + 1,    W' = ⌊(W + 2 pW − kW) / sW⌋ + 1

It needs C times fewer products than a convolution with C filters; a 1 × 1 convolution after it mixes the channels. The backward pass is that of
conv2d with the sum over channels left out.

Convention: stride and padding are ints or pairs (rows, columns).
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


def places(x, kernel, stride):
    """For every place (i, j) of the window, row by row: the view of x that meets it.  x (.., H, W) → views (.., H', W')."""
    (kH, kW), (sH, sW) = pair(kernel), pair(stride)
    H, W = x.shape[2] - kH + 1, x.shape[3] - kW + 1
    return [x[:, :, i : i + H : sH, j : j + W : sW] for i in range(kH) for j in range(kW)]


def depthwise_conv2d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (C, 1, kH, kW), b (C,) → out (N, C, H', W'), cache."""
    ### BEGIN SOLUTION
    frame = framed(x, padding)
    filters = w.flatten(1).T[:, :, None, None]
    out = (
        sum(place * f for place, f in zip(places(frame, w.shape[2:], stride), filters, strict=True))
        + b[:, None, None]
    )
    return out, (x, w, frame, filters, stride, padding)
    ### END SOLUTION


def depthwise_conv2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W), dw (C, 1, kH, kW), db (C,)."""
    ### BEGIN SOLUTION
    x, w, frame, filters, stride, padding = cache
    dw = torch.stack([(dout * place).sum((0, 2, 3)) for place in places(frame, w.shape[2:], stride)], 1)

    pH, pW = pair(padding)
    dx = torch.zeros_like(frame)
    for place, f in zip(places(dx, w.shape[2:], stride), filters, strict=True):
        place += dout * f
    return dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]], dw.reshape(w.shape), dout.sum((0, 2, 3))
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, w, b, *, stride=1, padding=0):
    return torch.nn.functional.conv2d(x, w, b, stride=stride, padding=padding, groups=x.shape[1])


def _einsum_forward(x, w, b, *, stride=1, padding=0):
    windows = framed(x, padding).unfold(2, w.shape[2], pair(stride)[0]).unfold(3, w.shape[3], pair(stride)[1])
    return torch.einsum("nchwij,cij->nchw", windows, w[:, 0]) + b.reshape(-1, 1, 1), (
        x,
        w,
        windows,
        stride,
        padding,
    )


def _einsum_backward(dout, cache):
    x, w, windows, stride, padding = cache
    dwindows = torch.einsum("nchw,cij->nchwij", dout, w[:, 0])
    dx, (sH, sW), (pH, pW) = framed(torch.zeros_like(x), padding), pair(stride), pair(padding)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            dx[:, :, i : i + sH * dout.shape[2] : sH, j : j + sW * dout.shape[3] : sW] += dwindows[..., i, j]
    dw = torch.einsum("nchw,nchwij->cij", dout, windows).unsqueeze(1)
    return dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]], dw, torch.einsum("nchw->c", dout)


def _loops_forward(x, w, b, *, stride=1, padding=0):
    (sH, sW), (kH, kW), xp = pair(stride), w.shape[2:], framed(x, padding)
    H, W = (xp.shape[2] - kH) // sH + 1, (xp.shape[3] - kW) // sW + 1
    out = x.new_empty(len(x), x.shape[1], H, W)
    for c in range(x.shape[1]):
        for h in range(H):
            for v in range(W):
                out[:, c, h, v] = (xp[:, c, h * sH : h * sH + kH, v * sW : v * sW + kW] * w[c, 0]).sum(
                    (1, 2)
                ) + b[c]
    return out, (x, xp, w, stride, padding)


def _loops_backward(dout, cache):
    x, xp, w, stride, padding = cache
    (sH, sW), (kH, kW), (pH, pW) = pair(stride), w.shape[2:], pair(padding)
    dxp, dw = torch.zeros_like(xp), torch.zeros_like(w)
    for c in range(x.shape[1]):
        for h in range(dout.shape[2]):
            for v in range(dout.shape[3]):
                rows, columns, d = (
                    slice(h * sH, h * sH + kH),
                    slice(v * sW, v * sW + kW),
                    dout[:, c, h, v, None, None],
                )
                dxp[:, c, rows, columns] += d * w[c, 0]
                dw[c, 0] += (d * xp[:, c, rows, columns]).sum(0)
    return dxp[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]], dw, dout.transpose(0, 1).flatten(1).sum(1)


def _overwriting_backward(dout, cache):
    x, w, frame, filters, stride, padding = cache
    (sH, sW), (kH, kW), (pH, pW) = pair(stride), w.shape[2:], pair(padding)
    dx, dw = (
        torch.zeros_like(frame),
        [(dout * place).sum((0, 2, 3)) for place in places(frame, w.shape[2:], stride)],
    )
    for h in range(dout.shape[2]):
        for v in range(dout.shape[3]):
            dx[:, :, h * sH : h * sH + kH, v * sW : v * sW + kW] = dout[:, :, h, v, None, None] * w[:, 0]
    return (
        dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]],
        torch.stack(dw, 1).reshape(w.shape),
        dout.sum((0, 2, 3)),
    )


LESSON = Lesson(
    name="depthwise_conv2d",
    title="Depthwise convolution",
    source="Howard et al., MobileNets (2017), eq. 3; Chollet, Xception (2017), section 2",
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
    minutes=25,
    target=None,
    tasks=(
        Pair(
            "depthwise_conv2d",
            wrt=("x", "w", "b"),
            oracle=oracle,
            probes=(
                probe("2 images, 3 channels", x=normal(2, 3, 5, 6), w=normal(3, 1, 3, 2), b=normal(3)),
                probe(
                    "padding 1", x=normal(2, 2, 4, 5), w=normal(2, 1, 3, 3), b=normal(2), hyper={"padding": 1}
                ),
                probe(
                    "stride 2, padding 2",
                    x=normal(1, 4, 6, 5),
                    w=normal(4, 1, 3, 3),
                    b=normal(4),
                    hyper={"stride": 2, "padding": 2},
                ),
                probe(
                    "rows left over",
                    x=normal(2, 2, 6, 8),
                    w=normal(2, 1, 3, 3),
                    b=normal(2),
                    hyper={"stride": 2},
                ),
                probe(
                    "stride beyond the filter",
                    x=normal(2, 2, 7, 8),
                    w=normal(2, 1, 2, 2),
                    b=normal(2),
                    hyper={"stride": 3},
                ),
                probe(
                    "pairs the other way",
                    x=normal(2, 2, 7, 6),
                    w=normal(2, 1, 4, 2),
                    b=normal(2),
                    hyper={"stride": (3, 1), "padding": (2, 0)},
                ),
                probe(
                    "pairs",
                    x=normal(2, 3, 6, 7),
                    w=normal(3, 1, 2, 4),
                    b=normal(3),
                    hyper={"stride": (1, 3), "padding": (0, 2)},
                ),
                probe("one image, one channel", x=normal(1, 1, 4, 3), w=normal(1, 1, 2, 2), b=normal(1)),
                probe(
                    "a frame beyond the filter",
                    x=normal(2, 2, 3, 2),
                    w=normal(2, 1, 2, 1),
                    b=normal(2),
                    hyper={"padding": 2},
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 2, 5, 4)),
                    w=transposed(normal(2, 1, 3, 2)),
                    b=normal(2),
                    hyper={"padding": 1},
                ),
            ),
            bench=probe(
                "8 images, 16 channels, 16 × 16",
                x=normal(8, 16, 16, 16),
                w=normal(16, 1, 3, 3),
                b=normal(16),
                hyper={"padding": 1},
            ),
        ),
    ),
    mistakes=(
        mistake(
            "window by window overwrites dx", "overwritten", depthwise_conv2d_backward=_overwriting_backward
        ),
        mistake("windows overwrite one another", "overwritten", "place += dout * f", "place[:] = dout * f"),
        mistake(
            "summed over the channels in dw",
            "wrong_axis",
            "(dout * place).sum((0, 2, 3))",
            "(dout * place).sum() * torch.ones_like(w[:, 0, 0, 0])",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake(
            "filter turned around in dx",
            "flipped",
            "zip(places(dx, w.shape[2:], stride), filters, strict=True)",
            "zip(places(dx, w.shape[2:], stride), filters.flip(0), strict=True)",
        ),
        mistake(
            "dw without its axis of one", "wrong_shape", "dw.reshape(w.shape)", "dw.reshape(w.shape)[:, 0]"
        ),
        mistake(
            "frame not cut off",
            "wrong_shape",
            "dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]], dw",
            "dx, dw",
        ),
        mistake(
            "pad : −pad with pad 0",
            "wrong_shape",
            "pH : pH + x.shape[2], pW : pW + x.shape[3]], dw",
            "pH:-pH, pW:-pW], dw",
        ),
        mistake("bias averaged", "mean_for_sum", "dout.sum((0, 2, 3))", "dout.mean((0, 2, 3))"),
        mistake(
            "last place only in dx",
            "missing_term",
            "        place += dout * f",
            "        place += dout * f * (f is filters[-1] or not f.ne(filters[-1]).any())",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
    ),
    variants=(
        variant(
            "windows and einsum",
            depthwise_conv2d_forward=_einsum_forward,
            depthwise_conv2d_backward=_einsum_backward,
        ),
        variant(
            "a loop over channels and windows",
            depthwise_conv2d_forward=_loops_forward,
            depthwise_conv2d_backward=_loops_backward,
        ),
    ),
    hints=(
        "Take one channel alone: it is an image with one filter, and you have written its backward pass.",
        "Which axes does dw have, and over which of dout's must it therefore be summed?",
        "Place by place of the window: dw gets the sum of dout times the slice of x̃ there; the slice of dx gets dout times the filter's entry.",
    ),
)
### END SPEC
