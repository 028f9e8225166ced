"""Max pooling: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant
from solutions.u07_convolution.given import places


def _sizes(x, kernel, stride):
    kH, kW = (kernel, kernel) if isinstance(kernel, int) else kernel
    sH, sW = (stride, stride) if isinstance(stride, int) else stride
    return kH, kW, sH, sW, (x.shape[2] - kH) // sH + 1, (x.shape[3] - kW) // sW + 1


def _loops_forward(x, *, kernel, stride):
    kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    out = x.new_zeros(x.shape[0], x.shape[1], H, W)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for h in range(H):
                for w in range(W):
                    out[n, c, h, w] = x[n, c, h * sH : h * sH + kH, w * sW : w * sW + kW].max()
    return out, (x, kernel, stride)


def _loops_backward(dout, cache):
    x, kernel, stride = cache
    kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    dx = torch.zeros_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for h in range(H):
                for w in range(W):
                    window = x[n, c, h * sH : h * sH + kH, w * sW : w * sW + kW]
                    best = int(window.reshape(-1).argmax())
                    dx[n, c, h * sH + best // kW, w * sW + best % kW] += dout[n, c, h, w]
    return dx


def _overwriting_backward(dout, cache):
    x, winner, kernel, stride = cache
    kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    dx = torch.zeros_like(x)
    for h in range(H):
        for w in range(W):
            inside = winner[:, :, h, w, None] == torch.arange(kH * kW)
            window = (inside * dout[:, :, h, w, None]).unflatten(2, (kH, kW))
            dx[:, :, h * sH : h * sH + kH, w * sW : w * sW + kW] = window
    return dx


def _unfold_forward(x, *, kernel, stride):
    kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    windows = x.unfold(2, kH, sH).unfold(3, kW, sW).flatten(-2)
    best = windows.argmax(-1)
    rows = torch.arange(H)[:, None] * sH + best // kW
    columns = torch.arange(W) * sW + best % kW
    return windows.gather(-1, best[..., None])[..., 0], (rows * x.shape[3] + columns, x.shape)


def _last_window_backward(dout, cache):
    x, winner, kernel, stride = cache
    _kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    dx = torch.zeros_like(x).flatten(2)
    for h in range(H):
        for w in range(W):
            best = winner[:, :, h, w]
            place = (h * sH + best // kW) * x.shape[3] + w * sW + best % kW
            dx.scatter_(2, place[..., None], dout[:, :, h, w, None])
    return dx.reshape(x.shape)


def _unfold_backward(dout, cache):
    where, (N, C, H, W) = cache
    dx = dout.new_zeros(N, C, H * W)
    return dx.scatter_add_(2, where.flatten(2), dout.flatten(2)).reshape(N, C, H, W)


def _last_tie_backward(dout, cache):
    x, _, kernel, stride = cache
    dx, seen = torch.zeros_like(x), torch.stack(places(x, kernel, stride))
    last = len(seen) - 1 - seen.flip(0).max(0).indices
    for k, place in enumerate(places(dx, kernel, stride)):
        place += dout * (last == k)
    return dx


def _shared_backward(dout, cache):
    x, _, kernel, stride = cache
    dx = torch.zeros_like(x)
    windows = places(dx, kernel, stride)
    for place in windows:
        place += dout / len(windows)
    return dx


def _turned_forward(x, *, kernel, stride):
    turned = stride if isinstance(stride, int) else stride[::-1]
    out, winner = torch.stack(places(x, kernel, turned)).max(0)
    return out, (x, winner, kernel, turned)


def _all_ties_backward(dout, cache):
    x, _, kernel, stride = cache
    dx, best = torch.zeros_like(x), torch.stack(places(x, kernel, stride)).max(0).values
    for place, seen in zip(places(dx, kernel, stride), places(x, kernel, stride), strict=True):
        place += dout * (seen == best)
    return dx


VARIANTS = (
    variant("four loops", maxpool2d_forward=_loops_forward, maxpool2d_backward=_loops_backward),
    variant("unfold and scatter", maxpool2d_forward=_unfold_forward, maxpool2d_backward=_unfold_backward),
)
WRONG = (
    variant("window by window overwrites dx", maxpool2d_backward=_overwriting_backward),
    variant("the winner's entry is overwritten", maxpool2d_backward=_last_window_backward),
    variant("shared among the entries", maxpool2d_backward=_shared_backward),
    variant("strides for rows on columns", maxpool2d_forward=_turned_forward),
    variant("last of the ties", maxpool2d_backward=_last_tie_backward),
    variant("all ties get the gradient", maxpool2d_backward=_all_ties_backward),
)
