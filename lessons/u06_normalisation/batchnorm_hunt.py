"""The batch norm hunt
===================

A network with batch normalisation, and it looks well: the loss falls, nothing is nan, the accuracy climbs
past 90 %, hardly later than it should. Still, what its hidden layer calls a gradient is none. One path
through which x reaches the loss was left out when the layer was derived, and because what remains still
points downhill, nobody has noticed.

The layer is linear map, batch norm and relu in one (a bias would be pointless: the batch mean takes it out
again):

    a = x w     μ, σ² over the batch     x̂ = (a − μ) / √(σ² + ε)     h = relu(γ x̂ + β)

x (N, D), w (D, H), γ and β (H,)  →  h (N, H). Its forward is right, and so is everything that comes from
earlier lessons. Find the missing path and put it in: a wrong gradient that trains is the kind that stays for
years.
"""

import torch

from lessons.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from lessons.u02_network.initialisation import he_normal
from lessons.u02_network.linear import linear_backward, linear_forward


def hidden_forward(x, w, gamma, beta, *, eps=1e-5):
    """x (N, D), w (D, H), gamma (H,), beta (H,) → h (N, H), cache."""
    a = x @ w
    centred = a - a.mean(0)
    rstd = torch.rsqrt(centred.square().mean(0) + eps)
    h = (gamma * centred * rstd + beta).clamp(min=0)
    return h, (x, w, gamma, centred, rstd, h)


def hidden_backward(dh, cache):
    """dh (N, H) → dx (N, D), dw (D, H), dgamma (H,), dbeta (H,)."""
    x, w, gamma, centred, rstd, h = cache
    dout = dh * (h > 0)
    dgamma = (dout * centred * rstd).sum(0)
    dbeta = dout.sum(0)
    dxhat = dout * gamma
    dcentred = dxhat * rstd
    da = dcentred - dcentred.mean(0)  # every row was shifted by the mean of all rows
    return da @ w.T, x.T @ da, dgamma, dbeta


def loss_and_gradients(x, y, params):
    """x (N, D), y (N, 1), params (w, gamma, beta, v, c) → loss (), gradients in the same order."""
    w, gamma, beta, v, c = params
    h, hidden_cache = hidden_forward(x, w, gamma, beta)
    z, linear_cache = linear_forward(h, v, c)
    loss, loss_cache = bce_with_logits_forward(z, y)
    dz = bce_with_logits_backward(torch.ones_like(loss), loss_cache)
    dh, dv, dc = linear_backward(dz, linear_cache)
    _, dw, dgamma, dbeta = hidden_backward(dh, hidden_cache)
    return loss, (dw, dgamma, dbeta, dv, dc)


def fit(x, y, *, hidden, lr, epochs, generator):
    """x (N, D), y (N, 1) → params (w, gamma, beta, v, c), history [(loss, accuracy), …]."""
    params = (
        he_normal(x.shape[1], hidden, generator=generator).to(x.dtype),
        torch.ones(hidden, dtype=x.dtype),
        torch.zeros(hidden, dtype=x.dtype),
        he_normal(hidden, 1, generator=generator).to(x.dtype),
        torch.zeros(1, dtype=x.dtype),
    )
    history = []
    for _ in range(epochs):
        loss, gradients = loss_and_gradients(x, y, params)
        params = tuple(p - lr * g for p, g in zip(params, gradients, strict=True))
        w, gamma, beta, v, c = params
        z = hidden_forward(x, w, gamma, beta)[0] @ v + c
        history.append((float(loss), float(((z > 0) == (y > 0.5)).to(x.dtype).mean())))
    return params, history

# When it is written: autograd-check check batchnorm_hunt
