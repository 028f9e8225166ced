"""Softmax cross-entropy
=====================

Scores become probabilities by the softmax, and the loss is the surprise at the right class, averaged over the
rows. For scores s (N, C) and class indices y (N,):

    p[n, c] = e^s[n, c] / Σ_k e^s[n, k]      loss = −1/N Σ_n log p[n, y_n]      →  a 0-d tensor

Written as log Σ_k e^s[n, k] − s[n, y_n], a row's surprise has two parts: one that all of its scores share,
and one that the right score has alone. Added up, a row's gradients are 0.

Conventions: exact for scores of ±1000. e^1000 overflows, but the softmax does not change when a row's largest
score is subtracted from the row, and log p is then s minus the logarithm of a sum, never the logarithm of a
0. y holds integers and gets no gradient; y of another shape than (N,) raises a `ValueError` that names both
shapes.
"""

import torch


def cross_entropy_forward(scores, y):
    """Mean of −log softmax(scores)[y].  scores (N, C), y (N,) class indices → loss (), cache."""
    ### BEGIN SOLUTION
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)} need one class index a row, got y {tuple(y.shape)}")
    shifted = scores - scores.amax(1, keepdim=True)
    logp = shifted - shifted.exp().sum(1, keepdim=True).log()
    loss = -logp[torch.arange(len(y)), y].mean()
    return loss, (logp, y)
    ### END SOLUTION


def cross_entropy_backward(dout, cache):
    """dout () → dscores (N, C)."""
    ### BEGIN SOLUTION
    logp, y = cache
    dscores = logp.exp()
    dscores[torch.arange(len(y)), y] -= 1
    return dout * dscores / len(y)
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
    mismatched,
    stability,
    standard,
    wrong,
)

LARGE = "at scores of ±1000 the loss and its gradient are exact; subtract each row's largest score, and never take log 0."
THOUSANDS = [[1000.0, 0.0, -1000.0], [-1000.0, -1000.0, 0.5], [0.5, 0.25, -0.5]]


def torchs(scores, y):
    if scores.shape[1] == 1:
        raise ValueError("with one class there is nothing to tell apart, and every gradient is 0")
    return F.cross_entropy(scores, y)


LESSON = Lesson(
    name="cross_entropy",
    title="Softmax cross-entropy",
    source="Bishop, Pattern Recognition (2006), eq. 4.108 and 4.109; Goodfellow et al. (2016), eq. 6.30",
    requires=("log_softmax", "bce_with_logits"),
    forbids=("cross_entropy", "cross_entropy_loss", "nll_loss", "nll_loss_nd"),
    minutes=20,
    tasks=(
        Layer(
            "scores[N,C] y[N]<C -> loss[]",
            oracle=torchs,
            sizes=dict(N=6, C=4),
            bench=dict(N=455, C=10),
            probes=(
                at(N=3, C=7),
                at("two classes", C=2),
                edge("one class in every row, two absent", C=3, y=[2] * 7),
                edge("the last class absent", C=5, y=[0, 3, 0, 2]),
                edge("as many rows as classes", y=[3, 1, 1, 0]),
                edge("all scores equal", scores=[[0.5, 0.5, 0.5], [-1.0, -1.0, -1.0]], y=[0, 2]),
                stability("scores of ±1000, wrong", LARGE, scores=THOUSANDS, y=[2, 0, 1]),
                stability("scores of ±1000, right", LARGE, scores=THOUSANDS, y=[0, 2, 0]),
                stability(
                    "every score near −1000", LARGE, scores=[[-1000.0, -1001.0], [-1003.0, -999.0]], y=[1, 0]
                ),
                *mismatched("y", "N,1", "1", "4"),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("y.shape != scores.shape[:1]", "y.dim() != 1", "broadcasts silently", Cause.SILENT_BROADCAST),
        wrong("e^1000 overflows", Cause.UNSTABLE),
        edit("scores.amax(1, keepdim=True)", "scores.max()", "one maximum for all rows", Cause.UNSTABLE),
        drop("    dscores[torch.arange(len(y)), y] -= 1\n", "the right class forgotten", Cause.MISSING_TERM),
        edit(
            "torch.arange(len(y)), y] -=",
            ":, y] -=",
            "the right class subtracted from every row",
            Cause.MISSING_TERM,
        ),
        edit("logp.exp()", "torch.zeros_like(logp)", "only the right class", Cause.MISSING_TERM),
        edit("dout * dscores / len(y)", "dout * dscores", "1/N missing", Cause.MISSING_BATCH_MEAN),
        edit("dscores / len(y)", "dscores / logp.numel()", "mean over all entries", Cause.CONSTANT_FACTOR),
        edit(
            "dscores = logp.exp()",
            "dscores = logp.exp() / logp.exp().sum(0)",
            "softmax down the columns",
            Cause.WRONG_AXIS,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("logp.exp()", "logp.clone()", "log-probabilities for probabilities", Cause.WRONG_OPERAND),
        edit("dout * dscores / len(y)", "-dout * dscores / len(y)", "sign", Cause.SIGN),
        wrong("every row with every target", Cause.FORWARD_WRONG),
        wrong("the cache is overwritten", Cause.STALE_STATE),
        wrong("sum for mean, in both passes", Cause.CONSISTENT_WITH_WRONG_FORWARD),
    ),
    why="In every row the gradient is the softmax minus the one-hot target, what was predicted minus what was true, divided by N once. It sums to 0 in each row.",
    hints=(
        "Write −log p[n, y] as log Σ e^s − s[n, y]. What is the derivative of each part with respect to s[n, c]?",
        "The first part gives the softmax; the second touches one score a row. Which one?",
        "scores[torch.arange(N), y] is one entry of every row; scores[:, y] is a whole matrix.",
    ),
)
### END SPEC
