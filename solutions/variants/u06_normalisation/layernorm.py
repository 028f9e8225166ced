"""Layer normalisation: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _outer_gamma_backward(dout, cache):
    xhat, rstd, gamma = cache
    dx = gamma * rstd * (dout - dout.mean(-1, keepdim=True) - xhat * (dout * xhat).mean(-1, keepdim=True))
    return dx, (dout * xhat).flatten(0, -2).sum(0), dout.flatten(0, -2).sum(0)


def _batch_forward(x, gamma, beta, *, eps=1e-5):
    rows = x.reshape(-1, x.shape[-1])
    centred = rows - rows.mean(0)
    rstd = torch.rsqrt(centred.square().mean(0) + eps)
    xhat = (centred * rstd).reshape(x.shape)
    return gamma * xhat + beta, (xhat, rstd, gamma)


def _staged_forward(x, gamma, beta, *, eps=1e-5):
    rows = x.reshape(-1, gamma.numel()).T
    mean = rows.sum(0) / rows.shape[0]
    variance = ((rows - mean) ** 2).sum(0) / rows.shape[0]
    std = (variance + eps).sqrt()
    hat = (rows - mean) / std
    return (gamma * hat.T + beta).reshape(x.shape), {"hat": hat, "std": std, "gamma": gamma, "shape": x.shape}


def _staged_backward(dout, cache):
    hat, std = cache["hat"], cache["std"]
    rows = dout.reshape(-1, dout.shape[-1])
    size = hat.shape[0]
    dhat = (rows * cache["gamma"]).T
    dstd = -(dhat * hat / std).sum(0)
    dvariance = dstd / (2 * std)
    dcentred = dhat / std + 2 * hat * std * dvariance / size
    dmean = -dcentred.sum(0)
    return (dcentred + dmean / size).T.reshape(cache["shape"]), (rows * hat.T).sum(0), rows.sum(0)


def _numbers_forward(x, gamma, beta, *, eps=1e-5):
    out, saved = [], []
    for row in x.reshape(-1, x.shape[-1]).tolist():
        mean = sum(row) / len(row)
        scale = 1 / math.sqrt(sum((v - mean) ** 2 for v in row) / len(row) + eps)
        hats = [(v - mean) * scale for v in row]
        saved.append((hats, scale))
        out.append([h * g + b for h, g, b in zip(hats, gamma.tolist(), beta.tolist(), strict=True)])
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), (saved, gamma.tolist())


def _numbers_backward(dout, cache):
    saved, gamma = cache
    size = len(gamma)
    dx, dgamma, dbeta = [], [0.0] * size, [0.0] * size
    for up, (hats, scale) in zip(dout.reshape(-1, size).tolist(), saved, strict=True):
        a = sum(u * g for u, g in zip(up, gamma, strict=True)) / size
        b = sum(u * g * h for u, g, h in zip(up, gamma, hats, strict=True)) / size
        dx.append([scale * (u * g - a - h * b) for u, g, h in zip(up, gamma, hats, strict=True)])
        for d in range(size):
            dgamma[d] += up[d] * hats[d]
            dbeta[d] += up[d]
    kind = dout.dtype
    return (
        torch.tensor(dx, dtype=kind).reshape(dout.shape),
        torch.tensor(dgamma, dtype=kind),
        torch.tensor(dbeta, dtype=kind),
    )


def _projected_forward(x, gamma, beta, *, eps=1e-5):
    size = x.shape[-1]
    centre = torch.eye(size, dtype=x.dtype) - 1 / size
    z = x @ centre
    std = ((z * z).sum(-1) / size + eps).sqrt().unsqueeze(-1)

    def backward(dout):
        g = dout * gamma / std
        h = z / std
        leading = list(range(dout.dim() - 1))
        dx = (g - h * ((g * h).sum(-1, keepdim=True) / size)) @ centre
        return dx, torch.sum(dout * h, leading), torch.sum(dout, leading)

    return z / std * gamma + beta, backward


def _projected_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant(
        "every step of the graph, transposed",
        layernorm_forward=_staged_forward,
        layernorm_backward=_staged_backward,
    ),
    variant("python numbers", layernorm_forward=_numbers_forward, layernorm_backward=_numbers_backward),
    variant(
        "centring as a matrix",
        layernorm_forward=_projected_forward,
        layernorm_backward=_projected_backward,
    ),
)
WRONG = (
    variant("over the batch, as batch norm does", layernorm_forward=_batch_forward),
    variant("gamma outside the means", layernorm_backward=_outer_gamma_backward),
)
