"""Convolution of a signal
=======================

A filter w[o] slides along the signal, and its scalar product with each window of k entries is one entry of the output:

    out[n, o, t] = b[o] + Σ over c, i of x̃[n, c, t s + i] · w[o, c, i]      x (N, C, T), w (O, C, k), b (O,)  →  out (N, O, T')
    T' = ⌊(T + 2 p − k) / s⌋ + 1

x̃ is x with p zeros before and after it. (Mathematicians would turn the filter around first; networks do not.)

Backwards each of the three gets the sum over all products in which it took part. w[o, c, i] met entry i of every window; b[o] every window;
an entry of x̃ lies in several windows, each time at another place i, and collects a gradient from each. The added zeros are not x, so their
gradient is cut off again.
"""

import torch


def conv1d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, T), w (O, C, k), b (O,) → out (N, O, T'), cache."""
    ### BEGIN SOLUTION
    ends = x.new_zeros(*x.shape[:2], padding)
    windows = torch.cat([ends, x, ends], 2).unfold(2, w.shape[2], stride)
    out = torch.einsum("ncti,oci->not", windows, w) + b[:, None]
    return out, (x, w, windows, stride, padding)
    ### END SOLUTION


def conv1d_backward(dout, cache):
    """dout (N, O, T') → dx (N, C, T), dw (O, C, k), db (O,)."""
    ### BEGIN SOLUTION
    x, w, windows, stride, padding = cache
    db = dout.sum((0, 2))
    dw = torch.einsum("not,ncti->oci", dout, windows)
    dwindows = torch.einsum("not,oci->ncti", dout, w)
    dx = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * padding)
    for i in range(w.shape[2]):
        dx[:, :, i : i + stride * dout.shape[2] : stride] += dwindows[..., i]
    return dx[:, :, padding : padding + x.shape[2]], dw, db
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, w, b, *, stride=1, padding=0):
    return torch.nn.functional.conv1d(x, w, b, stride=stride, padding=padding)


def _padded(x, padding):
    out = torch.zeros(x.shape[0], x.shape[1], x.shape[2] + 2 * padding, dtype=x.dtype)
    out[:, :, padding : padding + x.shape[2]] = x
    return out


def _loops_forward(x, w, b, *, stride=1, padding=0):
    xp, k = _padded(x, padding), w.shape[2]
    steps = range(0, xp.shape[2] - k + 1, stride)
    out = torch.stack(
        [
            torch.stack([(xp[:, :, t : t + k] * f).sum((1, 2)) + c for t in steps], 1)
            for f, c in zip(w, b, strict=True)
        ],
        1,
    )
    return out, (x, w, b, stride, padding)


def _loops_backward(dout, cache):
    x, w, b, stride, padding = cache
    xp, k = _padded(x, padding), w.shape[2]
    dxp, dw, db = torch.zeros_like(xp), torch.zeros_like(w), torch.zeros_like(b)
    for o in range(len(w)):
        for t in range(dout.shape[2]):
            for n in range(len(x)):
                dxp[n, :, t * stride : t * stride + k] += dout[n, o, t] * w[o]
                dw[o] += dout[n, o, t] * xp[n, :, t * stride : t * stride + k]
                db[o] += dout[n, o, t]
    return dxp[:, :, padding : dxp.shape[2] - padding], dw, db


def _overwriting(*gradients):
    """The loops over signals, filters and windows with = for += in some gradients."""

    def backward(dout, cache):
        x, w, _, stride, padding = cache
        ends, k = x.new_zeros(*x.shape[:2], padding), w.shape[2]
        xp = torch.cat([ends, x, ends], 2)
        dxp, dw, db = torch.zeros_like(xp), torch.zeros_like(w), dout.new_zeros(len(w))
        for n in range(len(x)):
            for o in range(len(w)):
                for t in range(dout.shape[2]):
                    d, window = dout[n, o, t], (n, slice(None), slice(t * stride, t * stride + k))
                    dxp[window] = d * w[o] + (0 if "dx" in gradients else dxp[window])
                    dw[o] = d * xp[window] + (0 if "dw" in gradients else dw[o])
                    db[o] = d + (0 if "db" in gradients else db[o])
        return dxp[:, :, padding : padding + x.shape[2]], dw, db

    return backward


def _overwriting_windows_backward(dout, cache):
    x, w, windows, stride, padding = cache
    dx = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * padding)
    for t in range(dout.shape[2]):
        dx[:, :, t * stride : t * stride + w.shape[2]] = torch.einsum("no,oci->nci", dout[:, :, t], w)
    return (
        dx[:, :, padding : padding + x.shape[2]],
        torch.einsum("not,ncti->oci", dout, windows),
        dout.sum((0, 2)),
    )


def _matrix_forward(x, w, b, *, stride=1, padding=0):
    """The convolution as one matrix of C T rows and O T' columns."""
    T, k = x.shape[2], w.shape[2]
    count = (T + 2 * padding - k) // stride + 1
    place = torch.arange(T)[:, None] - (torch.arange(count) * stride - padding)
    inside = (place >= 0) & (place < k)
    band = torch.where(inside[None, None], w[:, :, place.clamp(0, k - 1)], torch.zeros((), dtype=w.dtype))
    matrix = band.permute(1, 2, 0, 3).reshape(x.shape[1] * T, len(w) * count)
    out = (x.reshape(len(x), -1) @ matrix).reshape(len(x), len(w), count) + b[None, :, None]
    return out, (x, w, matrix, place, inside)


def _matrix_backward(dout, cache):
    x, w, matrix, place, inside = cache
    flat = dout.reshape(len(dout), -1)
    dband = (x.reshape(len(x), -1).T @ flat).reshape(x.shape[1], x.shape[2], len(w), -1).permute(2, 0, 1, 3)
    dw = torch.stack([(dband * ((place == i) & inside)).sum((2, 3)) for i in range(w.shape[2])], 2)
    return (flat @ matrix.T).reshape(x.shape), dw, dout.sum(2).sum(0)


LESSON = Lesson(
    name="conv1d",
    title="Convolution of a signal",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 9.3 and section 9.1; Dumoulin, Visin, A guide to convolution arithmetic (2016), relationship 6",
    requires=("linear",),
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
    minutes=30,
    target=None,
    tasks=(
        Pair(
            "conv1d",
            wrt=("x", "w", "b"),
            oracle=oracle,
            probes=(
                probe("2 signals, 3 channels, 4 filters", x=normal(2, 3, 7), w=normal(4, 3, 3), b=normal(4)),
                probe("padding 1", x=normal(2, 2, 5), w=normal(3, 2, 3), b=normal(3), hyper={"padding": 1}),
                probe(
                    "stride 2, padding 2",
                    x=normal(2, 2, 6),
                    w=normal(3, 2, 4),
                    b=normal(3),
                    hyper={"stride": 2, "padding": 2},
                ),
                probe(
                    "entries left over",
                    x=normal(1, 2, 8),
                    w=normal(2, 2, 3),
                    b=normal(2),
                    hyper={"stride": 2},
                ),
                probe(
                    "stride beyond the filter",
                    x=normal(3, 1, 9),
                    w=normal(2, 1, 2),
                    b=normal(2),
                    hyper={"stride": 3},
                ),
                probe(
                    "one signal, one channel, one filter", x=normal(1, 1, 4), w=normal(1, 1, 2), b=normal(1)
                ),
                probe("filter of one", x=normal(3, 2, 4), w=normal(5, 2, 1), b=normal(5)),
                probe(
                    "a frame beyond the filter",
                    x=normal(2, 2, 3),
                    w=normal(3, 2, 2),
                    b=normal(3),
                    hyper={"padding": 3},
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 6, 3)),
                    w=transposed(normal(2, 2, 3)),
                    b=normal(2),
                ),
            ),
            bench=probe(
                "16 signals, 8 channels, 128 steps, 16 filters",
                x=normal(16, 8, 128),
                w=normal(16, 8, 5),
                b=normal(16),
                hyper={"padding": 2},
            ),
        ),
    ),
    mistakes=(
        mistake("every filter and window overwrites dx", "overwritten", conv1d_backward=_overwriting("dx")),
        mistake(
            "window by window overwrites dx", "overwritten", conv1d_backward=_overwriting_windows_backward
        ),
        mistake("every window overwrites dw", "overwritten", conv1d_backward=_overwriting("dw")),
        mistake("windows overwrite one another", "overwritten", "+= dwindows", "= dwindows"),
        mistake(
            "filter turned around in dw",
            "flipped",
            '"not,ncti->oci", dout, windows)',
            '"not,ncti->oci", dout, windows).flip(2)',
        ),
        mistake(
            "filter turned around in dx",
            "flipped",
            "+= dwindows[..., i]",
            "+= dwindows[..., w.shape[2] - 1 - i]",
        ),
        mistake(
            "stride forgotten in dx",
            "wrong_operand",
            "i : i + stride * dout.shape[2] : stride",
            "i : i + dout.shape[2]",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake("zeros not cut off", "wrong_shape", "dx[:, :, padding : padding + x.shape[2]], dw", "dx, dw"),
        mistake(
            "pad : −pad with pad 0",
            "wrong_shape",
            "dx[:, :, padding : padding + x.shape[2]], dw",
            "dx[:, :, padding:-padding], dw",
        ),
        mistake("bias not summed over time", "missing_reduction", "dout.sum((0, 2))", "dout.sum(0)"),
        mistake(
            "bias averaged over the batch", "extra_batch_mean", "dout.sum((0, 2))", "dout.sum(2).mean(0)"
        ),
        mistake(
            "dw averaged over the batch",
            "extra_batch_mean",
            '"not,ncti->oci", dout, windows)',
            '"not,ncti->oci", dout, windows) / len(dout)',
        ),
    ),
    variants=(
        variant("loops", conv1d_forward=_loops_forward, conv1d_backward=_loops_backward),
        variant("one banded matrix", conv1d_forward=_matrix_forward, conv1d_backward=_matrix_backward),
    ),
    hints=(
        "Write out the sum for one entry of out and find everything that is multiplied by w[o, c, i]. That, with dout, is its gradient.",
        "For x, ask first what each window would get: place i of it gets Σ over o of dout · w[o, c, i].",
        "Put the windows back where they were cut out: overlapping ones add up, and the added zeros come off at the end.",
    ),
)
### END SPEC
