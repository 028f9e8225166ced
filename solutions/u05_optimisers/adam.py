"""Adam
====

Momentum and RMSprop together: a moving average m of the gradients gives the direction, one of their squares v
gives the scale. Both start at 0 and are too small at first: after t steps they hold a share 1 − βᵗ only, so
they are divided by it.

    t ← t + 1
    m ← β₁ m + (1 − β₁) g            m̂ = m / (1 − β₁ᵗ)
    v ← β₂ v + (1 − β₂) g²           v̂ = v / (1 − β₂ᵗ)
    p ← p − lr m̂ / (√v̂ + ε)          param p, grad g, m and v of one shape, entry by entry

At the first step m̂ / √v̂ is the sign of g: every entry moves by lr.

Conventions: torch's. `betas` is (0.9, 0.999) and `eps` 1e-8 by default; ε is added outside the root, after
the correction. The state is None on the first call, then whatever your last call returned. The corrected m̂
and v̂ are not kept. param and grad are never changed in place.
"""

import torch


def adam_step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    """param, grad of one shape → new param, state."""
    ### BEGIN SOLUTION
    m, v, t = state or (torch.zeros_like(grad), torch.zeros_like(grad), 0)
    b1, b2 = betas
    t = t + 1
    m = b1 * m + (1 - b1) * grad
    v = b2 * v + (1 - b2) * grad**2
    m_hat = m / (1 - b1**t)
    v_hat = v / (1 - b2**t)
    return param - lr * m_hat / (v_hat.sqrt() + eps), (m, v, t)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import UNSEEN_STATE, Cause, Lesson, UpdateRule, at, edit, wrong

LESSON = Lesson(
    name="adam",
    title="Adam",
    source="Kingma, Ba, Adam: a method for stochastic optimization (2015), algorithm 1",
    requires=("momentum", "rmsprop"),
    forbids=("optim",),
    points=10,
    minutes=20,
    tasks=(
        UpdateRule(
            twin=torch.optim.Adam,
            steps=120,
            probes=(
                at(lr=1e-3),
                at(lr=0.05, betas=(0.5, 0.8)),
                at(lr=0.02, betas=(0.9, 0.99), eps=0.1),
                at(lr=0.1, betas=(0.8, 0.95), eps=1.0),
                at(lr=0.01, betas=(0.0, 0.9), eps=1e-3),
                at(lr=0.01, betas=(0.99, 0.9)),
                at(lr=1.0),
            ),
        ),
    ),
    mistakes=(
        wrong("no bias correction", Cause.MISSING_TERM, by_fingerprint=UNSEEN_STATE),
        edit(
            "m_hat = m / (1 - b1**t)",
            "m_hat = m",
            "no bias correction of m",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit("v_hat = v / (1 - b2**t)", "v_hat = v", "no bias correction of v", Cause.MISSING_TERM),
        edit("(1 - b1**t)", "(1 - b1 ** (t - 1))", "steps counted from 0", Cause.NOT_FINITE),
        edit(
            "(m, v, t)\n",
            "(m, v, 0)\n",
            "always the correction of step 1",
            Cause.STALE_STATE,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit("(v_hat.sqrt() + eps)", "(v_hat + eps).sqrt()", "epsilon inside the root", Cause.WRONG_OPERAND),
        wrong("epsilon before the correction", Cause.WRONG_OPERAND, by_fingerprint=UNSEEN_STATE),
        edit(
            "t = t + 1",
            "t = min(t + 1, 100)",
            "the count stops at 100",
            Cause.STALE_STATE,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit("eps), (m, v, t)", "eps), (m_hat, v, t)", "the corrected m is kept", Cause.STALE_STATE),
        edit(
            "b1, b2 = betas",
            "b2, b1 = betas",
            "betas exchanged",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit(
            "b1 * m + (1 - b1) * grad",
            "(1 - b1) * m + b1 * grad",
            "β and 1 − β exchanged",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit("grad**2", "grad.abs()", "square forgotten", Cause.WRONG_OPERAND, by_fingerprint=UNSEEN_STATE),
        edit("v_hat.sqrt()", "v_hat", "root forgotten", Cause.WRONG_OPERAND),
        edit("grad**2", "m**2", "v averages m²", Cause.WRONG_OPERAND),
        wrong("one count for all parameters", Cause.STALE_STATE),
        edit(
            "b1, b2 = betas",
            "b1, b2 = 0.9, 0.999",
            "betas always the defaults",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit("param - lr", "param + lr", "uphill", Cause.SIGN),
        wrong("the gradient is squared in place", Cause.MUTATES_INPUT),
    ),
    why="m says where to go, and √v how large the gradients usually are. Both start at 0 and are too small by a factor 1 − βᵗ, which the correction divides out.",
    hints=(
        "The state holds three things. What are they before the first step?",
        "Count the step first: with t = 0 the correction would divide by 0.",
        "m and v go into the state as they are; m̂ and v̂ live for one step only.",
    ),
)
### END SPEC
