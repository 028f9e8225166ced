"""Instance normalisation: other right ways to write it."""

import torch

from autograd_check.course import variant


def _rows_forward(x, gamma, beta, *, eps=1e-5):
    n, c, h, w = x.shape
    rows = x.reshape(n * c, h * w)
    std = torch.sqrt(rows.var(1, unbiased=False, keepdim=True) + eps)
    hat = (rows - rows.mean(1, keepdim=True)) / std
    scale = gamma.repeat(n).unsqueeze(1)
    return (hat * scale + beta.repeat(n).unsqueeze(1)).reshape(x.shape), (hat, std, scale, x.shape)


def _rows_backward(dout, cache):
    hat, std, scale, (n, c, h, w) = cache
    rows = dout.reshape(n * c, h * w)
    g = rows * scale
    dx = (g - g.mean(1, keepdim=True) - hat * (g * hat).mean(1, keepdim=True)) / std
    return (
        dx.reshape(n, c, h, w),
        (rows * hat).reshape(n, c, -1).sum((0, 2)),
        rows.reshape(n, c, -1).sum((0, 2)),
    )


def _loops_forward(x, gamma, beta, *, eps=1e-5):
    out, hats = torch.zeros_like(x), torch.zeros_like(x)
    stds = torch.zeros(x.shape[:2], dtype=x.dtype)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            image = x[n, c] - x[n, c].mean()
            stds[n, c] = torch.sqrt((image * image).mean() + eps)
            hats[n, c] = image / stds[n, c]
            out[n, c] = gamma[c] * hats[n, c] + beta[c]
    return out, {"hats": hats, "stds": stds, "gamma": gamma}


def _loops_backward(dout, cache):
    hats, stds, gamma = cache["hats"], cache["stds"], cache["gamma"]
    dx, dgamma, dbeta = torch.zeros_like(dout), torch.zeros_like(gamma), torch.zeros_like(gamma)
    for n in range(dout.shape[0]):
        for c in range(dout.shape[1]):
            dgamma[c] += torch.sum(dout[n, c] * hats[n, c])
            dbeta[c] += torch.sum(dout[n, c])
            g = dout[n, c] * gamma[c]
            dx[n, c] = (g - g.mean() - hats[n, c] * (g * hats[n, c]).mean()) / stds[n, c]
    return [dx, dgamma, dbeta]


def _graph_forward(x, gamma, beta, *, eps=1e-5):
    m = x.shape[2] * x.shape[3]
    centred = x - torch.einsum("nchw->nc", x)[..., None, None] / m
    variance = torch.einsum("nchw,nchw->nc", centred, centred)[..., None, None] / m
    inverse = (variance + eps) ** -0.5

    def backward(dout):
        dhat = torch.einsum("nchw,c->nchw", dout, gamma)
        dvariance = -0.5 * inverse**3 * (dhat * centred).sum((2, 3), keepdim=True)
        dcentred = dhat * inverse + dvariance * 2 / m * centred
        hat = centred * inverse
        return (
            dcentred - dcentred.mean((2, 3), keepdim=True),
            torch.einsum("nchw,nchw->c", dout, hat),
            dout.sum((0, 2, 3)),
        )

    return torch.einsum("nchw,c->nchw", centred * inverse, gamma) + beta.reshape(1, -1, 1, 1), backward


def _graph_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant(
        "one row a channel", instancenorm2d_forward=_rows_forward, instancenorm2d_backward=_rows_backward
    ),
    variant("loops", instancenorm2d_forward=_loops_forward, instancenorm2d_backward=_loops_backward),
    variant(
        "every step of the graph, einsum",
        instancenorm2d_forward=_graph_forward,
        instancenorm2d_backward=_graph_backward,
    ),
)
