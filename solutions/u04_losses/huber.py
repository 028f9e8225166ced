"""Huber loss
==========

Quadratic near the truth, so that it settles; linear far away, so that outliers do not take over. With
r = p − y and a threshold δ > 0:

    loss = 1/N Σ h(r)      h(r) = ½ r²             where |r| ≤ δ
                           h(r) = δ (|r| − ½ δ)    elsewhere

p and y have one shape with N entries; the loss is a 0-d tensor. The constant −½ δ² joins the two branches at
|r| = δ, and their slopes meet there too: one entry never pulls harder than δ/N, however far off it is.

Conventions: δ is the keyword `delta`, 1 by default. N counts entries. p and y must have one shape, else a
`ValueError` names both shapes.
"""

import torch


def huber_forward(p, y, *, delta=1.0):
    """Mean of h(p − y).  p, y of one shape → loss (), cache."""
    ### BEGIN SOLUTION
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    r = p - y
    h = torch.where(r.abs() <= delta, 0.5 * r**2, delta * (r.abs() - 0.5 * delta))
    return h.mean(), (r, delta)
    ### END SOLUTION


def huber_backward(dout, cache):
    """dout () → dp like p."""
    ### BEGIN SOLUTION
    r, delta = cache
    dh = torch.where(r.abs() <= delta, r, delta * r.sign())
    return dout * dh / r.numel()
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
    normal,
    refused,
    shaped,
    standard,
    uniform,
    wrong,
)

LESSON = Lesson(
    name="huber",
    title="The Huber loss",
    source="Huber, Robust estimation of a location parameter (1964); Hastie et al. (2009), eq. 10.23",
    requires=("mse", "mae"),
    forbids=("huber_loss", "smooth_l1_loss"),
    tasks=(
        Layer(
            "p[...] y[...] -> loss[]",
            wrt=("p",),
            oracle=lambda p, y, *, delta=1.0: F.huber_loss(p, y, delta=delta),
            sizes=dict(rest=(4, 3)),
            draw=dict(p=normal(scale=2)),
            bench=dict(rest=(455, 64)),
            probes=(
                at(delta=0.4, rest=(5, 2)),
                at("delta 2.5", delta=2.5, rest=(6, 3), p=normal(scale=3)),
                at("all near, delta 3", delta=3.0, p=uniform(), y=uniform()),
                at("all far", p=uniform(low=4, high=9), y=uniform()),
                at("all far below, delta 0.7", delta=0.7, p=uniform(), y=uniform(low=4, high=9)),
                at("one row, delta 0.8", delta=0.8, rest=(1, 7)),
                at("one axis", delta=1.3, rest=(9,)),
                at("three axes", delta=0.6, rest=(2, 3, 4)),
                edge("exactly at the joint", delta=0.5, p=[[1.5, -0.5, 0.0, 0.25]], y=[[1.0, 0.0, 0.0, 0.0]]),
                *mismatched("y", "3", "4,1"),
                refused(rest=(5, 1), y=shaped("5")),
                *mismatched("p", "1,3"),
                refused(rest=(5,), y=shaped("5,1")),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("p.shape != y.shape", "len(p) != len(y)", "broadcasts silently", Cause.SILENT_BROADCAST),
        edit("dout * dh", "dout * r", "never cut off", Cause.MASK_MISSING, by_fingerprint=UNSEEN_TERM),
        edit("dout * dh", "dout * r.clamp(-1, 1)", "delta always 1", Cause.MISSING_TERM),
        edit("r, delta * r.sign())", "r, delta)", "far branch without its sign", Cause.SIGN),
        edit("r, delta * r.sign())", "r, r.sign())", "far branch without delta", Cause.MISSING_TERM),
        edit(
            "r, delta * r.sign())",
            "delta * r.sign(), r)",
            "branches swapped",
            Cause.MASK_INVERTED,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("(r.abs() - 0.5 * delta)", "r.abs()", "constant of the far branch missing", Cause.FORWARD_WRONG),
        edit("dout * dh", "dout * 2 * dh", "the half forgotten, in the backward", Cause.CONSTANT_FACTOR),
        drop(" / r.numel()", "1/N missing", Cause.MISSING_BATCH_MEAN),
        wrong("smooth l1: divided by delta in both passes", Cause.CONSISTENT_WITH_WRONG_FORWARD),
    ),
    why="Inside δ the slope is the residual, outside it is held at ±δ: together, the residual clamped.",
    hints=(
        "Differentiate the two branches one after the other. What are their slopes just below and just above |r| = δ?",
        "The far branch goes up on both sides, so its slope must know the sign of r.",
        "Put together, the slope is r that is not allowed to leave [−δ, δ]: there is a tensor function for that.",
    ),
)
### END SPEC
