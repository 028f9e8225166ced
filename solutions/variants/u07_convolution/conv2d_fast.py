"""Convolution by one matrix product: other right ways to write it."""

import torch

from autograd_check.course import variant
from solutions.u07_convolution.given import framed, pair


def _batched_forward(x, w, b, *, stride=1, padding=0):
    windows = framed(x, padding).unfold(2, w.shape[2], pair(stride)[0]).unfold(3, w.shape[3], pair(stride)[1])
    columns = windows.permute(0, 1, 4, 5, 2, 3).flatten(1, 3).flatten(2)
    out = w.flatten(1) @ columns + b[:, None]
    return out.reshape(len(x), len(w), *windows.shape[2:4]), (x, w, columns, stride, padding)


def _batched_backward(dout, cache):
    x, w, columns, stride, padding = cache
    flat = dout.flatten(2)
    dcolumns = (w.flatten(1).T @ flat).reshape(len(x), *w.shape[1:], *dout.shape[2:])
    dx, (sH, sW), (pH, pW) = framed(torch.zeros_like(x), padding), pair(stride), pair(padding)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            dx[:, :, i : i + sH * dout.shape[2] : sH, j : j + sW * dout.shape[3] : sW] += dcolumns[:, :, i, j]
    dw = (flat @ columns.transpose(1, 2)).sum(0).reshape(w.shape)
    return dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]], dw, dout.sum((0, 2, 3))


def _strided_forward(x, w, b, *, stride=1, padding=0):
    """Windows as one overlapping view of memory."""
    xp, (sH, sW), (kH, kW) = framed(x, padding), pair(stride), w.shape[2:]
    H, W = (xp.shape[2] - kH) // sH + 1, (xp.shape[3] - kW) // sW + 1
    n, c, r, s = xp.stride()
    windows = torch.as_strided(xp, (len(x), H, W, x.shape[1], kH, kW), (n, r * sH, s * sW, c, r, s)).reshape(
        len(x) * H * W, -1
    )
    out = (windows @ w.flatten(1).T + b).reshape(len(x), H, W, len(w)).permute(0, 3, 1, 2)
    return out.contiguous(), {
        "w": w,
        "windows": windows,
        "shape": xp.shape,
        "x": x.shape,
        "stride": (sH, sW),
        "padding": pair(padding),
    }


def _strided_backward(dout, cache):
    w, (sH, sW), (pH, pW) = cache["w"], cache["stride"], cache["padding"]
    kH, kW = w.shape[2:]
    flat = dout.permute(0, 2, 3, 1).reshape(-1, len(w))
    dwindows = (flat @ w.flatten(1)).reshape(dout.shape[0], *dout.shape[2:], w.shape[1], kH, kW)
    dxp = torch.zeros(cache["shape"], dtype=dout.dtype)
    for h in range(dout.shape[2]):
        for v in range(dout.shape[3]):
            dxp[:, :, h * sH : h * sH + kH, v * sW : v * sW + kW] += dwindows[:, h, v]
    dw = (flat.T @ cache["windows"]).reshape(w.shape)
    return dxp[:, :, pH : pH + cache["x"][2], pW : pW + cache["x"][3]], dw, flat.sum(0)


VARIANTS = (
    variant(
        "a product for each image",
        conv2d_fast_forward=_batched_forward,
        conv2d_fast_backward=_batched_backward,
    ),
    variant(
        "an overlapping view",
        conv2d_fast_forward=_strided_forward,
        conv2d_fast_backward=_strided_backward,
    ),
)
