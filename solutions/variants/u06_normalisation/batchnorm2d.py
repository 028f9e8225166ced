"""Batch normalisation of images: other right ways to write it."""

import torch

from autograd_check.course import variant


def _rows_forward(x, gamma, beta, *, eps=1e-5):
    n, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(-1, c)
    mean, var = rows.mean(0), rows.var(0, unbiased=False)
    xhat = (rows - mean) / torch.sqrt(var + eps)
    out = (xhat * gamma + beta).reshape(n, h, w, c).permute(0, 3, 1, 2)
    return out, (xhat, gamma, var + eps, x.shape)


def _rows_backward(dout, cache):
    xhat, gamma, var, (n, c, h, w) = cache
    rows = dout.permute(0, 2, 3, 1).reshape(-1, c)
    dgamma, dbeta = (rows * xhat).sum(0), rows.sum(0)
    m = rows.shape[0]
    drows = gamma / (m * torch.sqrt(var)) * (m * rows - dbeta - xhat * dgamma)
    return drows.reshape(n, h, w, c).permute(0, 3, 1, 2), dgamma, dbeta


def _loop_forward(x, gamma, beta, *, eps=1e-5):
    out, saved = torch.zeros_like(x), []
    for c in range(x.shape[1]):
        image = x[:, c]
        centred = image - image.mean()
        std = ((centred**2).sum() / centred.numel() + eps) ** 0.5
        out[:, c] = gamma[c] * centred / std + beta[c]
        saved.append((centred, std, gamma[c]))
    return out, saved


def _loop_backward(dout, cache):
    dx, dgamma, dbeta = torch.zeros_like(dout), [], []
    for c, (centred, std, gamma) in enumerate(cache):
        g = dout[:, c] * gamma
        dvar = (g * centred).sum() * -0.5 / std**3
        dmean = -(g / std).sum() - 2 * dvar * centred.mean()
        dx[:, c] = g / std + (2 * dvar * centred + dmean) / centred.numel()
        dgamma.append((dout[:, c] * centred / std).sum())
        dbeta.append(dout[:, c].sum())
    return dx, torch.stack(dgamma), torch.stack(dbeta)


def _einsum_forward(x, gamma, beta, *, eps=1e-5):
    weight = 1 / (x.shape[0] * x.shape[2] * x.shape[3])
    z = x - weight * torch.einsum("nchw->c", x).reshape(1, -1, 1, 1)
    s = (weight * torch.einsum("nchw,nchw->c", z, z) + eps).pow(-0.5)

    def backward(dout):
        total = torch.einsum("nchw,nchw->c", dout, z) * s
        dbeta = torch.einsum("nchw->c", dout)
        dx = torch.einsum("nchw,c->nchw", dout, gamma * s) - (weight * gamma * s * dbeta)[None, :, None, None]
        return dx - torch.einsum("nchw,c->nchw", z, weight * gamma * s * s * total), total, dbeta

    return torch.einsum("nchw,c->nchw", z, gamma * s) + beta.view(1, -1, 1, 1), backward


def _einsum_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant("pixels as rows", batchnorm2d_forward=_rows_forward, batchnorm2d_backward=_rows_backward),
    variant("channel by channel", batchnorm2d_forward=_loop_forward, batchnorm2d_backward=_loop_backward),
    variant("einsum, a closure", batchnorm2d_forward=_einsum_forward, batchnorm2d_backward=_einsum_backward),
)
