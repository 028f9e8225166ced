"""The batch norm hunt: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _planted_backward(dh, cache):
    x, w, gamma, centred, rstd, h = cache
    dout = dh * (h > 0)
    dcentred = dout * gamma * rstd
    da = dcentred - dcentred.mean(0)
    return da @ w.T, x.T @ da, (dout * centred * rstd).sum(0), dout.sum(0)


def _formula_backward(dh, cache):
    x, w, gamma, centred, rstd, h = cache
    n = x.shape[0]
    xhat = centred * rstd
    dout = torch.where(h > 0, dh, torch.zeros_like(dh))
    dgamma, dbeta = (dout * xhat).sum(0), dout.sum(0)
    da = gamma * rstd / n * (n * dout - dbeta - xhat * dgamma)
    return da.mm(w.t()), x.t().mm(da), dgamma, dbeta


def _own_forward(x, w, gamma, beta, *, eps=1e-5):
    a = torch.einsum("nd,dh->nh", x, w)
    var, mean = torch.var_mean(a, 0, unbiased=False)
    std = (var + eps) ** 0.5
    xhat = (a - mean) / std
    out = xhat * gamma + beta
    return torch.relu(out), {"x": x, "w": w, "xhat": xhat, "std": std, "gamma": gamma, "on": out > 0}


def _own_backward(dh, cache):
    xhat, on = cache["xhat"], cache["on"]
    dout = dh.clone()
    dout[~on] = 0
    g = dout * cache["gamma"]
    da = (g - g.mean(0) - xhat * (g * xhat).mean(0)) / cache["std"]
    dx, dw = torch.einsum("nh,dh->nd", da, cache["w"]), torch.einsum("nd,nh->dh", cache["x"], da)
    return [dx, dw, torch.einsum("nh,nh->h", dout, xhat), dout.sum(0)]


def _columns_backward(dh, cache):
    x, w, gamma, centred, rstd, h = cache
    da = torch.zeros_like(h)
    dgamma, dbeta = torch.zeros_like(gamma), torch.zeros_like(gamma)
    for k in range(h.shape[1]):
        dout = dh[:, k] * (h[:, k] > 0)
        hat = centred[:, k] * rstd[k]
        jacobian = torch.eye(len(hat), dtype=h.dtype) - (1 + torch.outer(hat, hat)) / len(hat)
        da[:, k] = gamma[k] * rstd[k] * jacobian @ dout
        dgamma[k], dbeta[k] = dout @ hat, dout.sum()
    return da @ w.T, x.T @ da, dgamma, dbeta


VARIANTS = (
    variant("the textbook's formula", hidden_backward=_formula_backward),
    variant("rewritten from scratch", hidden_forward=_own_forward, hidden_backward=_own_backward),
    variant("unit by unit, with the Jacobian", hidden_backward=_columns_backward),
)
WRONG = (variant("as handed out: the variance's path is missing", hidden_backward=_planted_backward),)
