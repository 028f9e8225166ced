"""Residual block: other right ways to write it."""

import torch

from autograd_check.course import variant


def _columns(x, k):
    """All k × k windows of the padded image as rows of a matrix (N, H W, C k k)."""
    p = k // 2
    padded = x.new_zeros(x.shape[0], x.shape[1], x.shape[2] + 2 * p, x.shape[3] + 2 * p)
    padded[:, :, p : p + x.shape[2], p : p + x.shape[3]] = x
    windows = padded.unfold(2, k, 1).unfold(3, k, 1)
    return windows.permute(0, 2, 3, 1, 4, 5).reshape(x.shape[0], x.shape[2] * x.shape[3], -1)


def _conv(x, w, b):
    out = _columns(x, w.shape[-1]) @ w.flatten(1).T + b
    return out.transpose(1, 2).reshape(x.shape[0], w.shape[0], x.shape[2], x.shape[3])


def _unfolded_forward(x, w1, b1, w2, b2):
    h = _conv(x, w1, b1)
    return x + _conv(h.clamp(min=0), w2, b2), (x, h, w1, w2)


def _unfolded_backward(dout, cache):
    x, h, w1, w2 = cache

    def conv_backward(dout, x, w):
        # a convolution of stride 1 goes back by the filter turned around
        turned = w.flip(2, 3).transpose(0, 1).contiguous()
        dw = torch.einsum("npm,npk->mk", dout.flatten(2).transpose(1, 2), _columns(x, w.shape[-1]))
        return _conv(dout, turned, 0), dw.reshape(w.shape), dout.sum((0, 2, 3))

    dh, dw2, db2 = conv_backward(dout, h.clamp(min=0), w2)
    dx, dw1, db1 = conv_backward(torch.where(h > 0, dh, torch.zeros_like(dh)), x, w1)
    return [dx + dout, dw1, db1, dw2, db2]


def _shifts(x, k):
    p = k // 2
    padded = torch.zeros(x.shape[0], x.shape[1], x.shape[2] + 2 * p, x.shape[3] + 2 * p, dtype=x.dtype)
    padded[:, :, p : p + x.shape[2], p : p + x.shape[3]] += x
    return {(i, j): padded[:, :, i : i + x.shape[2], j : j + x.shape[3]] for i in range(k) for j in range(k)}


def _shifted_forward(x, w1, b1, w2, b2):
    def conv(x, w, b):
        return (
            sum(
                torch.einsum("nchw,mc->nmhw", part, w[:, :, i, j])
                for (i, j), part in _shifts(x, w.shape[-1]).items()
            )
            + b[:, None, None]
        )

    h = conv(x, w1, b1)
    on = h > 0
    return x + conv(h * on, w2, b2), {"x": x, "r": h * on, "on": on, "w": (w1, w2)}


def _shifted_backward(dout, cache):
    def conv_backward(dout, x, w):
        dw, k = torch.zeros_like(w), w.shape[-1]
        for (i, j), part in _shifts(x, k).items():
            dw[:, :, i, j] = torch.einsum("nmhw,nchw->mc", dout, part)
        dx = sum(
            torch.einsum("nmhw,mc->nchw", part, w[:, :, k - 1 - i, k - 1 - j])
            for (i, j), part in _shifts(dout, k).items()
        )
        return dx, dw, dout.sum((0, 2, 3))

    w1, w2 = cache["w"]
    dr, dw2, db2 = conv_backward(dout, cache["r"], w2)
    dx, dw1, db1 = conv_backward(dr * cache["on"], cache["x"], w1)
    return dout + dx, dw1, db1, dw2, db2


VARIANTS = (
    variant(
        "one matrix product a layer",
        residual_block_forward=_unfolded_forward,
        residual_block_backward=_unfolded_backward,
    ),
    variant(
        "sums of shifted images",
        residual_block_forward=_shifted_forward,
        residual_block_backward=_shifted_backward,
    ),
)
