"""Softmax
=======

K scores become K probabilities, row by row:

    pₖ = e^(xₖ) / Σⱼ e^(xⱼ)      x (..., K)  →  p (..., K), over the last axis

Every p depends on every x of its row: raising one score lowers the share of all others. So the derivative is
a matrix, with

    ∂pⱼ/∂xₖ = pⱼ (δⱼₖ − pₖ),     δⱼₖ = 1 if j = k, and 0 otherwise

and dxₖ collects doutⱼ ∂pⱼ/∂xₖ from all j of its row. Work that sum out: the matrix never has to be written
down, and one number a row is enough. Along a row dx sums to 0, for a shift of all K scores changes nothing.

Convention: exact for entries of ±1000, where e^1000 overflows; subtract each row's own maximum first, which
changes nothing either.
"""

import torch


def softmax_forward(x):
    """p = e^x / Σ e^x over the last axis.  x (..., K) → p (..., K), cache."""
    ### BEGIN SOLUTION
    e = torch.exp(x - x.amax(-1, keepdim=True))
    p = e / e.sum(-1, keepdim=True)
    return p, p
    ### END SOLUTION


def softmax_backward(dout, cache):
    """dout (..., K) → dx (..., K)."""
    ### BEGIN SOLUTION
    p = cache
    return p * (dout - (dout * p).sum(-1, keepdim=True))
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    ROWS,
    Cause,
    Layer,
    Lesson,
    at,
    edit,
    stability,
    standard,
    wrong,
)

LARGE = "entries of ±1000 give exact probabilities: subtract each row's own maximum before the exponential."


def torchs(x):
    if x.shape[-1] == 1:
        raise ValueError("one class alone leaves nothing but rounding errors")
    return F.softmax(x, -1)


LESSON = Lesson(
    name="softmax",
    title="Softmax",
    source="Goodfellow et al., Deep Learning (2016), eq. 6.29; Bishop (2006), eq. 4.104 and 4.106",
    requires=("sigmoid", "logsumexp"),
    forbids=("softmax", "log_softmax", "softmin"),
    minutes=20,
    tasks=(
        Layer(
            "x[...,K] -> out[...,K]",
            oracle=torchs,
            sizes=dict(rest=(4,), K=5),
            bench=dict(rest=(256,), K=256),
            probes=(
                at("two classes", K=2),
                *ROWS,
                stability("±1000 in one row", LARGE, x=[[1000.0, 999.0, -1000.0], [0.5, -1000.0, 1.0]]),
                stability("rows at 1000 and −1000", LARGE, x=[[1000.0, 1001.0], [-1000.0, -1002.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("torch.exp(x - x.amax(-1, keepdim=True))", "torch.exp(x)", "overflows", Cause.UNSTABLE),
        edit("x.amax(-1, keepdim=True)", "x.max()", "one maximum for all rows", Cause.UNSTABLE),
        edit(
            "p * (dout - (dout * p).sum(-1, keepdim=True))",
            "dout * p * (1 - p)",
            "the diagonal only",
            Cause.MISSING_TERM,
        ),
        edit(
            "(dout - (dout * p).sum(-1, keepdim=True))",
            "dout",
            "the other classes forgotten",
            Cause.MISSING_TERM,
        ),
        edit(
            "(dout * p).sum(-1, keepdim=True)",
            "(dout * p).mean(-1, keepdim=True)",
            "mean for sum",
            Cause.MEAN_FOR_SUM,
        ),
        edit(
            "(dout * p).sum(-1, keepdim=True)",
            "(dout * p).sum(0, keepdim=True)",
            "summed over the rows",
            Cause.WRONG_AXIS,
        ),
        edit(
            "(dout * p).sum(-1, keepdim=True)", "(dout * p).sum()", "summed over everything", Cause.WRONG_AXIS
        ),
        edit("(dout * p).sum", "dout.sum", "dout summed without its weights", Cause.MISSING_TERM),
        edit("(dout - (dout * p)", "(dout + (dout * p)", "sign of the second term", Cause.SIGN),
        edit("(dout * p).sum(-1, keepdim=True)", "(dout * p).sum(-1)", "keepdim forgotten", Cause.CRASHED),
        edit(
            "p * (dout - (dout * p).sum(-1, keepdim=True))",
            "p * ((dout * p).sum(-1, keepdim=True) - dout)",
            "sign",
            Cause.SIGN,
        ),
        wrong("over the first axis", Cause.CONSISTENT_WITH_WRONG_FORWARD),
        edit("e / e.sum(-1, keepdim=True)", "e / e.sum()", "normalised over everything", Cause.WRONG_AXIS),
    ),
    why="The probabilities share a sum of 1, so raising one score lowers all the others. That is the term with Σ dout p: a dout that is the same for all entries has no effect.",
    hints=(
        "Take three classes and write p₀ down. It depends on x₀ through the numerator and on all of x through the denominator.",
        "∂pⱼ/∂xₖ is pⱼ (1 − pⱼ) for j = k, and −pⱼ pₖ for j ≠ k. dxₖ collects dout from all j of its row.",
        "The sum Σⱼ doutⱼ pⱼ is one number for each row: compute it once, with keepdim=True so that it fits the row again.",
    ),
)
### END SPEC
