"""Adam: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _epsilon_before_correction(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    m, v, t = state or (torch.zeros_like(grad), torch.zeros_like(grad), 0)
    b1, b2 = betas
    m, v, t = b1 * m + (1 - b1) * grad, b2 * v + (1 - b2) * grad**2, t + 1
    rate = lr * math.sqrt(1 - b2**t) / (1 - b1**t)
    return param - rate * m / (v.sqrt() + eps), (m, v, t)


def _shared_count(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, count=[0]):  # noqa: B006, the mistake itself
    m, v = state or (torch.zeros_like(grad), torch.zeros_like(grad))
    b1, b2 = betas
    count[0] += 1
    m, v = b1 * m + (1 - b1) * grad, b2 * v + (1 - b2) * grad**2
    m_hat, v_hat = m / (1 - b1 ** count[0]), v / (1 - b2 ** count[0])
    return param - lr * m_hat / (v_hat.sqrt() + eps), (m, v)


def _uncorrected(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    m, v = state or (torch.zeros_like(grad), torch.zeros_like(grad))
    b1, b2 = betas
    m, v = b1 * m + (1 - b1) * grad, b2 * v + (1 - b2) * grad**2
    return param - lr * m / (v.sqrt() + eps), (m, v)


def _in_place(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    m, v, t = state or (torch.zeros_like(grad), torch.zeros_like(grad), 0)
    b1, b2 = betas
    m, v, t = b1 * m + (1 - b1) * grad, b2 * v + (1 - b2) * grad.square_(), t + 1
    return param - lr * m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + eps), (m, v, t)


class _Moments:
    def __init__(self, like):
        self.first = torch.zeros_like(like)
        self.second = torch.zeros_like(like)
        self.steps = 0

    def see(self, grad, b1, b2):
        self.steps += 1
        self.first.mul_(b1).add_(grad, alpha=1 - b1)
        self.second.mul_(b2).addcmul_(grad, grad, value=1 - b2)


def _object(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    moments = _Moments(param) if state is None else state
    moments.see(grad, *betas)
    correction1, correction2 = (1 - beta**moments.steps for beta in betas)
    root = moments.second.sqrt() / math.sqrt(correction2) + eps
    return param - lr / correction1 * (moments.first / root), moments


def _efficient(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    b1, b2 = betas
    if state is None:
        state = {"step": 0, "exp_avg": torch.zeros_like(param), "exp_avg_sq": torch.zeros_like(param)}
    t = state["step"] + 1
    m = b1 * state["exp_avg"] + (1 - b1) * grad
    v = b2 * state["exp_avg_sq"] + (1 - b2) * (grad * grad)
    rate = lr * (1 - b2**t) ** 0.5 / (1 - b1**t)
    return param - rate * m / (v**0.5 + eps * (1 - b2**t) ** 0.5), {"step": t, "exp_avg": m, "exp_avg_sq": v}


def _unrolled(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    grads = [*(state or []), grad]
    averages = []
    for beta, power in zip(betas, (1, 2), strict=True):
        weights = [(1 - beta) * beta**age for age in range(len(grads))]
        total = sum(w * g**power for w, g in zip(weights, reversed(grads), strict=True))
        averages.append(total / sum(weights))
    return param - lr * averages[0] / (torch.sqrt(averages[1]) + eps), grads


VARIANTS = (
    variant("an object as state", adam_step=_object),
    variant("the correction inside lr", adam_step=_efficient),
    variant("all gradients kept", adam_step=_unrolled),
)
WRONG = (
    variant("no bias correction", adam_step=_uncorrected),
    variant("epsilon before the correction", adam_step=_epsilon_before_correction),
    variant("one count for all parameters", adam_step=_shared_count),
    variant("the gradient is squared in place", adam_step=_in_place),
)
