"""Mean absolute error
===================

Squares let one outlier outvote all other entries. The mean absolute error counts every distance as it is:

    loss = 1/N Σ |p − y|      p, y of one shape with N entries  →  a 0-d tensor

What |r| gains when r grows a little is the same for every r of one sign: the gradient knows only on which
side of the truth a prediction lies, never how far away.

Conventions: where p = y the absolute value has no slope; this course takes 0, the middle of all slopes that
touch it there. N counts entries. p and y must have one shape, else a `ValueError` names both shapes.
"""


def mae_forward(p, y):
    """Mean of |p − y|.  p, y of one shape → loss (), cache."""
    ### BEGIN SOLUTION
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    r = p - y
    return r.abs().mean(), r
    ### END SOLUTION


def mae_backward(dout, cache):
    """dout () → dp like p, 0 where p = y."""
    ### BEGIN SOLUTION
    r = cache
    return dout * r.sign() / r.numel()
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    Cause,
    Layer,
    Lesson,
    at,
    convention,
    distinct,
    drop,
    edge,
    edit,
    mismatched,
    refused,
    shaped,
    standard,
    wrong,
)

AT_ZERO = "|p − y| has no slope where p = y; the course takes 0 there, as torch does."

LESSON = Lesson(
    name="mae",
    title="Mean absolute error",
    source="Boyd, Vandenberghe, Convex Optimization (2004), section 6.1.1 (the l1-norm as a penalty)",
    requires=("mse",),
    forbids=("l1_loss",),
    minutes=10,
    points=5,
    tasks=(
        Layer(
            "p[...] y[...] -> loss[]",
            wrt=("p",),
            oracle=lambda p, y: F.l1_loss(p, y),
            sizes=dict(rest=(4, 3)),
            draw=dict(p=distinct(), y=distinct(gap=0.31)),
            bench=dict(rest=(455, 64)),
            probes=(
                at("a column", rest=(6, 1)),
                at("one axis", rest=(7,)),
                at("three axes", rest=(2, 3, 4)),
                edge("distances of 1e-6 and 1e6", p=[[1e-6, 1e6], [2.0, -3.0]], y=[[0.0, 0.0], [2.5, -3.5]]),
                edge("one entry", p=[0.25], y=[1.5]),
                convention(
                    "some predictions perfect", Cause.TIES, AT_ZERO, p=[[1.0, -2.0, 0.0]], y=[[1.0, 2.0, 0.0]]
                ),
                refused(rest=(5, 1), y=shaped("5")),
                refused(rest=(5,), y=shaped("5,1")),
                *mismatched("y", "3", "4,1"),
                *mismatched("p", "1,3"),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("p.shape != y.shape", "len(p) != len(y)", "broadcasts silently", Cause.SILENT_BROADCAST),
        edit("r.sign()", "((r >= 0) * 2 - 1)", "gradient 1 where p = y", Cause.TIES),
        edit("r.sign()", "(r / r.abs())", "0 / 0 where p = y", Cause.NOT_FINITE),
        edit("r = p - y", "r = y - p", "sign", Cause.SIGN),
        drop(" / r.numel()", "1/N missing", Cause.MISSING_BATCH_MEAN),
        edit("r.numel()", "len(r)", "divided by the rows only", Cause.CONSTANT_FACTOR),
        edit("r.abs().mean()", "(r**2).mean()", "gradient of the squares", Cause.FORWARD_WRONG),
        edit("r.sign()", "r", "sign forgotten", Cause.EXTRA_TERM),
        edit(
            "dout * r.sign()", "dout.sign() * r.sign()", "only the sign of dout", Cause.NONLINEAR_IN_UPSTREAM
        ),
        wrong("sum for mean, in both passes", Cause.CONSISTENT_WITH_WRONG_FORWARD),
    ),
    why="The slope of |p − y| is its sign, whatever the size of the error, so an outlier pulls no harder than any other sample. At 0 there is no slope, and this course takes 0.",
    hints=(
        "What is the slope of |r| to the right of 0, and to its left? Neither depends on how large r is.",
        "One tensor function returns 1, −1, and 0 exactly where the entry is 0.",
        "All N entries share the mean, and dout multiplies all of them.",
    ),
)
### END SPEC
