"""Batch normalisation: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _swallowed_mean_backward(dout, cache):
    xhat, rstd, gamma = cache
    dxhat = dout * gamma
    dvar = -0.5 * (dxhat * xhat).sum(0) * rstd**2
    dx = dxhat * rstd + dvar * 2 * xhat / rstd / len(dout)
    return dx, (dout * xhat).sum(0), dout.sum(0)


def _staged_forward(x, gamma, beta, *, eps=1e-5):
    n, d = x.shape
    if n < 2:
        raise ValueError("batch norm cannot be trained on a single sample")
    mu = 1.0 / n * torch.sum(x, dim=0)
    xmu = x - mu
    var = 1.0 / n * torch.sum(xmu**2, dim=0)
    sqrtvar = torch.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    return gamma * xhat + beta, (xhat, gamma, xmu, ivar, sqrtvar, var, eps)


def _staged_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    n, d = dout.shape
    dbeta = torch.sum(dout, dim=0)
    dgamma = torch.sum(dout * xhat, dim=0)
    dxhat = dout * gamma
    divar = torch.sum(dxhat * xmu, dim=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 * 1.0 / torch.sqrt(var + eps) * dsqrtvar
    dsq = 1.0 / n * torch.ones((n, d), dtype=dout.dtype) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * torch.sum(dxmu1 + dxmu2, dim=0)
    dx2 = 1.0 / n * torch.ones((n, d), dtype=dout.dtype) * dmu
    return dx1 + dx2, dgamma, dbeta


def _columns_forward(x, gamma, beta, *, eps=1e-5):
    if x.shape[0] == 1:
        raise ValueError(f"one row: {tuple(x.shape)}")
    out, saved = torch.empty_like(x), []
    for d in range(x.shape[1]):
        column = x[:, d].tolist()
        mean = math.fsum(column) / len(column)
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in column) / len(column) + eps)
        hats = [(v - mean) / std for v in column]
        for n, hat in enumerate(hats):
            out[n, d] = gamma[d] * hat + beta[d]
        saved.append((hats, std, gamma[d].item()))
    return out, saved


def _columns_backward(dout, cache):
    dx, dgamma, dbeta = torch.empty_like(dout), [], []
    for d, (hats, std, gamma) in enumerate(cache):
        up = dout[:, d].tolist()
        count = len(up)
        dgamma.append(sum(u * h for u, h in zip(up, hats, strict=True)))
        dbeta.append(sum(up))
        for n in range(count):
            dx[n, d] = gamma / (count * std) * (count * up[n] - dbeta[d] - hats[n] * dgamma[d])
    return dx, torch.tensor(dgamma, dtype=dout.dtype), torch.tensor(dbeta, dtype=dout.dtype)


def _jacobian_forward(x, gamma, beta, *, eps=1e-5):
    if len(x) <= 1:
        raise ValueError("need at least two rows")
    var, mean = torch.var_mean(x, dim=0, unbiased=False, keepdim=True)
    xhat = (x - mean).div(var.add(eps).sqrt())

    def backward(dout):
        count = x.shape[0]
        h = xhat.T
        project = torch.eye(count, dtype=x.dtype) - (1 + h[:, :, None] * h[:, None, :]) / count
        dxhat = (dout * gamma).T
        dx = torch.einsum("dnm,dm->nd", project, dxhat) / (var + eps).sqrt()
        return dx, torch.einsum("nd,nd->d", dout, xhat), torch.einsum("nd->d", dout)

    return torch.addcmul(beta, xhat, gamma), backward


def _jacobian_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant(
        "every step of the graph", batchnorm_forward=_staged_forward, batchnorm_backward=_staged_backward
    ),
    variant(
        "column by column, python numbers",
        batchnorm_forward=_columns_forward,
        batchnorm_backward=_columns_backward,
    ),
    variant(
        "the Jacobian as a matrix",
        batchnorm_forward=_jacobian_forward,
        batchnorm_backward=_jacobian_backward,
    ),
)
WRONG = (
    variant("the mean inside the variance, but not outside", batchnorm_backward=_swallowed_mean_backward),
)
