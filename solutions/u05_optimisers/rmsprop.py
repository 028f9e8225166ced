"""RMSprop
=======

One lr for all parameters is too much where gradients are large, and too little where they are small. RMSprop
divides every gradient by its own usual size, the root of a moving average of its squares:

    s ← α s + (1 − α) g²
    p ← p − lr g / (√s + ε)        param p, grad g and average s of one shape, entry by entry

ε keeps the step finite where the gradient has always been 0.

Conventions: torch's. s starts at 0, without any correction for it; ε is added outside the root; `alpha` is
0.99 and `eps` 1e-8 by default. The state is None on the first call, then whatever your last call returned.
param and grad are never changed in place.
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
from autograd_check.course import UNSEEN_STATE, Cause, Lesson, UpdateRule, at, edit, wrong

LESSON = Lesson(
    name="rmsprop",
    title="RMSprop",
    source="Tieleman, Hinton, Lecture 6.5: rmsprop (2012); Goodfellow et al. (2016), algorithm 8.5 (ε inside)",
    requires=("sgd",),
    forbids=("optim",),
    points=10,
    minutes=15,
    tasks=(
        UpdateRule(
            twin=torch.optim.RMSprop,
            probes=(
                at(lr=0.01),
                at(lr=0.1, alpha=0.9),
                at(lr=0.02, alpha=0.5, eps=0.1),
                at(lr=1.0, alpha=0.99, eps=1.0),
                at(lr=0.01, alpha=0.0, eps=1e-3),
                at(lr=0.0),
            ),
        ),
    ),
    mistakes=(
        edit("(s.sqrt() + eps)", "(s + eps).sqrt()", "epsilon inside the root", Cause.WRONG_OPERAND),
        edit("s.sqrt()", "s", "root forgotten", Cause.MISSING_TERM, by_fingerprint=UNSEEN_STATE),
        edit(
            "(1 - alpha) * grad**2",
            "(1 - alpha) * grad.abs()",
            "square forgotten",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit(
            "alpha * s + (1 - alpha) * grad**2",
            "(1 - alpha) * s + alpha * grad**2",
            "alpha and 1 − alpha exchanged",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit(
            "alpha * s + (1 - alpha) * grad**2",
            "s + grad**2",
            "squares added up, not averaged",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit(
            "(s.sqrt() + eps), s",
            "((0 if state is None else state**0.5) + eps), s",
            "the old average divides",
            Cause.STALE_STATE,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit("+ eps), s", "+ eps), None", "average forgotten", Cause.STALE_STATE),
        wrong("bias corrected, as in Adam", Cause.CONSTANT_FACTOR, by_fingerprint=UNSEEN_STATE),
        wrong("one average for all entries", Cause.MEAN_FOR_SUM, by_fingerprint=UNSEEN_STATE),
        wrong("the average starts at g²", Cause.CONSTANT_FACTOR, by_fingerprint=UNSEEN_STATE),
        edit(
            "s.sqrt() + eps",
            "s.sqrt() + 1e-8",
            "eps always 1e-8",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_STATE,
        ),
        edit("param - lr", "param + lr", "uphill", Cause.SIGN),
        edit(
            "grad**2",
            "grad.clone() * grad.mul_(1.0001) / 1.0001",
            "the gradient is squared in place",
            Cause.MUTATES_INPUT,
        ),
    ),
    why="Dividing by a running root mean square of each entry's own gradient gives every entry steps of about the same length, whatever its scale.",
    hints=(
        "Two lines: first the average of the squares, with the new gradient in it, then the step.",
        "α near 1 means a long memory: which of the two terms does it belong to?",
        "√s + ε and √(s + ε) are the same only where ε does not matter; this course adds it after the root.",
    ),
)
### END SPEC
