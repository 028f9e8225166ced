"""Average pooling: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _sizes(shape, kernel, stride):
    kH, kW = (kernel, kernel) if isinstance(kernel, int) else kernel
    sH, sW = (stride, stride) if isinstance(stride, int) else stride
    return kH, kW, sH, sW, (shape[2] - kH) // sH + 1, (shape[3] - kW) // sW + 1


def _loops_forward(x, *, kernel, stride):
    kH, kW, sH, sW, H, W = _sizes(x.shape, kernel, stride)
    out = torch.empty(x.shape[0], x.shape[1], H, W, dtype=x.dtype)
    for h in range(H):
        for w in range(W):
            out[:, :, h, w] = x[:, :, h * sH : h * sH + kH, w * sW : w * sW + kW].mean((2, 3))
    return out, (x.shape, kernel, stride)


def _loops_backward(dout, cache):
    shape, kernel, stride = cache
    kH, kW, sH, sW, H, W = _sizes(shape, kernel, stride)
    dx = dout.new_zeros(shape)
    for h in range(H):
        for w in range(W):
            dx[:, :, h * sH : h * sH + kH, w * sW : w * sW + kW] += dout[:, :, h, w, None, None] / (kH * kW)
    return dx


def _overwriting_backward(dout, cache):
    x, kernel, stride = cache
    kH, kW, sH, sW, H, W = _sizes(x.shape, kernel, stride)
    dx = torch.zeros_like(x)
    for h in range(H):
        for w in range(W):
            dx[:, :, h * sH : h * sH + kH, w * sW : w * sW + kW] = dout[:, :, h, w, None, None] / (kH * kW)
    return dx


def _matrix(size, kernel, stride, dtype):
    """Row h of the matrix holds 1/kernel where window h lies: pooling of one axis as a matrix product."""
    count = (size - kernel) // stride + 1
    first = torch.arange(count)[:, None] * stride
    where = torch.arange(size)
    return ((where >= first) & (where < first + kernel)).to(dtype) / kernel


def _matrices_forward(x, *, kernel, stride):
    kH, kW, sH, sW, _, _ = _sizes(x.shape, kernel, stride)
    rows, columns = _matrix(x.shape[2], kH, sH, x.dtype), _matrix(x.shape[3], kW, sW, x.dtype)
    return rows @ x @ columns.T, (rows, columns)


def _matrices_backward(dout, cache):
    rows, columns = cache
    return rows.T @ dout @ columns


VARIANTS = (
    variant("a loop over windows", avgpool2d_forward=_loops_forward, avgpool2d_backward=_loops_backward),
    variant(
        "two matrix products", avgpool2d_forward=_matrices_forward, avgpool2d_backward=_matrices_backward
    ),
)
WRONG = (variant("window by window overwrites dx", avgpool2d_backward=_overwriting_backward),)
