"""Adam
====

Momentum and RMSprop together: a moving average m of the gradients gives the direction, one of their squares v gives the scale. Both start at 0
and are too small at first: after t steps they hold a share 1 − βᵗ only, so they are divided by it.

    t ← t + 1
    m ← β₁ m + (1 − β₁) g            m̂ = m / (1 − β₁ᵗ)
    v ← β₂ v + (1 − β₂) g²           v̂ = v / (1 − β₂ᵗ)
    p ← p − lr m̂ / (√v̂ + ε)          param p, grad g, m and v of one shape, entry by entry

At the first step m̂ / √v̂ is the sign of g: every entry moves by lr.

Conventions: torch's. `betas` is (0.9, 0.999) and `eps` 1e-8 by default; ε is added outside the root, after the correction. The state is None on the
first call, then whatever your last call returned. The corrected m̂ and v̂ are not kept. param and grad are never changed in place.
"""

import torch


def adam_step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    """param, grad of one shape → new param, state."""
    ### BEGIN SOLUTION
    m, v, t = state or (torch.zeros_like(grad), torch.zeros_like(grad), 0)
    b1, b2 = betas
    t = t + 1
    m = m.lerp(grad, 1 - b1)
    v = v.lerp(grad**2, 1 - b2)
    m_hat = m / (1 - b1**t)
    v_hat = v / (1 - b2**t)
    return param - lr * m_hat / (v_hat.sqrt() + eps), (m, v, t)
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.spec import Lesson, UpdateRule, mistake, variant


def twin(params, *, lr, betas=(0.9, 0.999), eps=1e-8):
    return torch.optim.Adam(params, lr=lr, betas=betas, eps=eps)


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


LESSON = Lesson(
    name="adam",
    title="Adam",
    source="Kingma, Ba, Adam: a method for stochastic optimization (2015), algorithm 1",
    requires=("momentum", "rmsprop"),
    forbids=("optim",),
    points=10,
    minutes=20,
    target=1.0,
    tasks=(
        UpdateRule(
            "adam",
            twin=twin,
            hypers=(
                {"lr": 1e-3},
                {"lr": 0.05, "betas": (0.5, 0.8)},
                {"lr": 0.02, "betas": (0.9, 0.99), "eps": 0.1},
                {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1.0},
                {"lr": 0.01, "betas": (0.0, 0.9), "eps": 1e-3},
                {"lr": 0.01, "betas": (0.99, 0.9)},
                {"lr": 1.0},
            ),
            steps=120,
        ),
    ),
    mistakes=(
        mistake(
            "no bias correction",
            "missing_term",
            adam_step=_uncorrected,
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "no bias correction of m",
            "missing_term",
            "m / (1 - b1**t)",
            "m",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("no bias correction of v", "missing_term", "v / (1 - b2**t)", "v"),
        mistake("steps counted from 0", "not_finite", "(1 - b1**t)", "(1 - b1 ** (t - 1))"),
        mistake(
            "always the correction of step 1",
            "stale_state",
            "(m, v, t)\n",
            "(m, v, 0)\n",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("epsilon inside the root", "wrong_operand", "(v_hat.sqrt() + eps)", "(v_hat + eps).sqrt()"),
        mistake(
            "epsilon before the correction",
            "wrong_operand",
            adam_step=_epsilon_before_correction,
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "the count stops at 100",
            "stale_state",
            "t = t + 1",
            "t = min(t + 1, 100)",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("the corrected m is kept", "stale_state", "eps), (m, v, t)", "eps), (m_hat, v, t)"),
        mistake(
            "betas exchanged",
            "wrong_operand",
            "b1, b2 = betas",
            "b2, b1 = betas",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "β and 1 − β exchanged",
            "wrong_operand",
            "m.lerp(grad, 1 - b1)",
            "m.lerp(grad, b1)",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "square forgotten",
            "wrong_operand",
            "grad**2",
            "grad.abs()",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("root forgotten", "wrong_operand", "v_hat.sqrt()", "v_hat"),
        mistake("v averages m²", "wrong_operand", "grad**2", "m**2"),
        mistake("one count for all parameters", "stale_state", adam_step=_shared_count),
        mistake(
            "betas always the defaults",
            "wrong_operand",
            "b1, b2 = betas",
            "b1, b2 = 0.9, 0.999",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("uphill", "sign", "param - lr", "param + lr"),
        mistake("the gradient is squared in place", "mutates_input", adam_step=_in_place),
    ),
    variants=(
        variant("an object as state", adam_step=_object),
        variant("the correction inside lr", adam_step=_efficient),
        variant("all gradients kept", adam_step=_unrolled),
    ),
    hints=(
        "The state holds three things. What are they before the first step?",
        "Count the step first: with t = 0 the correction would divide by 0.",
        "m and v go into the state as they are; m̂ and v̂ live for one step only.",
    ),
)
### END SPEC
