"""Log-sum-exp
===========

A smooth maximum over the last axis:

    out = log Σₖ e^(xₖ)      x (..., K)  →  out (...)

It lies between max x and max x + log K. One out depends on all K entries of its row, and the slope of the
logarithm is shared among them: write u = Σₖ e^(xₖ), out = log u, and multiply ∂out/∂u by ∂u/∂xₖ. The K slopes
turn out to be positive and to sum to 1; larger entries get the larger share.

Convention: finite for entries of ±1000, where e^1000 overflows and the logarithm of e^(−1000) = 0 is −∞. A
shift m of the whole row comes back out unchanged, so choose m = max x, for every row its own:

    log Σₖ e^(xₖ) = m + log Σₖ e^(xₖ − m)
"""

import torch


def logsumexp_forward(x):
    """out = log Σ e^x over the last axis.  x (..., K) → out (...), cache."""
    ### BEGIN SOLUTION
    m = x.max(-1, keepdim=True).values
    out = m + torch.log(torch.exp(x - m).sum(-1, keepdim=True))
    return out.squeeze(-1), (x, out)
    ### END SOLUTION


def logsumexp_backward(dout, cache):
    """dout (...) → dx (..., K)."""
    ### BEGIN SOLUTION
    x, out = cache
    return dout.unsqueeze(-1) * torch.exp(x - out)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import (
    ROWS,
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    edit,
    stability,
    standard,
    wrong,
)

LARGE = (
    "entries of ±1000 give a finite result: subtract each row's own maximum before exp and add it after log."
)

LESSON = Lesson(
    name="logsumexp",
    title="Log-sum-exp",
    source="Boyd, Vandenberghe, Convex Optimization (2004), section 3.1.5; Goodfellow et al. (2016), section 4.1",
    requires=("sine_chain",),
    forbids=("logsumexp", "logcumsumexp"),
    minutes=20,
    tasks=(
        Layer(
            "x[...,K] -> out[...]",
            oracle=lambda x: torch.logsumexp(x, -1),
            sizes=dict(rest=(4,), K=5),
            probes=(
                *ROWS,
                stability("±1000 in one row", LARGE, x=[[1000.0, -1000.0, 999.0], [0.5, -1000.0, 1.0]]),
                stability("rows at 1000 and −1000", LARGE, x=[[1000.0, 1001.0], [-1000.0, -1002.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        wrong("overflows", Cause.UNSTABLE),
        edit("x.max(-1, keepdim=True).values", "x.max()", "one maximum for all rows", Cause.UNSTABLE),
        edit("out = m + torch.log", "out = torch.log", "maximum not added back", Cause.FORWARD_WRONG),
        edit(
            "torch.exp(x - m).sum", "torch.exp(x).sum", "maximum subtracted, entries not", Cause.FORWARD_WRONG
        ),
        edit(".sum(-1, keepdim=True)", ".mean(-1, keepdim=True)", "mean for sum", Cause.MEAN_FOR_SUM),
        edit(
            "torch.exp(x - m).sum(-1, keepdim=True)",
            "torch.exp(x - m).sum(0, keepdim=True)",
            "summed over the rows",
            Cause.WRONG_SHAPE,
        ),
        edit("torch.exp(x - out)", "torch.exp(x)", "not divided by the sum", Cause.WRONG_OPERAND),
        edit("dout.unsqueeze(-1)", "dout", "upstream along the rows", Cause.CRASHED),
        edit(
            "torch.exp(x - out)",
            "torch.exp(x) / torch.exp(x).sum(0)",
            "shares of the column",
            Cause.WRONG_AXIS,
        ),
        edit("torch.exp(x - out)", "torch.ones_like(x)", "the same for every entry", Cause.MISSING_TERM),
        edit(
            "torch.exp(x - out)",
            "(x == x.max(-1, keepdim=True).values)",
            "all to the maximum",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("torch.exp(x - out)", "-torch.exp(x - out)", "sign", Cause.SIGN),
    ),
    hints=(
        "Write u = Σ e^(xₖ), out = log u, and use the chain rule: ∂out/∂u, then ∂u/∂xₖ.",
        "dout has one axis less than x: every entry of a row shares the one dout of its row.",
        "e^(xₖ) / u is e^(xₖ − out), which cannot overflow. Keep x and out in the cache.",
    ),
)
### END SPEC
