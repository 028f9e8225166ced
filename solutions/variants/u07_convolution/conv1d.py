"""Convolution of a signal: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


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


VARIANTS = (
    variant("loops", conv1d_forward=_loops_forward, conv1d_backward=_loops_backward),
    variant("one banded matrix", conv1d_forward=_matrix_forward, conv1d_backward=_matrix_backward),
)
WRONG = (
    variant("every filter and window overwrites dx", conv1d_backward=_overwriting("dx")),
    variant("window by window overwrites dx", conv1d_backward=_overwriting_windows_backward),
    variant("every window overwrites dw", conv1d_backward=_overwriting("dw")),
)
