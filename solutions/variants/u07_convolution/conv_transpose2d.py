"""Transposed convolution: other right ways to write it."""

import torch

from autograd_check.course import variant
from solutions.u07_convolution.given import framed, pair


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


VARIANTS = (
    variant("four loops", conv_transpose2d_forward=_loops_forward, conv_transpose2d_backward=_loops_backward),
    variant(
        "stretched and convolved",
        conv_transpose2d_forward=_stretched_forward,
        conv_transpose2d_backward=_stretched_backward,
    ),
)
