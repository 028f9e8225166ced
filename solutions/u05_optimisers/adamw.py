"""AdamW
=====

Weight decay pulls every parameter towards 0, a little at each step. Added to the gradient, as an l2 penalty
would, it passes through Adam's division by √v̂, and parameters with large gradients hardly decay at all.
AdamW keeps the two apart:

    p ← p − lr λ p                    the decay, from the parameter as it was
    p ← p − lr m̂ / (√v̂ + ε)           Adam's step, from the gradient alone

with m̂ and v̂ as in the adam lesson; param p and grad g of one shape.

Conventions: torch's. `betas` is (0.9, 0.999), `eps` 1e-8, and λ is the keyword `weight_decay`, 1e-2 by
default; the decay is multiplied by lr. The state is None on the first call, then whatever your last call
returned. param and grad are never changed in place. You may import your adam.
"""

import torch


def adamw_step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    """param, grad of one shape → new param, state."""
    ### BEGIN SOLUTION
    m, v, t = state or (torch.zeros_like(grad), torch.zeros_like(grad), 0)
    b1, b2 = betas
    t = t + 1
    m, v = b1 * m + (1 - b1) * grad, b2 * v + (1 - b2) * grad**2
    m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
    decayed = param - lr * weight_decay * param
    return decayed - lr * m_hat / (v_hat.sqrt() + eps), (m, v, t)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import UNSEEN_STATE, Cause, Lesson, UpdateRule, at, edit, wrong

LESSON = Lesson(
    name="adamw",
    title="AdamW",
    source="Loshchilov, Hutter, Decoupled weight decay regularization (2019), algorithm 2; torch.optim.AdamW",
    requires=("adam",),
    forbids=("optim",),
    points=10,
    minutes=15,
    tasks=(
        UpdateRule(
            twin=torch.optim.AdamW,
            steps=120,
            probes=(
                at(lr=1e-3),
                at(lr=0.1, weight_decay=0.5),
                at(lr=0.05, betas=(0.5, 0.8), weight_decay=0.1),
                at(lr=0.02, betas=(0.9, 0.99), eps=0.1, weight_decay=1.0),
                at(lr=0.1, betas=(0.8, 0.95), eps=1.0),
                at(lr=0.01, betas=(0.0, 0.9), eps=1e-3, weight_decay=0.0),
                at(lr=0.3, betas=(0.95, 0.9), weight_decay=2.0),
            ),
        ),
    ),
    mistakes=(
        wrong("an l2 penalty in the gradient", Cause.WRONG_OPERAND, by_fingerprint=UNSEEN_STATE),
        edit("param - lr * weight_decay", "param - weight_decay", "decay without lr", Cause.MISSING_TERM),
        edit("param - lr * weight_decay * param", "param", "decay forgotten", Cause.MISSING_TERM),
        wrong("decay after the step", Cause.WRONG_OPERAND, by_fingerprint=UNSEEN_STATE),
        edit("param - lr * weight_decay", "param + lr * weight_decay", "decay away from 0", Cause.SIGN),
        edit(
            "lr * weight_decay",
            "lr * weight_decay / 2",
            "decay halved, as the penalty's gradient is not",
            Cause.CONSTANT_FACTOR,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit(
            "lr * weight_decay",
            "lr * 1e-2",
            "weight_decay always 0.01",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit(", v / (1 - b2**t)", ", v", "no bias correction of v", Cause.MISSING_TERM),
        edit("(v_hat.sqrt() + eps)", "(v_hat + eps).sqrt()", "epsilon inside the root", Cause.WRONG_OPERAND),
        edit("(m, v, t)\n", "(m, v, 0)\n", "always the correction of step 1", Cause.STALE_STATE),
        wrong("param in place", Cause.MUTATES_INPUT),
    ),
    why="The decay acts on the parameter itself and not through the gradient, so it is not divided by √v: with a gradient of 0 a weight still shrinks by a share lr λ at each step.",
    hints=(
        "Take your adam and change one line: what does it subtract from?",
        "The moments see the gradient only. Where may weight_decay not appear?",
        "With a gradient of 0 the parameter must shrink by the factor 1 − lr λ at each step, exactly.",
    ),
)
### END SPEC
