"""AdamW: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _adam(param, grad, state, *, lr, betas, eps):
    """The adam lesson's step, for variants and mistakes that build on it."""
    m, v, t = state or (torch.zeros_like(grad), torch.zeros_like(grad), 0)
    b1, b2 = betas
    m, v, t = b1 * m + (1 - b1) * grad, b2 * v + (1 - b2) * grad**2, t + 1
    return param - lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps), (m, v, t)


def _penalised(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param, grad + weight_decay * param, state, lr=lr, betas=betas, eps=eps)


def _decay_after(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    new, state = _adam(param, grad, state, lr=lr, betas=betas, eps=eps)
    return new - lr * weight_decay * new, state


def _in_place(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    param.mul_(1 - lr * weight_decay)
    return _adam(param, grad, state, lr=lr, betas=betas, eps=eps)


def _on_top(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    new, state = _adam(param, grad, state, lr=lr, betas=betas, eps=eps)
    return new - lr * weight_decay * param, state


class _State:
    def __init__(self, grad):
        self.m, self.v, self.t = 0 * grad, 0 * grad, 0


def _object(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    s = state or _State(grad)
    s.t += 1
    s.m = s.m + (1 - betas[0]) * (grad - s.m)
    s.v = s.v + (1 - betas[1]) * (grad * grad - s.v)
    step = (s.m / (1 - betas[0] ** s.t)) / (torch.sqrt(s.v / (1 - betas[1] ** s.t)) + eps)
    return param - lr * (step + weight_decay * param), s


def _in_a_copy(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    new = param.clone().mul_(1 - lr * weight_decay)
    m, v, t = (
        state if state is not None else [torch.zeros_like(param), torch.zeros_like(param), torch.tensor(0.0)]
    )
    t = t + 1
    m = m.clone().lerp_(grad, 1 - betas[0])
    v = v.clone().mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    power = int(t)
    denominator = (v.sqrt() / (1 - betas[1] ** power) ** 0.5).add_(eps)
    new.addcdiv_(m, denominator, value=-lr / (1 - betas[0] ** power))
    return new, [m, v, t]


VARIANTS = (
    variant("decay from the old parameter, behind the step", adamw_step=_on_top),
    variant("an object as state", adamw_step=_object),
    variant("in place on copies", adamw_step=_in_a_copy),
)
WRONG = (
    variant("an l2 penalty in the gradient", adamw_step=_penalised),
    variant("decay after the step", adamw_step=_decay_after),
    variant("param in place", adamw_step=_in_place),
)
