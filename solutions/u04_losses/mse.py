"""Mean squared error
==================

How far is a prediction p from the truth y? The mean squared error averages the squares of all entries'
distances:

    loss = 1/N Σ (p − y)²      p, y of one shape with N entries  →  a 0-d tensor

Each entry of p stands in one term of the sum, and the mean takes that term N times smaller. p is the
prediction, so it alone gets a gradient.

Conventions: N counts entries, not rows: for p (4, 3) it is 12. p and y must have one shape. (N, 1) against
(N,) would broadcast to N × N pairs without a word, so it raises a `ValueError` that names both shapes.
"""


def mse_forward(p, y):
    """Mean of (p − y)².  p, y of one shape → loss (), cache."""
    ### BEGIN SOLUTION
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    return ((p - y) ** 2).mean(), (p, y)
    ### END SOLUTION


def mse_backward(dout, cache):
    """dout () → dp like p."""
    ### BEGIN SOLUTION
    p, y = cache
    return dout * 2 * (p - y) / p.numel()
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    Cause,
    Layer,
    Lesson,
    at,
    drop,
    edge,
    edit,
    mismatched,
    normal,
    refused,
    shaped,
    standard,
    wrong,
)

LESSON = Lesson(
    name="mse",
    title="Mean squared error",
    source="Goodfellow et al., Deep Learning (2016), eq. 5.4; Bishop (2006), eq. 1.2 (there a sum, halved)",
    requires=("linear",),
    forbids=("mse_loss",),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "p[...] y[...] -> loss[]",
            wrt=("p",),
            oracle=lambda p, y: F.mse_loss(p, y),
            sizes=dict(rest=(4, 3)),
            bench=dict(rest=(455, 64)),
            probes=(
                at("a column", rest=(6, 1)),
                at("one axis", rest=(7,)),
                at("three axes", rest=(2, 3, 4)),
                edge("some predictions perfect", p=[[1.0, -2.0], [0.5, 3.0]], y=[[1.0, 2.0], [0.5, -1.0]]),
                edge("one entry", p=[[0.25]], y=[[-1.5]]),
                at("far off", p=normal(scale=1000)),
                *mismatched("y", "3", "4,1"),
                *mismatched("p", "1,3"),
                refused(rest=(5, 1), y=shaped("5")),
                refused(rest=(5,), y=shaped("5,1")),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("p.shape != y.shape", "len(p) != len(y)", "broadcasts silently", Cause.SILENT_BROADCAST),
        edit("dout * 2 * ", "dout * ", "2 forgotten", Cause.CONSTANT_FACTOR),
        drop(" / p.numel()", "1/N missing", Cause.MISSING_BATCH_MEAN),
        edit("p.numel()", "len(p)", "divided by the rows only", Cause.CONSTANT_FACTOR),
        edit("2 * (p - y)", "2 * (y - p)", "sign", Cause.SIGN),
        edit("((p - y) ** 2).mean()", "(p - y).abs().mean()", "absolute for squared", Cause.FORWARD_WRONG),
        edit(".mean()", ".mean().sqrt()", "root of the mean", Cause.FORWARD_WRONG),
        wrong("sum for mean, in both passes", Cause.CONSISTENT_WITH_WRONG_FORWARD),
    ),
    why="The mean shares one loss among all N entries, so each gets 2 (p − y) / N; dout multiplies, because the loss may be a part of something larger.",
    hints=(
        "One entry of p occurs in one term of the sum only. What is the derivative of that term?",
        "The mean shares the loss among all entries. How many are there, and what does that do to each one's gradient?",
        "dout is one number: the loss may be a part of something larger, and the chain rule multiplies by it.",
    ),
)
### END SPEC
