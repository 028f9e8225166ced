"""Batch normalisation, trained and used: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _batch_in_evaluation_forward(x, gamma, beta, state, *, momentum, train, eps):
    mean, var = state or (0.0, 1.0)
    mu, sigma2 = x.mean(0), x.var(0, unbiased=False)
    if train and len(x) > 1:
        mean = (1 - momentum) * mean + momentum * mu
        var = (1 - momentum) * var + momentum * x.var(0)
    rstd = (sigma2 + eps) ** -0.5
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, (mean, var), (xhat, rstd, gamma, True)


def _other_house_forward(x, gamma, beta, state, *, momentum, train, eps):
    state = state or {"mean": torch.zeros_like(gamma), "var": torch.ones_like(gamma)}
    if not train:
        rstd = (state["var"] + eps) ** -0.5
        xhat = (x - state["mean"]) * rstd
        return gamma * xhat + beta, state, (xhat, rstd, gamma, train)
    if len(x) == 1:
        raise ValueError("one row")
    mu, sigma2 = x.mean(0), x.var(0, unbiased=False)
    state = {
        "mean": momentum * state["mean"] + (1 - momentum) * mu,
        "var": momentum * state["var"] + (1 - momentum) * sigma2,
    }
    rstd = (sigma2 + eps) ** -0.5
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, state, (xhat, rstd, gamma, train)


def _first_batch_forward(x, gamma, beta, state, *, momentum, train, eps):
    mean, var = state or (x.mean(0), x.var(0, unbiased=False))
    mu, sigma2 = mean, var
    if train:
        if len(x) == 1:
            raise ValueError("one row")
        mu, sigma2 = x.mean(0), x.var(0, unbiased=False)
        mean = (1 - momentum) * mean + momentum * mu
        var = (1 - momentum) * var + momentum * x.var(0)
    rstd = (sigma2 + eps) ** -0.5
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, (mean, var), (xhat, rstd, gamma, train)


def _dict_forward(x, gamma, beta, state, *, momentum, train, eps):
    state = dict(state or {"running_mean": x.new_zeros(x.shape[1]), "running_var": x.new_ones(x.shape[1])})
    if not train:
        std = (state["running_var"] + eps).sqrt()
        xhat = (x - state["running_mean"]) / std
        return gamma * xhat + beta, state, {"mode": "test", "xhat": xhat, "std": std, "gamma": gamma}
    if x.shape[0] < 2:
        raise ValueError("more than one row is needed")
    mean = x.mean(0)
    var = ((x - mean) ** 2).mean(0)
    std = torch.sqrt(var + eps)
    xhat = (x - mean) / std
    state["running_mean"] = state["running_mean"] + momentum * (mean - state["running_mean"])
    state["running_var"] = torch.lerp(state["running_var"], x.var(0), momentum)
    return gamma * xhat + beta, state, {"mode": "train", "xhat": xhat, "std": std, "gamma": gamma}


def _dict_backward(dout, cache):
    g = dout * cache["gamma"]
    xhat = cache["xhat"]
    if cache["mode"] == "train":
        g = g - g.mean(0) - xhat * (g * xhat).mean(0)
    return g / cache["std"], torch.einsum("nd,nd->d", dout, xhat), dout.sum(dim=0)


def _object_forward(x, gamma, beta, state, *, momentum, train, eps):
    class Running:
        def __init__(self, mean, var):
            self.mean, self.var = mean, var

        def updated(self, batch):
            keep = 1 - momentum
            return Running(
                keep * self.mean + momentum * batch.mean(0), keep * self.var + momentum * batch.var(0)
            )

    running = state if state is not None else Running(torch.zeros_like(gamma), torch.ones_like(gamma))
    if train:
        if len(x) == 1:
            raise ValueError("one row has no variance")
        running = running.updated(x)
        mean, var = x.mean(0), x.var(0, unbiased=False)
    else:
        mean, var = running.mean, running.var

    def backward(dout):
        s = torch.sqrt(var + eps)
        z = (x - mean) / s
        dz = dout * gamma
        if not train:
            return dz / s, (dout * z).sum(0), dout.sum(0)
        ds = -(dz * (x - mean)).sum(0) / s**2
        dcentred = dz / s + ds / s * (x - mean) / len(x)
        return dcentred - dcentred.sum(0) / len(x), (dout * z).sum(0), dout.sum(0)

    return (gamma * (x - mean) / torch.sqrt(var + eps) + beta, running), backward


def _object_backward(dout, cache):
    return cache(dout)


def _in_place_forward(x, gamma, beta, state, *, momentum, train, eps):
    if state is None:
        state = [torch.zeros(x.shape[1], dtype=torch.float64), torch.ones(x.shape[1], dtype=torch.float64)]
    mean, var = state
    if train:
        if x.shape[0] == 1:
            raise ValueError(f"x has shape {tuple(x.shape)}")
        sigma2, mu = torch.var_mean(x, 0, unbiased=False)
        mean.mul_(1 - momentum).add_(momentum * mu)
        var.mul_(1 - momentum).add_(momentum * sigma2 * len(x) / (len(x) - 1))
    else:
        mu, sigma2 = mean.to(x.dtype), var.to(x.dtype)
    inverse = 1 / torch.sqrt(sigma2 + eps)
    xhat = (x - mu) * inverse
    return xhat * gamma + beta, {"state": state, "xhat": xhat, "scale": gamma * inverse, "train": train}


def _in_place_backward(dout, cache):
    xhat, n = cache["xhat"], dout.shape[0]
    dgamma, dbeta = torch.sum(dout * xhat, 0), torch.sum(dout, 0)
    inner = n * dout - dbeta - xhat * dgamma if cache["train"] else n * dout
    return cache["scale"] / n * inner, dgamma, dbeta


VARIANTS = (
    variant(
        "a dict as state", batchnorm_running_forward=_dict_forward, batchnorm_running_backward=_dict_backward
    ),
    variant(
        "an object as state, ((out, state), cache)",
        batchnorm_running_forward=_object_forward,
        batchnorm_running_backward=_object_backward,
    ),
    variant(
        "in place, the state in the cache",
        batchnorm_running_forward=_in_place_forward,
        batchnorm_running_backward=_in_place_backward,
    ),
)
WRONG = (
    variant("momentum on the wrong side and variance biased", batchnorm_running_forward=_other_house_forward),
    variant("the batch's statistics in evaluation", batchnorm_running_forward=_batch_in_evaluation_forward),
    variant("the first batch sets the estimates", batchnorm_running_forward=_first_batch_forward),
)
