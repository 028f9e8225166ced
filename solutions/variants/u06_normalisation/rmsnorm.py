"""Root mean square normalisation: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _layernorm_backward(dout, cache):
    xhat, r, gamma = cache
    g = dout * gamma
    dx = (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True)) / r
    return dx, (dout * xhat).flatten(0, -2).sum(0)


def _quotient_forward(x, gamma, *, eps=1e-5):
    size = x.shape[-1]
    r = ((x**2).sum(-1, keepdim=True) / size + eps) ** 0.5
    return x / r * gamma, {"x": x, "r": r, "gamma": gamma}


def _quotient_backward(dout, cache):
    x, r, gamma = cache["x"], cache["r"], cache["gamma"]
    g = gamma * dout
    dr = -(g * x).sum(-1, keepdim=True) / r**2
    dx = g / r + dr * x / (r * x.shape[-1])
    dgamma = dout * x / r
    while dgamma.dim() > 1:
        dgamma = dgamma.sum(0)
    return dx, dgamma


def _numbers_forward(x, gamma, *, eps=1e-5):
    rows = x.reshape(-1, x.shape[-1]).tolist()
    rms = [math.sqrt(math.fsum(v * v for v in row) / len(row) + eps) for row in rows]
    out = [
        [v / r * g for v, g in zip(row, gamma.tolist(), strict=True)]
        for row, r in zip(rows, rms, strict=True)
    ]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), (rows, rms, gamma.tolist())


def _numbers_backward(dout, cache):
    rows, rms, gamma = cache
    size = len(gamma)
    dx, dgamma = [], [0.0] * size
    for up, row, r in zip(dout.reshape(-1, size).tolist(), rows, rms, strict=True):
        inner = math.fsum(u * g * v for u, g, v in zip(up, gamma, row, strict=True))
        dx.append([u * g / r - v * inner / (size * r**3) for u, g, v in zip(up, gamma, row, strict=True)])
        dgamma = [total + u * v / r for total, u, v in zip(dgamma, up, row, strict=True)]
    return torch.tensor(dx, dtype=dout.dtype).reshape(dout.shape), torch.tensor(dgamma, dtype=dout.dtype)


def _jacobian_forward(x, gamma, *, eps=1e-5):
    size = x.shape[-1]
    rms = torch.sqrt(torch.linalg.vector_norm(x, dim=-1) ** 2 / size + eps)
    hat = torch.einsum("...d,...->...d", x, 1 / rms)

    def backward(dout):
        jacobian = torch.eye(size, dtype=x.dtype) - hat[..., :, None] * hat[..., None, :] / size
        dx = torch.einsum("...ij,...j,...->...i", jacobian, dout * gamma, 1 / rms)
        return [dx, torch.einsum("nd,nd->d", dout.reshape(-1, size), hat.reshape(-1, size))]

    return gamma * hat, backward


def _jacobian_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant("the quotient rule", rmsnorm_forward=_quotient_forward, rmsnorm_backward=_quotient_backward),
    variant("python numbers", rmsnorm_forward=_numbers_forward, rmsnorm_backward=_numbers_backward),
    variant(
        "the Jacobian as a matrix", rmsnorm_forward=_jacobian_forward, rmsnorm_backward=_jacobian_backward
    ),
)
WRONG = (variant("the mean subtracted as well, as in layer norm", rmsnorm_backward=_layernorm_backward),)
