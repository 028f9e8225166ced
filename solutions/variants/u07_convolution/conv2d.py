"""Convolution of images: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant
from solutions.u07_convolution.given import framed, pair


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


VARIANTS = (
    variant("four loops", conv2d_forward=_loops_forward, conv2d_backward=_loops_backward),
    variant("sum of shifted images", conv2d_forward=_shifted_forward, conv2d_backward=_shifted_backward),
    variant(
        "a gather and one matrix product",
        conv2d_forward=_matrix_forward,
        conv2d_backward=_matrix_backward,
    ),
)
WRONG = (
    variant("every filter and window overwrites dx", conv2d_backward=_overwriting("dx")),
    variant("window by window overwrites dx", conv2d_backward=_overwriting_windows_backward),
    variant("every window overwrites dw", conv2d_backward=_overwriting("dw")),
    variant("every window overwrites db", conv2d_backward=_overwriting("db")),
)
