"""AdamW
=====

Weight decay pulls every parameter towards 0, a little at each step. Added to the gradient, as an l2 penalty would, it passes through Adam's
division by √v̂, and parameters with large gradients hardly decay at all. AdamW keeps the two apart:

    p ← p − lr λ p                    the decay, from the parameter as it was
    p ← p − lr m̂ / (√v̂ + ε)           Adam's step, from the gradient alone

with m̂ and v̂ as in the adam lesson; param p and grad g of one shape.

Conventions: torch's. `betas` is (0.9, 0.999), `eps` 1e-8, and λ is the keyword `weight_decay`, 1e-2 by default; the decay is multiplied by lr.
The state is None on the first call, then whatever your last call returned. param and grad are never changed in place. You may import your adam.
"""

import torch


def adamw_step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    """param, grad of one shape → new param, state."""
    ### BEGIN SOLUTION
    m, v, t = state or (torch.zeros_like(grad), torch.zeros_like(grad), 0)
    b1, b2 = betas
    t = t + 1
    m = m.lerp(grad, 1 - b1)
    v = v.lerp(grad**2, 1 - b2)
    m_hat = m / (1 - b1**t)
    v_hat = v / (1 - b2**t)
    decayed = param * (1 - lr * weight_decay)
    return decayed - lr * m_hat / (v_hat.sqrt() + eps), (m, v, t)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.spec import Lesson, UpdateRule, mistake, variant


def twin(params, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return torch.optim.AdamW(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


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


LESSON = Lesson(
    name="adamw",
    title="AdamW",
    source="Loshchilov, Hutter, Decoupled weight decay regularization (2019), algorithm 2 (with the decay multiplied by lr, as in torch)",
    requires=("adam",),
    forbids=("optim",),
    points=10,
    minutes=15,
    target=1.0,
    tasks=(
        UpdateRule(
            "adamw",
            twin=twin,
            hypers=(
                {"lr": 1e-3},
                {"lr": 0.1, "weight_decay": 0.5},
                {"lr": 0.05, "betas": (0.5, 0.8), "weight_decay": 0.1},
                {"lr": 0.02, "betas": (0.9, 0.99), "eps": 0.1, "weight_decay": 1.0},
                {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1.0},
                {"lr": 0.01, "betas": (0.0, 0.9), "eps": 1e-3, "weight_decay": 0.0},
                {"lr": 0.3, "betas": (0.95, 0.9), "weight_decay": 2.0},
            ),
            steps=120,
        ),
    ),
    mistakes=(
        mistake(
            "an l2 penalty in the gradient",
            "wrong_operand",
            adamw_step=_penalised,
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("decay without lr", "missing_term", "lr * weight_decay", "weight_decay"),
        mistake("decay forgotten", "missing_term", "param * (1 - lr * weight_decay)", "param"),
        mistake(
            "decay after the step",
            "wrong_operand",
            adamw_step=_decay_after,
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("decay away from 0", "sign", "(1 - lr * weight_decay)", "(1 + lr * weight_decay)"),
        mistake(
            "decay halved, as the penalty's gradient is not",
            "constant_factor",
            "lr * weight_decay",
            "lr * weight_decay / 2",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake(
            "weight_decay always 0.01",
            "wrong_operand",
            "lr * weight_decay",
            "lr * 1e-2",
            by_fingerprint="the state of the run is edited, which no array of a single step shows",
        ),
        mistake("no bias correction of v", "missing_term", "v / (1 - b2**t)", "v"),
        mistake("epsilon inside the root", "wrong_operand", "(v_hat.sqrt() + eps)", "(v_hat + eps).sqrt()"),
        mistake("always the correction of step 1", "stale_state", "(m, v, t)\n", "(m, v, 0)\n"),
        mistake("param in place", "mutates_input", adamw_step=_in_place),
    ),
    variants=(
        variant("decay from the old parameter, behind the step", adamw_step=_on_top),
        variant("an object as state", adamw_step=_object),
        variant("in place on copies", adamw_step=_in_a_copy),
    ),
    hints=(
        "Take your adam and change one line: what does it subtract from?",
        "The moments see the gradient only. Where may weight_decay not appear?",
        "With a gradient of 0 the parameter must shrink by the factor 1 − lr λ at each step, exactly.",
    ),
)
### END SPEC
