"""Binary cross-entropy
====================

How surprised is a prediction p by the truth y? For p the probability of class 1 and y either 0 or 1, averaged
over all N entries:

    loss = −1/N Σ [ y log p + (1 − y) log(1 − p) ]      p, y (N, 1)  →  a 0-d tensor

Every p stands in one term of the sum only, and of its two logarithms one is switched off by y. Differentiate
both, and bring them over one denominator.

Conventions: log 0 is −∞, so p is first clamped to [1e-7, 1 − 1e-7]; where that changed p, the loss does not
depend on p any more and its gradient is 0. p and y must have one shape. (N, 1) against (N,) would broadcast
to N × N pairs without a word, so it raises a `ValueError` that names both shapes.
"""

import torch


def bce_forward(p, y):
    """Mean of −y log p − (1 − y) log(1 − p).  p, y (N, 1) → loss (), cache."""
    ### BEGIN SOLUTION
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    q = p.clamp(1e-7, 1 - 1e-7)
    loss = -(y * torch.log(q) + (1 - y) * torch.log(1 - q)).mean()
    return loss, (p, q, y)
    ### END SOLUTION


def bce_backward(dout, cache):
    """dout () → dp (N, 1), 0 where p was clamped."""
    ### BEGIN SOLUTION
    p, q, y = cache
    dq = dout * (q - y) / (q * (1 - q)) / y.numel()
    return dq * (p == q)
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    convention,
    drop,
    edge,
    edit,
    labels,
    mismatched,
    standard,
    uniform,
)

CLAMPED = (
    "p is clamped to [1e-7, 1 − 1e-7]: the loss stays finite at 0 and 1, and dp is 0 where p was clamped."
)

LESSON = Lesson(
    name="bce",
    title="Binary cross-entropy",
    source="Goodfellow et al. (2016), eq. 5.64 and section 6.2.2.2; Bishop, Pattern Recognition (2006), eq. 4.90",
    requires=("sigmoid",),
    forbids=("binary_cross_entropy",),
    tasks=(
        Layer(
            "p[N,1] y[N,1] -> loss[]",
            wrt=("p",),
            oracle=lambda p, y: F.binary_cross_entropy(p.clamp(1e-7, 1 - 1e-7), y),
            sizes=dict(N=5),
            draw=dict(p=uniform(0.05, 0.95), y=labels()),
            bench=dict(N=455),
            probes=(
                edge("one row of class 1", p=[[0.3]], y=[[1.0]]),
                edge("eight rows, all of class 0", y=[[0.0]] * 8),
                edge("sure and wrong", p=[[0.999], [0.001], [0.6]], y=[[0.0], [1.0], [1.0]]),
                convention(
                    "p beyond the clamp",
                    Cause.MASK_MISSING,
                    CLAMPED,
                    p=[[1.0], [0.0], [1e-9], [0.25], [1.0], [0.0]],
                    y=[[1.0], [0.0], [1.0], [1.0], [0.0], [1.0]],
                ),
                *mismatched("y", "N", "N,3", "1,1"),
                *mismatched("p", "N", "1,1"),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("p.shape != y.shape", "len(p) != len(y)", "broadcasts silently", Cause.SILENT_BROADCAST),
        drop(" / y.numel()", "1/N missing", Cause.MISSING_BATCH_MEAN),
        edit(".mean()", ".sum()", "sum for mean in the loss", Cause.MISSING_BATCH_MEAN),
        edit("(q - y)", "(y - q)", "sign", Cause.SIGN),
        edit(
            "(q - y) / (q * (1 - q))",
            "-y / q",
            "class 1 only",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("(q - y) / (q * (1 - q))", "(-y / q - (1 - y) / (1 - q))", "sign of class 0", Cause.SIGN),
        edit("dq * (p == q)", "dq", "gradient where p was clamped", Cause.MASK_MISSING),
        drop(" / (q * (1 - q))", "gradient of the logits", Cause.EXTRA_TERM),
    ),
    why="Where the clamp holds, p moves and the loss does not, so the gradient is 0; elsewhere each entry has the slope (p − y) / (p (1 − p)), shared by N.",
    hints=(
        "Differentiate the loss of one entry with respect to its p; the two terms share a common denominator.",
        "The mean divides every entry's gradient by the number of entries, and the chain rule multiplies all of them by dout.",
        "Compare p before and after the clamp: where they differ, the loss did not see p.",
    ),
)
### END SPEC
