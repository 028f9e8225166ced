"""Elu
===

The exponential linear unit: like relu to the right, but to the left it bends smoothly down to −α instead of
being cut off:

    out = x              where x > 0
    out = α (e^x − 1)    elsewhere       x of any shape  →  out of the same shape

Each branch has a slope of its own. That of the left one holds an exponential which out holds already: how
much are they apart?

Conventions: at x = 0 the left branch counts: the derivative there is α, as in torch. And exact at ±1000: the
exponential of the right half is never needed, and must not spoil it by overflowing (inf · 0 is not a number).
`torch.expm1(x)` is e^x − 1 without losing an x that is small beside 1.
"""

import torch


def elu_forward(x, *, alpha=1.0):
    """out = x where x > 0, else alpha (e^x − 1).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = torch.where(x > 0, x, alpha * torch.expm1(x))
    return out, (x, out, alpha)
    ### END SOLUTION


def elu_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, out, alpha = cache
    return dout * torch.where(x > 0, 1, out + alpha)
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    ELEMENTWISE,
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    at,
    away_from_zero,
    convention,
    edge,
    edit,
    stability,
    standard,
    wrong,
)

AT_ZERO = (
    "elu has two slopes at 0 where α is not 1; the course takes the left one, α, as torch does, so use x > 0."
)
LARGE = (
    "at x = ±1000 elu is exactly 1000 and −α; choose the branch with where, since 0 · e^1000 is not a number."
)

LESSON = Lesson(
    name="elu",
    title="The exponential linear unit",
    source="Clevert, Unterthiner, Hochreiter, Exponential Linear Units (2016), eq. 16",
    requires=("leaky_relu",),
    forbids=("elu", "selu", "celu"),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x, *, alpha=1.0: F.elu(x, alpha),
            sizes=dict(rest=(4, 5)),
            draw=dict(x=away_from_zero()),
            bench=dict(rest=(256, 256)),
            probes=(
                *ELEMENTWISE,
                at(alpha=0.5, rest=(3, 5)),
                at(alpha=2.0, rest=(2, 3, 4)),
                at("inputs of 3", x=away_from_zero(scale=3)),
                edge("every unit on the left", alpha=0.75, x=[[-1.0, -2.0, -0.5], [-3.0, -0.25, -4.0]]),
                edge("inputs of 1e-8 and 20", x=[[1e-8, -1e-8, 20.0], [-20.0, 2.0, -2.0]]),
                convention(
                    "exactly zero", Cause.TIES, AT_ZERO, alpha=0.5, x=[[0.0, -1.5, 2.0], [1.0, 0.0, -0.0]]
                ),
                stability("±1000", LARGE, alpha=0.5, x=[[1000.0, -1000.0], [-1.0, 1.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("torch.where(x > 0, 1", "torch.where(x >= 0, 1", "the right branch at zero", Cause.TIES),
        wrong("0 times infinity", Cause.UNSTABLE),
        edit("out + alpha", "out + 1", "alpha taken for 1 in the slope", Cause.MISSING_TERM),
        edit("out + alpha", "out", "out for the slope", Cause.MISSING_TERM, by_fingerprint=UNSEEN_TERM),
        edit("out + alpha", "torch.exp(x)", "alpha forgotten in the slope", Cause.MISSING_TERM),
        edit("out + alpha", "alpha * torch.exp(out)", "e^out for e^x", Cause.WRONG_OPERAND),
        edit("out + alpha", "0", "a relu backwards", Cause.MISSING_TERM),
        edit(
            "torch.where(x > 0, 1",
            "torch.where(x < 0, 1",
            "mask the wrong way round",
            Cause.MASK_INVERTED,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("torch.expm1(", "torch.exp(", "the −1 forgotten", Cause.FORWARD_WRONG),
        edit("alpha * torch.expm1(", "torch.expm1(", "alpha forgotten in the forward", Cause.FORWARD_WRONG),
    ),
    why="Left of 0 the slope of α (eˣ − 1) is α eˣ, which is out + α. Choosing the branch before the exponential is taken keeps an infinite one out of the other side.",
    hints=(
        "Differentiate α (e^x − 1) for x < 0: one of the two terms is a constant.",
        "α e^x is what out was before α was taken off it, so out and alpha in the cache are enough.",
        "Choose the branch by torch.where(x > 0, …, …), or clamp x first; an infinite e^x times a mask of 0 is not 0.",
    ),
)
### END SPEC
