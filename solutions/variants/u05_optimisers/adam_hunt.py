"""The Adam hunt: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant
from solutions.u05_optimisers.adam import adam_step
from solutions.u05_optimisers.adam_hunt import loss_and_gradients


def _fit_with(one_epoch):
    """The lesson's fit around another epoch."""

    def fit(x, y, params, *, lr, epochs, batch):
        states, history = [None] * len(params), []
        for _ in range(epochs):
            params, states, loss = one_epoch(x, y, params, states, lr=lr, batch=batch)
            history.append(loss)
        return params, history

    return fit


def _half_fixed(x, y, params, states, *, lr, batch):
    total = 0.0
    inner = states
    for rows in torch.arange(len(x)).split(batch):
        loss, grads = loss_and_gradients(x[rows], y[rows], params)
        moved = [adam_step(p, g, s, lr=lr) for p, g, s in zip(params, grads, inner, strict=True)]
        params, inner = [param for param, _ in moved], [state for _, state in moved]
        total += float(loss) * len(rows) / len(x)
    return params, states, total


def _zipped(x, y, params, states, *, lr, batch):
    losses = []
    for start in range(0, len(x), batch):
        xs, ys = x[start : start + batch], y[start : start + batch]
        loss, grads = loss_and_gradients(xs, ys, params)
        params, states = zip(
            *(adam_step(p, g, s, lr=lr) for p, g, s in zip(params, grads, states, strict=True)), strict=True
        )
        losses.append(float(loss) * len(xs))
    return list(params), list(states), sum(losses) / len(x)


def _written_in_place(x, y, params, states, *, lr, batch):
    params, total = list(params), 0.0
    for rows in torch.arange(len(x)).split(batch):
        loss, grads = loss_and_gradients(x[rows], y[rows], params)
        for k, grad in enumerate(grads):
            params[k], states[k] = adam_step(params[k], grad, states[k], lr=lr)
        total += float(loss) * len(rows)
    return params, states, total / len(x)


VARIANTS = (
    variant("zip, slices", epoch=_zipped, fit=_fit_with(_zipped)),
    variant("lists written in place", epoch=_written_in_place, fit=_fit_with(_written_in_place)),
)
WRONG = (variant("kept within an epoch only", epoch=_half_fixed, fit=_fit_with(_half_fixed)),)
