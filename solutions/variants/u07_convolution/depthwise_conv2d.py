"""Depthwise convolution: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant
from solutions.u07_convolution.given import framed, pair, places


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


VARIANTS = (
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
)
WRONG = (variant("window by window overwrites dx", depthwise_conv2d_backward=_overwriting_backward),)
