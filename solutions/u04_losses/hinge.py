"""Multiclass hinge loss
=====================

The support vector machine's loss: the score of the right class should beat every other score by a margin of
1, and what is missing is paid for. For scores s (N, C) and the class indices y (N,):

    loss = 1/N Σ_n Σ_{c ≠ y_n} max(0, m_nc)      m_nc = s[n, c] − s[n, y_n] + 1      →  a 0-d tensor

A term is there where its margin is broken, m > 0, and then it contains two scores: that of a wrong class and
that of the right one. The right score of a row occurs in the terms of all its wrong classes.

Conventions: the sum runs over the wrong classes only, the mean over the N rows only (not over classes). A
margin m of exactly 0 has gradient 0. y holds integers and gets no gradient; y of another shape than (N,)
raises a `ValueError` that names both shapes.
"""

import torch


def hinge_forward(scores, y):
    """Mean over rows of Σ max(0, s_c − s_y + 1).  scores (N, C), y (N,) class indices → loss (), cache."""
    ### BEGIN SOLUTION
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)} need one class index a row, got y {tuple(y.shape)}")
    rows = torch.arange(len(y))
    margins = (scores - scores[rows, y][:, None] + 1).clamp(min=0)
    margins[rows, y] = 0
    return margins.sum() / len(y), (margins, y)
    ### END SOLUTION


def hinge_backward(dout, cache):
    """dout () → dscores (N, C)."""
    ### BEGIN SOLUTION
    margins, y = cache
    dscores = (margins > 0) * dout / len(y)
    dscores[torch.arange(len(y)), y] = -dscores.sum(1)
    return dscores
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    at,
    convention,
    drop,
    edge,
    edit,
    mismatched,
    normal,
    standard,
    wrong,
)

AT_ZERO = "max(0, m) has no slope at m = 0; the course takes 0 there, so count a class only where m > 0."

LESSON = Lesson(
    name="hinge",
    title="The multiclass hinge loss",
    source="Weston, Watkins, Support vector machines for multi-class pattern recognition (1999)",
    requires=("linear", "relu"),
    forbids=("multi_margin_loss", "multilabel_margin_loss", "hinge_embedding_loss"),
    tasks=(
        Layer(
            "scores[N,C] y[N]<C -> loss[]",
            oracle=lambda scores, y: F.multi_margin_loss(scores, y) * scores.shape[1],
            sizes=dict(N=6, C=4),
            draw=dict(scores=normal(scale=1.5)),
            bench=dict(N=455, C=10),
            probes=(
                at("two classes", C=2),
                at(N=3, C=7),
                edge("the last class absent", C=5, y=[0, 3, 0, 2]),
                edge("one class in every row, two absent", C=3, y=[2] * 7),
                edge("every margin kept", scores=[[5.0, 1.0, 2.0], [0.0, -3.0, 4.0]], y=[0, 2]),
                edge("every margin broken", scores=[[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], y=[0, 3]),
                edge("margins of 1/2048", scores=[[1, 2**-11, 4], [0.5, -3, 1.5 - 2**-11]], y=[0, 2]),
                edge("scores of 1000", scores=[[1000.0, -1000.0, 0.5], [-1000.0, 1000.0, 999.75]], y=[1, 1]),
                convention(
                    "margins of exactly 0",
                    Cause.TIES,
                    AT_ZERO,
                    scores=[[1, 0, -1, 0.5], [2, 3, 2, 2]],
                    y=[0, 1],
                ),
                *mismatched("y", "N,1", "1", "4"),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("y.shape != scores.shape[:1]", "y.dim() != 1", "broadcasts silently", Cause.SILENT_BROADCAST),
        drop(
            "    dscores[torch.arange(len(y)), y] = -dscores.sum(1)\n",
            "the right class is never pulled up",
            Cause.MISSING_TERM,
        ),
        edit(
            "-dscores.sum(1)",
            "(dscores.sum(1) != 0) * -dout / len(y)",
            "the right class is pulled up once only",
            Cause.OVERWRITTEN,
            by_fingerprint=UNSEEN_TERM,
        ),
        drop("    margins[rows, y] = 0\n", "the right class counts itself", Cause.FORWARD_WRONG),
        wrong("margin of exactly 0 pushed", Cause.TIES),
        edit(
            "(margins > 0)",
            "(margins >= 0)",
            "every clamped margin pushed",
            Cause.MASK_MISSING,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("[:, None] + 1)", "[:, None])", "margin left out", Cause.FORWARD_WRONG),
        edit("* dout / len(y)", "* dout", "1/N missing", Cause.MISSING_BATCH_MEAN),
        edit(
            "* dout / len(y)", "* dout / margins.numel()", "mean over classes as well", Cause.CONSTANT_FACTOR
        ),
        edit(
            "(margins > 0)",
            "margins",
            "scaled by the margin",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("* dout / len(y)", "* -dout / len(y)", "sign", Cause.SIGN),
        wrong("only the worst class", Cause.CONSISTENT_WITH_WRONG_FORWARD),
        wrong("mean over classes, in both passes", Cause.CONSISTENT_WITH_WRONG_FORWARD),
    ),
    why="Every broken margin pushes its own class down and the right class up by one, so the right class gets minus their number. Margins that are kept do nothing.",
    hints=(
        "Take one row and one wrong class. Which two scores does its term contain, and with which signs?",
        "The score of the right class occurs in the term of every wrong class. How many of those terms are not 0?",
        "Build a mask of the broken margins; the entry of the right class is minus the number of ones in its row.",
    ),
)
### END SPEC
