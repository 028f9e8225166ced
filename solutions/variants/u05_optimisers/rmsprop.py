"""RMSprop: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _corrected(param, grad, state, *, lr, alpha=0.99, eps=1e-8):
    s, t = state or (torch.zeros_like(grad), 0)
    s, t = alpha * s + (1 - alpha) * grad**2, t + 1
    return param - lr * grad / ((s / (1 - alpha**t)).sqrt() + eps), (s, t)


def _one_average(param, grad, state, *, lr, alpha=0.99, eps=1e-8):
    s = alpha * (0 if state is None else state) + (1 - alpha) * (grad**2).mean()
    return param - lr * grad / (s.sqrt() + eps), s


def _starts_full(param, grad, state, *, lr, alpha=0.99, eps=1e-8):
    s = grad**2 if state is None else alpha * state + (1 - alpha) * grad**2
    return param - lr * grad / (s.sqrt() + eps), s


class _Average:
    def __init__(self, alpha):
        self.alpha, self.value = alpha, None

    def add(self, x):
        share = x * (1 - self.alpha)
        self.value = share if self.value is None else share + self.value * self.alpha
        return self.value


def _object(param, grad, state, *, lr, alpha=0.99, eps=1e-8):
    state = _Average(alpha) if state is None else state
    root = torch.sqrt(state.add(grad.square()))
    return param - lr / (root + eps) * grad, state


def _lerped(param, grad, state, *, lr, alpha=0.99, eps=1e-8):
    s = torch.zeros_like(param) if state is None else state["s"].clone()
    s.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
    return param.addcdiv(grad, s.sqrt().add_(eps), value=-lr), {"s": s}


def _entries(param, grad, state, *, lr, alpha=0.99, eps=1e-8):
    flat, slopes = param.reshape(-1).tolist(), grad.reshape(-1).tolist()
    old = state or [0.0] * len(flat)
    s = [alpha * a + (1 - alpha) * g * g for a, g in zip(old, slopes, strict=True)]
    new = [p - lr * g / (a**0.5 + eps) for p, g, a in zip(flat, slopes, s, strict=True)]
    return torch.tensor(new, dtype=param.dtype).reshape(param.shape), s


VARIANTS = (
    variant("an object as state", rmsprop_step=_object),
    variant("in place on a tensor of its own", rmsprop_step=_lerped),
    variant("python numbers", rmsprop_step=_entries),
)
WRONG = (
    variant("bias corrected, as in Adam", rmsprop_step=_corrected),
    variant("one average for all entries", rmsprop_step=_one_average),
    variant("the average starts at g²", rmsprop_step=_starts_full),
)
