"""Leaky relu
==========

A relu that never quite switches off, so that a unit which is off still learns:

    out = x          where x > 0
    out = slope · x  elsewhere       x of any shape  →  out of the same shape,  0 ≤ slope < 1

Two half-lines that meet at 0: each entry of dout passes as its x did. `slope` is a hyperparameter, and
whatever value the forward pass was given, the backward pass must use.

Convention: at x = 0 the left branch counts: the derivative there is slope, as in torch.
"""

import torch


def leaky_relu_forward(x, *, slope=0.01):
    """out = x where x > 0, else slope · x.  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = torch.where(x > 0, x, slope * x)
    return out, (x, slope)
    ### END SOLUTION


def leaky_relu_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, slope = cache
    return torch.where(x > 0, dout, slope * dout)
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    ELEMENTWISE,
    Cause,
    Layer,
    Lesson,
    at,
    away_from_zero,
    convention,
    edge,
    edit,
    standard,
)

AT_ZERO = "leaky relu has two slopes at 0; the course takes the left one, as torch does, so use x > 0 and not x >= 0."

LESSON = Lesson(
    name="leaky_relu",
    title="The leaky relu",
    source="Maas, Hannun, Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013), eq. 2",
    requires=("relu",),
    forbids=("leaky_relu", "prelu", "rrelu"),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x, *, slope=0.01: F.leaky_relu(x, slope),
            sizes=dict(rest=(4, 5)),
            draw=dict(x=away_from_zero()),
            bench=dict(rest=(256, 256)),
            probes=(
                *ELEMENTWISE,
                at(slope=0.25, rest=(3, 5)),
                at(slope=0.75, rest=(2, 3, 4)),
                at("slope 0, a relu", slope=0.0),
                edge("every unit off", slope=0.0625, x=[[-1.0, -2.0, -0.5], [-3.0, -0.25, -4.0]]),
                edge("inputs of 1e-8 and 1e8", x=[[1e-8, -1e-8, 1e8], [-1e8, 2.0, -2.0]]),
                convention(
                    "exactly zero", Cause.TIES, AT_ZERO, slope=0.25, x=[[0.0, -1.5, 2.0], [1.0, 0.0, -0.0]]
                ),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("torch.where(x > 0, dout", "torch.where(x >= 0, dout", "the right branch at zero", Cause.TIES),
        edit("slope * dout", "0 * dout", "an ordinary relu backwards", Cause.MISSING_TERM),
        edit("slope * ", "0.01 * ", "slope fixed at 0.01", Cause.CONSISTENT_WITH_WRONG_FORWARD),
        edit("slope * dout", "0.01 * dout", "slope fixed at 0.01 in the backward", Cause.WRONG_OPERAND),
        edit("slope * dout", "slope * x * dout", "slope of the input on the left", Cause.EXTRA_TERM),
        edit(
            "torch.where(x > 0, dout",
            "torch.where(x < 0, dout",
            "mask the wrong way round",
            Cause.MASK_INVERTED,
        ),
        edit(
            "torch.where(x > 0, dout",
            "torch.where(dout > 0, dout",
            "mask from dout",
            Cause.NONLINEAR_IN_UPSTREAM,
        ),
        edit(
            "torch.where(x > 0, dout, slope * dout)",
            "dout.clone()",
            "leak forgotten backwards",
            Cause.MISSING_TERM,
        ),
        edit(
            "return torch.where(x > 0, dout, slope * dout)",
            "dout[x <= 0] *= slope; return dout",
            "dout overwritten",
            Cause.MUTATES_INPUT,
        ),
        edit("slope * x)", "slope * x.abs())", "the sign of the leak", Cause.SIGN),
    ),
    why="Each piece is a straight line, so the gradient is its slope: 1 on the right, and a little on the left, so that no unit stops learning for good.",
    hints=(
        "Draw the function: two half-lines that meet at 0. What is the slope of each?",
        "The slope is a hyperparameter: whatever value the forward pass was given, the backward pass must use, so it belongs into the cache.",
        "torch.where(condition, a, b) takes entries of a where the condition holds and of b elsewhere. Which array of slopes do both passes multiply by?",
    ),
)
### END SPEC
