"""Sine chain
==========

One function inside another, entry by entry:

    u = x² + 1,    out = sin u      x of any shape  →  out of the same shape

The chain rule multiplies the slopes along the way, each taken where its own function was evaluated: that of
the sine at u, that of the square at x.

    ∂L/∂x = ∂L/∂out · ∂out/∂u · ∂u/∂x

(Some courses give the name to 2x · cos(x² + 1) itself; that forward with its own backward counts as well.)

This is all that back-propagation ever does: start from dout and multiply by one slope after the other, from
the last function to the first.
"""

import torch


def sine_chain_forward(x):
    """out = sin(x² + 1).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    u = x**2 + 1
    return torch.sin(u), (x, u)
    ### END SOLUTION


def sine_chain_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, u = cache
    du = dout * torch.cos(u)
    return du * 2 * x
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import (
    ELEMENTWISE,
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    at,
    edge,
    edit,
    normal,
    standard,
)

LESSON = Lesson(
    name="sine_chain",
    title="The chain rule",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.44 and 6.52 (the chain rule)",
    requires=("cubic",),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: torch.sin(torch.square(x) + 1),
            readings=(lambda x: 2 * x * torch.cos(x**2 + 1),),
            sizes=dict(rest=(3, 4)),
            probes=(
                *ELEMENTWISE,
                at("inputs of 2", x=normal(scale=2)),
                edge("zero and both signs", x=[[0.0, -0.5, 1.0], [3.0, -2.0, -0.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("du * 2 * x", "du", "inner slope forgotten", Cause.MISSING_TERM, by_fingerprint=UNSEEN_TERM),
        edit("dout * torch.cos(u)", "dout", "outer slope forgotten", Cause.MISSING_TERM),
        edit("torch.cos(u)", "torch.cos(x)", "cosine of x", Cause.WRONG_OPERAND),
        edit(
            "torch.cos(u)",
            "torch.cos(2 * x)",
            "cosine of the slope, 2x",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit(
            "torch.cos(u)",
            "torch.sin(u)",
            "sine not differentiated",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("torch.cos(u)", "-torch.cos(u)", "sine differentiated to −cosine", Cause.SIGN),
        edit("torch.cos(u)", "torch.cos(u - 1)", "the 1 forgotten inside the cosine", Cause.WRONG_OPERAND),
        edit("du * 2 * x", "du * x", "2 forgotten", Cause.CONSTANT_FACTOR),
        edit("return torch.sin(u)", "return torch.sin(x) ** 2 + 1", "sin²x + 1", Cause.FORWARD_WRONG),
    ),
    why="Slopes along a chain multiply: dout, then cos u, then 2x. Going backward, each step needs only the numbers of its own step forward.",
    hints=(
        "Give the inner function a name, u = x² + 1, and differentiate out with respect to u first.",
        "The slope of the sine is a cosine, and it is taken where the sine was taken: at u, not at x.",
        "du is dout times the slope of the sine; dx is du times the slope of the inner function.",
    ),
)
### END SPEC
