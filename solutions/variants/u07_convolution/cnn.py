"""The convolutional network: other right ways to write it."""

import torch

from autograd_check.course import variant


def _windows(x, k):
    p = k // 2
    padded = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * p, x.shape[3] + 2 * p)
    padded[:, :, p : p + x.shape[2], p : p + x.shape[3]] = x
    return padded.unfold(2, k, 1).unfold(3, k, 1)


def _einsum_forward(x, params):
    layers = []
    for w, b in params[:2]:
        h = torch.einsum("nchwij,mcij->nmhw", _windows(x, w.shape[-1]), w) + b[:, None, None]
        blocks = h.clamp(min=0).unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2)
        top, which = blocks.max(-1)
        layers.append((x, h, which, w))
        x = top
    w, b = params[2]
    return x.reshape(len(x), -1) @ w + b, (layers, x, w)


def _einsum_backward(dscores, cache):
    layers, x, w = cache
    grads = [(x.reshape(len(x), -1).T @ dscores, dscores.sum(0))]
    dx = (dscores @ w.T).reshape(x.shape)
    for x, h, which, w in layers[::-1]:
        H, W = dx.shape[2:]
        blocks = torch.zeros(*dx.shape, 4, dtype=dx.dtype).scatter(-1, which[..., None], dx[..., None])
        dh = torch.zeros_like(h)
        dh[:, :, : 2 * H, : 2 * W] = (
            blocks.reshape(*dx.shape, 2, 2).transpose(3, 4).reshape(*dx.shape[:2], 2 * H, 2 * W)
        )
        dh = torch.where(h > 0, dh, torch.zeros_like(dh))
        grads.insert(0, (torch.einsum("nmhw,nchwij->mcij", dh, _windows(x, w.shape[-1])), dh.sum((0, 2, 3))))
        dx = torch.einsum("nmhwij,mcij->nchw", _windows(dh, w.shape[-1]), w.flip(2, 3))
    return dx, grads


class _Recorded:
    """A stack of closures: every layer pushes how to go back."""

    def __init__(self):
        self.back = []

    def push(self, value, step):
        self.back.append(step)
        return value


def _closures_forward(x, params):
    tape = _Recorded()
    for w, b in params[:2]:
        x = _closures_layer(tape, x, w, b)
    shape, (w, b) = x.shape, params[2]
    flat = x.flatten(1)
    tape.push(None, lambda d: ((d @ w.T).reshape(shape), (flat.T @ d, d.sum(0))))
    return flat @ w + b, tape


def _closures_layer(tape, x, w, b):
    k, (H, W) = w.shape[-1], x.shape[2:]
    shifts = [(i, j) for i in range(k) for j in range(k)]
    windows = _windows(x, k)
    h = sum(torch.tensordot(windows[..., i, j], w[:, :, i, j], dims=([1], [1])) for i, j in shifts).permute(
        0, 3, 1, 2
    ) + b.reshape(1, -1, 1, 1)
    H2, W2 = H // 2, W // 2
    corners = [h[:, :, i : 2 * H2 : 2, j : 2 * W2 : 2] for i in (0, 1) for j in (0, 1)]
    best = torch.stack(corners).amax(0)

    def back(d):
        dh, free = torch.zeros_like(h), torch.ones_like(best, dtype=torch.bool)
        for k_, (i, j) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            mine = free & (corners[k_] == best)
            dh[:, :, i : 2 * H2 : 2, j : 2 * W2 : 2] = d * mine * (best > 0)
            free = free & ~mine
        dw = torch.einsum("nmhw,nchwij->mcij", dh, windows)
        dx = torch.einsum("nmhwij,mcij->nchw", _windows(dh, k), w.flip(2, 3))
        return dx, (dw, dh.sum((0, 2, 3)))

    return tape.push(best.clamp(min=0), back)


def _closures_backward(dscores, tape):
    grads, d = [], dscores
    for step in reversed(tape.back):
        d, pair = step(d)
        grads.append(pair)
    return (d, list(reversed(grads)))


VARIANTS = (
    variant("windows and einsum", cnn_forward=_einsum_forward, cnn_backward=_einsum_backward),
    variant("a stack of closures", cnn_forward=_closures_forward, cnn_backward=_closures_backward),
)
