"""Windows as columns: other right ways to write it."""

import torch

from autograd_check.course import variant
from solutions.u07_convolution.given import framed, pair


def _loops_forward(x, *, kernel, stride=1, padding=0):
    (kH, kW), (sH, sW), xp = pair(kernel), pair(stride), framed(x, padding)
    columns = [
        xp[:, :, h : h + kH, w : w + kW].reshape(len(x), -1)
        for h in range(0, xp.shape[2] - kH + 1, sH)
        for w in range(0, xp.shape[3] - kW + 1, sW)
    ]
    return torch.stack(columns, 2), (x, kernel, stride, padding)


def _loops_backward(dout, cache):
    x, kernel, stride, padding = cache
    (kH, kW), (sH, sW), (pH, pW) = pair(kernel), pair(stride), pair(padding)
    dxp, column = framed(torch.zeros_like(x), padding), 0
    for h in range(0, dxp.shape[2] - kH + 1, sH):
        for w in range(0, dxp.shape[3] - kW + 1, sW):
            dxp[:, :, h : h + kH, w : w + kW] += dout[:, :, column].reshape(len(x), x.shape[1], kH, kW)
            column += 1
    return dxp[:, :, pH : dxp.shape[2] - pH, pW : dxp.shape[3] - pW]


def _index_forward(x, *, kernel, stride=1, padding=0):
    (kH, kW), (sH, sW), xp = pair(kernel), pair(stride), framed(x, padding)
    N, C, H, W = xp.shape
    numbers = torch.arange(C * H * W).reshape(C, H, W)
    where = torch.cat(
        [
            numbers[:, h : h + kH, w : w + kW].reshape(-1, 1)
            for h in range(0, H - kH + 1, sH)
            for w in range(0, W - kW + 1, sW)
        ],
        1,
    )
    return xp.reshape(N, -1)[:, where], (where, xp.shape, x.shape, pair(padding))


def _index_backward(dout, cache):
    where, full, size, (pH, pW) = cache
    flat = torch.zeros(full[0], full[1] * full[2] * full[3], dtype=dout.dtype)
    flat.index_add_(1, where.reshape(-1), dout.reshape(len(dout), -1))
    return flat.reshape(full)[:, :, pH : pH + size[2], pW : pW + size[3]]


VARIANTS = (
    variant("a loop over windows", im2col_forward=_loops_forward, im2col_backward=_loops_backward),
    variant("a table of indices", im2col_forward=_index_forward, im2col_backward=_index_backward),
)
