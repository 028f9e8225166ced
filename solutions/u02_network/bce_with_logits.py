"""Binary cross-entropy with logits
================================

Sigmoid and cross-entropy belong together. Put p = σ(z) into the binary cross-entropy, and logarithm and
exponential cancel:

    loss = 1/N Σ [ log(1 + e^z) − y z ]      z, y (N, 1)  →  a 0-d tensor

Nothing needs to be clamped, and a network that is sure and wrong still gets a gradient: differentiate the two
terms of one row, and you meet a function that you have written before. For large z the e^z overflows, so

    log(1 + e^z) = max(z, 0) + log(1 + e^(−|z|)),

which is what `torch.logaddexp(z, 0)`, the logarithm of a sum of exponentials, computes.

Conventions: exact at z = ±1000. z and y must have one shape: (N, 1) against (N,) would broadcast to N × N
pairs without a word, so it raises a `ValueError` that names both shapes. Here you may use `torch.sigmoid`.
"""

import torch


def bce_with_logits_forward(z, y):
    """Mean of log(1 + e^z) − y z.  z, y (N, 1) → loss (), cache."""
    ### BEGIN SOLUTION
    if z.shape != y.shape:
        raise ValueError(f"z {tuple(z.shape)} and y {tuple(y.shape)} must have the same shape")
    loss = (torch.logaddexp(z, torch.zeros_like(z)) - y * z).mean()
    return loss, (z, y)
    ### END SOLUTION


def bce_with_logits_backward(dout, cache):
    """dout () → dz (N, 1)."""
    ### BEGIN SOLUTION
    z, y = cache
    return dout * (torch.sigmoid(z) - y) / y.numel()
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    at,
    drop,
    edge,
    edit,
    labels,
    mismatched,
    normal,
    stability,
    standard,
    wrong,
)

LARGE = "at logits of ±1000 the loss is exactly 0 or 1000 and the gradient exact; never take log 0 or let e^z overflow."

LESSON = Lesson(
    name="bce_with_logits",
    title="Binary cross-entropy with logits",
    source="Goodfellow et al. (2016), eq. 6.20 to 6.26; Bishop, Pattern Recognition (2006), eq. 4.91",
    requires=("sigmoid", "bce"),
    forbids=("binary_cross_entropy_with_logits", "logsigmoid", "log_sigmoid", "softplus"),
    tasks=(
        Layer(
            "z[N,1] y[N,1] -> loss[]",
            wrt=("z",),
            oracle=lambda z, y: F.binary_cross_entropy_with_logits(z, y),
            sizes=dict(N=5),
            draw=dict(y=labels()),
            bench=dict(N=455),
            probes=(
                at("logits of 2", z=normal(scale=2)),
                edge("eight rows, all of class 1", y=[[1.0]] * 8),
                edge("logits of ±8", z=[[8.0], [-8.0], [6.0], [-6.0]], y=[[0.0], [1.0], [1.0], [0.0]]),
                edge("logit zero", z=[[0.0], [0.0], [1.0]], y=[[1.0], [0.0], [1.0]]),
                stability("logits of ±1000, wrong", LARGE, z=[[1e3], [-1e3], [0.5]], y=[[0.0], [1.0], [1.0]]),
                stability("logits of ±1000, right", LARGE, z=[[1e3], [-1e3], [0.5]], y=[[1.0], [0.0], [0.0]]),
                *mismatched("y", "N", "N,3", "1,1"),
                *mismatched("z", "N", "1,1"),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("z.shape != y.shape", "len(z) != len(y)", "broadcasts silently", Cause.SILENT_BROADCAST),
        wrong("log of a sigmoid", Cause.UNSTABLE),
        edit(
            "torch.logaddexp(z, torch.zeros_like(z))",
            "torch.log(1 + torch.exp(z))",
            "e^z overflows",
            Cause.UNSTABLE,
        ),
        drop(" / y.numel()", "1/N missing", Cause.MISSING_BATCH_MEAN),
        edit("torch.sigmoid(z) - y", "z - y", "logits for probabilities", Cause.WRONG_OPERAND),
        edit(
            "(torch.sigmoid(z) - y)",
            "(torch.sigmoid(z) - y) * torch.sigmoid(z) * (1 - torch.sigmoid(z))",
            "slope of the sigmoid once more",
            Cause.EXTRA_TERM,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit(
            "torch.sigmoid(z) - y",
            "torch.sigmoid(z.clamp(-5, 5)) - y",
            "logits clipped to ±5 in the slope",
            Cause.UNKNOWN,
        ),
        edit("torch.sigmoid(z) - y", "y - torch.sigmoid(z)", "sign", Cause.SIGN),
        wrong("sum for mean, in both passes", Cause.MISSING_BATCH_MEAN),
    ),
    why="The slope of the sigmoid cancels the p (1 − p) under the loss: what is left is (σ(z) − y) / N, with nothing that could overflow or be divided by 0.",
    hints=(
        "Write log σ(z) and log(1 − σ(z)) as functions of z alone, and collect the terms with y.",
        "The derivative of log(1 + e^z) is a function that you have written before.",
        "dz is how far the predicted probability is from the truth, shared among the N entries, times dout.",
    ),
)
### END SPEC
