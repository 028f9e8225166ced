"""RMSprop
=======

One lr for all parameters is too much where gradients are large, and too little where they are small. RMSprop divides every gradient by its own
usual size, the root of a moving average of its squares:

    s ← α s + (1 − α) g²
    p ← p − lr g / (√s + ε)        param p, grad g and average s of one shape, entry by entry

ε keeps the step finite where the gradient has always been 0.

Conventions: torch's. s starts at 0, without any correction for it; ε is added outside the root; `alpha` is 0.99 and `eps` 1e-8 by default. The
state is None on the first call, then whatever your last call returned. param and grad are never changed in place.
"""

import torch


def rmsprop_step(param, grad, state, *, lr, alpha=0.99, eps=1e-8):
    """param, grad of one shape → new param, state."""
    ### BEGIN SOLUTION
    s = torch.zeros_like(grad) if state is None else state
    s = alpha * s + (1 - alpha) * grad**2
    return param - lr * grad / (s.sqrt() + eps), s
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.spec import Lesson, UpdateRule, mistake, variant


def twin(params, *, lr, alpha=0.99, eps=1e-8):
    return torch.optim.RMSprop(params, lr=lr, alpha=alpha, eps=eps)


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


LESSON = Lesson(
    name="rmsprop",
    title="RMSprop",
    source="Tieleman, Hinton, Lecture 6.5: rmsprop (2012); Goodfellow, Bengio, Courville, Deep Learning (2016), algorithm 8.5 (there with ε inside)",
    requires=("sgd",),
    forbids=("optim",),
    points=10,
    minutes=15,
    target=1.0,
    tasks=(
        UpdateRule(
            "rmsprop",
            twin=twin,
            hypers=(
                {"lr": 0.01},
                {"lr": 0.1, "alpha": 0.9},
                {"lr": 0.02, "alpha": 0.5, "eps": 0.1},
                {"lr": 1.0, "alpha": 0.99, "eps": 1.0},
                {"lr": 0.01, "alpha": 0.0, "eps": 1e-3},
                {"lr": 0.0},
            ),
        ),
    ),
    mistakes=(
        mistake("epsilon inside the root", "wrong_operand", "(s.sqrt() + eps)", "(s + eps).sqrt()"),
        mistake(
            "root forgotten",
            "missing_term",
            "s.sqrt()",
            "s",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "square forgotten",
            "wrong_operand",
            "(1 - alpha) * grad**2",
            "(1 - alpha) * grad.abs()",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "alpha and 1 − alpha exchanged",
            "wrong_operand",
            "alpha * s + (1 - alpha) * grad**2",
            "(1 - alpha) * s + alpha * grad**2",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "squares added up, not averaged",
            "missing_term",
            "alpha * s + (1 - alpha) * grad**2",
            "s + grad**2",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "the old average divides",
            "stale_state",
            "(s.sqrt() + eps), s",
            "((0 if state is None else state**0.5) + eps), s",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("average forgotten", "stale_state", "+ eps), s", "+ eps), None"),
        mistake(
            "bias corrected, as in Adam",
            "constant_factor",
            rmsprop_step=_corrected,
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "one average for all entries",
            "mean_for_sum",
            rmsprop_step=_one_average,
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "the average starts at g²",
            "constant_factor",
            rmsprop_step=_starts_full,
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "eps always 1e-8",
            "wrong_operand",
            "s.sqrt() + eps",
            "s.sqrt() + 1e-8",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("uphill", "sign", "param - lr", "param + lr"),
        mistake(
            "the gradient is squared in place",
            "mutates_input",
            "grad**2",
            "grad.clone() * grad.mul_(1.0001) / 1.0001",
        ),
    ),
    variants=(
        variant("an object as state", rmsprop_step=_object),
        variant("in place on a tensor of its own", rmsprop_step=_lerped),
        variant("python numbers", rmsprop_step=_entries),
    ),
    hints=(
        "Two lines: first the average of the squares, with the new gradient in it, then the step.",
        "α near 1 means a long memory: which of the two terms does it belong to?",
        "√s + ε and √(s + ε) are the same only where ε does not matter; this course adds it after the root.",
    ),
)
### END SPEC
