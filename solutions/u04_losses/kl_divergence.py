"""Kullback–Leibler divergence
===========================

How much does a model lose that believes p where the truth is the distribution q? The model gives logarithms,
logp (N, C); q (N, C) holds probabilities, a row for each sample:

    loss = 1/N Σ_n Σ_c q[n, c] (log q[n, c] − logp[n, c])      →  a 0-d tensor

Distillation, label smoothing and variational inference end in this loss. With one-hot q it is the
cross-entropy. Only one of the two terms contains logp: the other is what q costs by itself.

Conventions: 0 · log 0 = 0, its limit, so a class that never occurs costs nothing; `torch.xlogy(q, q)` is
q log q with that limit. N is the number of rows: classes are summed over. q gets no gradient. logp and q must
have one shape, else a `ValueError` names both shapes.
"""

import torch


def kl_divergence_forward(logp, q):
    """Σ q (log q − logp) / N.  logp, q (N, C) → loss (), cache."""
    ### BEGIN SOLUTION
    if logp.shape != q.shape:
        raise ValueError(f"logp {tuple(logp.shape)} and q {tuple(q.shape)} must have the same shape")
    loss = (torch.xlogy(q, q) - q * logp).sum() / len(q)
    return loss, q
    ### END SOLUTION


def kl_divergence_backward(dout, cache):
    """dout () → dlogp (N, C)."""
    ### BEGIN SOLUTION
    q = cache
    return -dout * q / len(q)
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    Cause,
    Layer,
    Lesson,
    at,
    convention,
    edit,
    mismatched,
    rows_of_probability,
    standard,
    uniform,
    wrong,
)

ZERO = "0 · log 0 is 0, its limit, but 0 times −∞ is nan; keep log q away from the entries where q is 0."

LESSON = Lesson(
    name="kl_divergence",
    title="The Kullback–Leibler divergence",
    source="Kullback, Leibler, On information and sufficiency (1951); Goodfellow et al. (2016), eq. 3.50",
    requires=("cross_entropy",),
    forbids=("kl_div",),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "logp[N,C] q[N,C] -> loss[]",
            wrt=("logp",),
            oracle=lambda logp, q: F.kl_div(logp, q, reduction="batchmean"),
            sizes=dict(N=5, C=3),
            draw=dict(logp=uniform(-5, -0.05), q=rows_of_probability()),
            bench=dict(N=455, C=10),
            probes=(
                at(N=4, C=7),
                at("rows that do not add up to 1", q=uniform(low=0.1, high=2.0)),
                convention(
                    "one-hot rows, and a class that never occurs",
                    Cause.NOT_FINITE,
                    ZERO,
                    logp=[[-0.5, -1.5, -2.0], [-1.0, -0.75, -3.0], [-0.25, -2.0, -4.0]],
                    q=[[0.0, 1.0, 0.0], [0.25, 0.75, 0.0], [1.0, 0.0, 0.0]],
                ),
                *mismatched("q", "C", "N,1"),
                *mismatched("logp", "1,C"),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("logp.shape != q.shape", "logp.dim() == 0", "broadcasts silently", Cause.SILENT_BROADCAST),
        edit("torch.xlogy(q, q)", "q * q.log()", "0 times log 0", Cause.NOT_FINITE),
        edit("torch.xlogy(q, q) - q * logp", "-q * logp", "entropy of q left out", Cause.FORWARD_WRONG),
        edit("-dout * q / len(q)", "-dout * q / q.numel()", "divided by the entries", Cause.CONSTANT_FACTOR),
        edit("-dout * q / len(q)", "-dout * q", "1/N missing", Cause.MISSING_BATCH_MEAN),
        edit("-dout * q", "dout * q", "sign", Cause.SIGN),
        wrong("p and q exchanged", Cause.FORWARD_WRONG),
        wrong("mean over entries, in both passes", Cause.CONSISTENT_WITH_WRONG_FORWARD),
    ),
    why="The divergence is linear in log p, with weight −q, so the gradient is −q / N and does not depend on log p at all.",
    hints=(
        "Only one of the two terms contains logp, and it is linear in it.",
        "log q is −∞ where q is 0. `torch.where` and masks help, and there is a function for x log y with this very limit.",
        "The sum runs over classes and rows, the division is by rows only; dout multiplies.",
    ),
)
### END SPEC
