"""Log-softmax
===========

The logarithm of the softmax, as losses need it, row by row:

    outₖ = xₖ − log Σⱼ e^(xⱼ)      x (..., K)  →  out (..., K), over the last axis

xₖ reaches the loss on two paths: directly, through outₖ alone, and through the logarithm, which every out of
the row subtracts. You know the slope of that logarithm from the lesson on log-sum-exp.

Convention: exact for entries of ±1000. The softmax of the smaller ones rounds to 0, and its logarithm is −∞;
so never take the logarithm of a softmax, but subtract log-sum-exp, with each row's own maximum taken out.
"""

import torch


def log_softmax_forward(x):
    """out = x − log Σ e^x over the last axis.  x (..., K) → out (..., K), cache."""
    ### BEGIN SOLUTION
    shifted = x - x.amax(-1, keepdim=True)
    out = shifted - torch.log(torch.exp(shifted).sum(-1, keepdim=True))
    return out, out
    ### END SOLUTION


def log_softmax_backward(dout, cache):
    """dout (..., K) → dx (..., K)."""
    ### BEGIN SOLUTION
    p = torch.exp(cache)
    return dout - p * dout.sum(-1, keepdim=True)
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    ROWS,
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    at,
    edit,
    stability,
    standard,
    wrong,
)

LARGE = "entries of ±1000 give exact logarithms, such as −2000: subtract log-sum-exp, and take no logarithm of a softmax."


def torchs(x):
    if x.shape[-1] == 1:
        raise ValueError("one class alone leaves nothing but rounding errors")
    return F.log_softmax(x, -1)


LESSON = Lesson(
    name="log_softmax",
    title="Log-softmax",
    source="Goodfellow et al., Deep Learning (2016), eq. 6.30; Bishop (2006), eq. 4.109",
    requires=("softmax",),
    forbids=("log_softmax",),
    tasks=(
        Layer(
            "x[...,K] -> out[...,K]",
            oracle=torchs,
            bench=dict(rest=(256,), K=256),
            sizes=dict(rest=(4,), K=5),
            probes=(
                *ROWS,
                at("two classes", K=2),
                stability("±1000 in one row", LARGE, x=[[1000.0, 999.0, -1000.0], [0.5, -1000.0, 1.0]]),
                stability("rows at 1000 and −1000", LARGE, x=[[1000.0, 1001.0], [-1000.0, -1002.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        wrong("logarithm of a softmax", Cause.UNSTABLE),
        edit("x.amax(-1, keepdim=True)", "x.max()", "one maximum for all rows", Cause.UNSTABLE),
        edit("p * dout.sum(-1, keepdim=True)", "p", "sum of dout forgotten", Cause.NONLINEAR_IN_UPSTREAM),
        edit("p * dout.sum(-1, keepdim=True)", "p * dout", "dout not summed", Cause.MISSING_TERM),
        edit(
            "dout - p * dout.sum(-1, keepdim=True)",
            "dout.clone()",
            "slope of the sum forgotten",
            Cause.MISSING_TERM,
        ),
        edit(
            "dout - p * dout.sum(-1, keepdim=True)",
            "p * (dout - (dout * p).sum(-1, keepdim=True))",
            "softmax's backward",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit(
            "p = torch.exp(cache)",
            "p = cache",
            "out for the softmax",
            Cause.WRONG_OPERAND,
        ),
        edit("dout.sum(-1, keepdim=True)", "dout.mean(-1, keepdim=True)", "mean for sum", Cause.MEAN_FOR_SUM),
        edit(
            "dout.sum(-1, keepdim=True)",
            "dout.sum(0, keepdim=True)",
            "summed over the rows",
            Cause.WRONG_AXIS,
        ),
        edit("dout.sum(-1, keepdim=True)", "dout.sum()", "summed over everything", Cause.WRONG_AXIS),
        edit("dout - p", "dout + p", "sign of the second term", Cause.SIGN),
        edit("dout.sum(-1, keepdim=True)", "dout.sum(-1)", "keepdim forgotten", Cause.CRASHED),
        edit(
            "dout - p * dout.sum(-1, keepdim=True)",
            "p * dout.sum(-1, keepdim=True) - dout",
            "sign",
            Cause.SIGN,
        ),
        wrong("over the first axis", Cause.CONSISTENT_WITH_WRONG_FORWARD),
        edit(
            "torch.log(torch.exp(shifted).sum(-1, keepdim=True))",
            "torch.exp(shifted).sum(-1, keepdim=True)",
            "the logarithm forgotten",
            Cause.FORWARD_WRONG,
        ),
    ),
    why="Each entry moves with its own score one to one, and all entries of a row fall by the softmax of that score: dout minus the softmax times the sum of dout.",
    hints=(
        "outⱼ = xⱼ − L with L = log Σ e^x. You know the derivative of L with respect to xₖ from the lesson on log-sum-exp.",
        "xₖ gets doutₖ from its own out, and −doutⱼ ∂L/∂xₖ from every out j of the row, its own among them.",
        "The softmax is exp(out), or e^x over its sum: one of them is all the cache needs. Sum dout over the last axis with keepdim=True.",
    ),
)
### END SPEC
