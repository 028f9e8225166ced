"""Convolution of images
=====================

A filter w[o] looks at every window of the image that it fits into, and its scalar product with the window is one entry of the output:

    out[n, o, h, w] = b[o] + Σ over c, i, j of x̃[n, c, h sH + i, w sW + j] · w[o, c, i, j]

    x (N, C, H, W), w (O, C, kH, kW), b (O,)  →  out (N, O, H', W')
    H' = ⌊(H + 2 pH − kH) / sH⌋ + 1,    W' = ⌊(W + 2 pW − kW) / sW⌋ + 1

x̃ is x in a frame of zeros, pH rows and pW columns wide on each side. (Mathematicians would turn the filter around first; networks do not.)

Backwards each of the three gets the sum over all products in which it took part: w[o, c, i, j] met one entry of every window, and b[o] every
window. An entry of x̃ lies in several windows, each time at another place (i, j), and collects a gradient from each. The frame is not x,
so its gradient is cut off again.

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
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, w, b, *, stride=1, padding=0):
    return torch.nn.functional.conv2d(x, w, b, stride=stride, padding=padding)


def _loops_forward(x, w, b, *, stride=1, padding=0):
    (O, _C, kH, kW), (sH, sW) = w.shape, (stride, stride) if isinstance(stride, int) else stride
    xp = framed(x, padding)
    H, W = (xp.shape[2] - kH) // sH + 1, (xp.shape[3] - kW) // sW + 1
    out = torch.zeros(len(x), O, H, W, dtype=x.dtype)
    for n in range(len(x)):
        for o in range(O):
            for h in range(H):
                for v in range(W):
                    out[n, o, h, v] = (xp[n, :, h * sH : h * sH + kH, v * sW : v * sW + kW] * w[o]).sum() + b[
                        o
                    ]
    return out, (x, w, b, stride, padding)


def _loops_backward(dout, cache):
    x, w, b, stride, padding = cache
    (O, _C, kH, kW), (sH, sW), (pH, pW) = w.shape, pair(stride), pair(padding)
    xp = framed(x, padding)
    dxp, dw, db = torch.zeros_like(xp), torch.zeros_like(w), torch.zeros_like(b)
    for n in range(dout.shape[0]):
        for o in range(O):
            for h in range(dout.shape[2]):
                for v in range(dout.shape[3]):
                    rows, columns = slice(h * sH, h * sH + kH), slice(v * sW, v * sW + kW)
                    dxp[n, :, rows, columns] += dout[n, o, h, v] * w[o]
                    dw[o] += dout[n, o, h, v] * xp[n, :, rows, columns]
                    db[o] += dout[n, o, h, v]
    return dxp[:, :, pH : dxp.shape[2] - pH, pW : dxp.shape[3] - pW], dw, db


def _overwriting(*gradients):
    """The loops over images, filters and windows with = for += in some gradients."""

    def backward(dout, cache):
        x, w, _, stride, padding = cache
        (kH, kW), (sH, sW), (pH, pW), xp = w.shape[2:], pair(stride), pair(padding), framed(x, padding)
        dxp, dw, db = torch.zeros_like(xp), torch.zeros_like(w), dout.new_zeros(len(w))
        for n in range(len(x)):
            for o in range(len(w)):
                for h in range(dout.shape[2]):
                    for v in range(dout.shape[3]):
                        d, window = (
                            dout[n, o, h, v],
                            (n, slice(None), slice(h * sH, h * sH + kH), slice(v * sW, v * sW + kW)),
                        )
                        dxp[window] = d * w[o] + (0 if "dx" in gradients else dxp[window])
                        dw[o] = d * xp[window] + (0 if "dw" in gradients else dw[o])
                        db[o] = d + (0 if "db" in gradients else db[o])
        return dxp[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]], dw, db

    return backward


def _overwriting_windows_backward(dout, cache):
    x, w, windows, stride, padding = cache
    (kH, kW), (sH, sW), (pH, pW) = w.shape[2:], pair(stride), pair(padding)
    dx = framed(torch.zeros_like(x), padding)
    for h in range(dout.shape[2]):
        for v in range(dout.shape[3]):
            dx[:, :, h * sH : h * sH + kH, v * sW : v * sW + kW] = torch.einsum(
                "no,ocij->ncij", dout[:, :, h, v], w
            )
    dw = torch.einsum("nohw,nchwij->ocij", dout, windows)
    return dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]], dw, dout.sum((0, 2, 3))


def _shifted_forward(x, w, b, *, stride=1, padding=0):
    (kH, kW), (sH, sW), xp = w.shape[2:], pair(stride), framed(x, padding)
    H, W = (xp.shape[2] - kH) // sH + 1, (xp.shape[3] - kW) // sW + 1
    out = b.reshape(1, -1, 1, 1).repeat(len(x), 1, H, W)
    for i in range(kH):
        for j in range(kW):
            place = xp[:, :, i : i + sH * (H - 1) + 1 : sH, j : j + sW * (W - 1) + 1 : sW]
            out += torch.tensordot(place, w[:, :, i, j], dims=([1], [1])).movedim(-1, 1)
    return out, {"xp": xp, "w": w, "size": x.shape, "stride": (sH, sW), "padding": pair(padding)}


def _shifted_backward(dout, cache):
    xp, w, (sH, sW), (pH, pW) = cache["xp"], cache["w"], cache["stride"], cache["padding"]
    H, W = dout.shape[2:]
    dxp, dw = torch.zeros_like(xp), torch.zeros_like(w)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            place = (
                slice(None),
                slice(None),
                slice(i, i + sH * (H - 1) + 1, sH),
                slice(j, j + sW * (W - 1) + 1, sW),
            )
            dw[:, :, i, j] = torch.tensordot(dout, xp[place], dims=([0, 2, 3], [0, 2, 3]))
            dxp[place] += torch.einsum("nohw,oc->nchw", dout, w[:, :, i, j])
    return [
        dxp[:, :, pH : pH + cache["size"][2], pW : pW + cache["size"][3]].clone(),
        dw,
        dout.sum(dim=[0, 2, 3]),
    ]


def _matrix_forward(x, w, b, *, stride=1, padding=0):
    """A gather: one row of indices a window, one matrix product."""
    (O, _C, kH, kW), (sH, sW), xp = w.shape, pair(stride), framed(x, padding)
    H, W = (xp.shape[2] - kH) // sH + 1, (xp.shape[3] - kW) // sW + 1
    rows = (torch.arange(H)[:, None] * sH + torch.arange(kH)).reshape(H, 1, kH, 1)
    columns = (torch.arange(W)[:, None] * sW + torch.arange(kW)).reshape(1, W, 1, kW)
    where = (rows * xp.shape[3] + columns).reshape(H * W, kH * kW)
    taken = xp.flatten(2)[:, :, where].permute(0, 2, 1, 3).flatten(2)
    out = taken @ w.flatten(1).T + b
    return out.transpose(1, 2).reshape(len(x), O, H, W), (x, xp, w, where, taken, padding)


def _matrix_backward(dout, cache):
    x, xp, w, where, taken, padding = cache
    rows = dout.flatten(2).transpose(1, 2)
    dw = (rows.transpose(1, 2) @ taken).sum(0).reshape(w.shape)
    dtaken = (
        (rows @ w.flatten(1)).reshape(len(x), where.shape[0], x.shape[1], where.shape[1]).permute(0, 2, 1, 3)
    )
    dxp = (
        torch.zeros_like(xp).flatten(2).index_add_(2, where.reshape(-1), dtaken.flatten(2)).reshape(xp.shape)
    )
    pH, pW = pair(padding)
    return dxp.narrow(2, pH, x.shape[2]).narrow(3, pW, x.shape[3]), dw, rows.sum((0, 1))


LESSON = Lesson(
    name="conv2d",
    title="Convolution of images",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 9.6 and section 9.5; Dumoulin, Visin, A guide to convolution arithmetic (2016), relationship 6",
    requires=("conv1d",),
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
    points=20,
    minutes=45,
    target=None,
    tasks=(
        Pair(
            "conv2d",
            wrt=("x", "w", "b"),
            oracle=oracle,
            probes=(
                probe(
                    "2 images, 3 channels, 4 filters", x=normal(2, 3, 5, 6), w=normal(4, 3, 3, 2), b=normal(4)
                ),
                probe(
                    "padding 1", x=normal(2, 2, 4, 5), w=normal(3, 2, 3, 3), b=normal(3), hyper={"padding": 1}
                ),
                probe(
                    "stride 2, padding 2",
                    x=normal(2, 2, 6, 5),
                    w=normal(3, 2, 3, 3),
                    b=normal(3),
                    hyper={"stride": 2, "padding": 2},
                ),
                probe(
                    "stride 2 over 3 × 3, rows left over",
                    x=normal(1, 2, 6, 8),
                    w=normal(2, 2, 3, 3),
                    b=normal(2),
                    hyper={"stride": 2},
                ),
                probe(
                    "stride beyond the filter",
                    x=normal(2, 1, 7, 8),
                    w=normal(2, 1, 2, 2),
                    b=normal(2),
                    hyper={"stride": 3, "padding": 1},
                ),
                probe(
                    "pairs the other way",
                    x=normal(2, 2, 7, 6),
                    w=normal(3, 2, 4, 2),
                    b=normal(3),
                    hyper={"stride": (3, 1), "padding": (2, 0)},
                ),
                probe(
                    "pairs",
                    x=normal(2, 3, 6, 7),
                    w=normal(2, 3, 2, 4),
                    b=normal(2),
                    hyper={"stride": (1, 3), "padding": (0, 2)},
                ),
                probe(
                    "one image, one channel, one filter",
                    x=normal(1, 1, 4, 3),
                    w=normal(1, 1, 2, 2),
                    b=normal(1),
                ),
                probe("1 × 1 filters", x=normal(3, 2, 3, 4), w=normal(4, 2, 1, 1), b=normal(4)),
                probe(
                    "a frame beyond the filter",
                    x=normal(2, 2, 3, 2),
                    w=normal(3, 2, 2, 1),
                    b=normal(3),
                    hyper={"padding": 2},
                ),
                probe(
                    "filter as large as the image", x=normal(2, 2, 3, 4), w=normal(3, 2, 3, 4), b=normal(3)
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 2, 5, 4)),
                    w=transposed(normal(3, 2, 3, 2)),
                    b=normal(3),
                    hyper={"padding": 1},
                ),
            ),
            bench=probe(
                "8 images, 8 channels, 16 × 16, 16 filters",
                x=normal(8, 8, 16, 16),
                w=normal(16, 8, 3, 3),
                b=normal(16),
                hyper={"padding": 1},
            ),
        ),
    ),
    mistakes=(
        mistake("every filter and window overwrites dx", "overwritten", conv2d_backward=_overwriting("dx")),
        mistake(
            "window by window overwrites dx", "overwritten", conv2d_backward=_overwriting_windows_backward
        ),
        mistake("every window overwrites dw", "overwritten", conv2d_backward=_overwriting("dw")),
        mistake("every window overwrites db", "overwritten", conv2d_backward=_overwriting("db")),
        mistake("windows overwrite one another", "overwritten", "+= dwindows", "= dwindows"),
        mistake(
            "filter turned around in dw",
            "flipped",
            '"nohw,nchwij->ocij", dout, windows)',
            '"nohw,nchwij->ocij", dout, windows).flip(2, 3)',
        ),
        mistake(
            "filter turned around in dx",
            "flipped",
            "+= dwindows[..., i, j]",
            "+= dwindows[..., kH - 1 - i, kW - 1 - j]",
        ),
        mistake(
            "stride forgotten in dx",
            "wrong_operand",
            "dx[:, :, i : i + sH * H : sH, j : j + sW * W : sW] +=",
            "dx[:, :, i : i + H, j : j + W] +=",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
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
        mistake(
            "frame cut off at one side",
            "border",
            "pH : pH + x.shape[2], pW : pW + x.shape[3]], dw",
            ": x.shape[2], : x.shape[3]], dw",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake(
            "bias not summed over the batch", "missing_reduction", "dout.sum((0, 2, 3))", "dout.sum((2, 3))"
        ),
        mistake("bias averaged", "mean_for_sum", "dout.sum((0, 2, 3))", "dout.mean((0, 2, 3))"),
        mistake(
            "bias summed over everything",
            "wrong_axis",
            "dout.sum((0, 2, 3))",
            "dout.sum() * torch.ones_like(dout[0, :, 0, 0])",
        ),
        mistake(
            "last image only in dw",
            "overwritten",
            '"nohw,nchwij->ocij", dout, windows)',
            '"nohw,nchwij->ocij", dout[-1:], windows[-1:])',
        ),
        mistake(
            "first filter only in dx",
            "rows_missing",
            '"nohw,ocij->nchwij", dout, w)',
            '"nohw,ocij->nchwij", dout[:, :1], w[:1])',
        ),
        mistake(
            "dw divided by the batch",
            "extra_batch_mean",
            '"nohw,nchwij->ocij", dout, windows)',
            '"nohw,nchwij->ocij", dout, windows) / len(dout)',
        ),
        mistake(
            "padding of rows for columns", "crashed", "pH, pW = pair(padding)\n", "pW, pH = pair(padding)\n"
        ),
    ),
    variants=(
        variant("four loops", conv2d_forward=_loops_forward, conv2d_backward=_loops_backward),
        variant("sum of shifted images", conv2d_forward=_shifted_forward, conv2d_backward=_shifted_backward),
        variant(
            "a gather and one matrix product",
            conv2d_forward=_matrix_forward,
            conv2d_backward=_matrix_backward,
        ),
    ),
    hints=(
        "Write out the sum for one entry of out and find everything that is multiplied by w[o, c, i, j]. That, with dout, is its gradient.",
        "For x, ask first what each window would get: every place (i, j) of it gets Σ over o of dout · w[o, c, i, j].",
        "Put the windows back where they were cut out: overlapping ones add up, and the frame comes off at the end.",
    ),
)
### END SPEC
