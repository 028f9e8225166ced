"""Relu
====

The rectified linear unit keeps what is positive and silences the rest, entry by entry:

    out = max(x, 0)      x of any shape  →  out of the same shape

Each output depends on one input only, with slope 1 where x > 0 and 0 where x < 0. The gradient dout of the
loss with respect to out therefore passes where the unit was on, and stops where it was off.

Convention: at x = 0 there is no slope. This course takes relu'(0) = 0, as torch does. Neither x nor dout is
changed in place.
"""


def relu_forward(x):
    """out = max(x, 0).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = x.clamp(min=0)
    return out, x
    ### END SOLUTION


def relu_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x = cache
    return dout * (x > 0)
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    ELEMENTWISE,
    Cause,
    Layer,
    Lesson,
    away_from_zero,
    convention,
    edge,
    edit,
    standard,
    wrong,
)

AT_ZERO = "relu has no slope at 0; the course takes relu'(0) = 0, as torch does: x > 0 and not x >= 0."

LESSON = Lesson(
    name="relu",
    title="The rectified linear unit",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.3.1; Nair and Hinton (2010)",
    requires=("linear",),
    forbids=("relu", "relu_", "threshold", "threshold_"),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: F.relu(x),
            sizes=dict(rest=(4, 5)),
            draw=dict(x=away_from_zero()),
            bench=dict(rest=(455, 64)),
            probes=(
                *ELEMENTWISE,
                edge("every unit on", x=[[1.0, 2.0, 0.5], [3.0, 0.25, 4.0]]),
                edge("every unit off", x=[[-1.0, -2.0, -0.5], [-3.0, -0.25, -4.0]]),
                edge("inputs of 1e-8 and 1e8", x=[[1e-8, -1e-8, 1e8], [-1e8, 2.0, -2.0]]),
                convention("exactly zero", Cause.TIES, AT_ZERO, x=[[0.0, -1.5, 2.0], [1.0, 0.0, -0.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("(x > 0)", "(x >= 0)", "gradient 1 at zero", Cause.TIES),
        edit("dout * (x > 0)", "dout.clone()", "mask forgotten", Cause.MASK_MISSING),
        edit("(x > 0)", "(x <= 0)", "mask the wrong way round", Cause.MASK_INVERTED),
        edit("(x > 0)", "(dout > 0)", "mask from dout", Cause.NONLINEAR_IN_UPSTREAM),
        edit(
            "return dout * (x > 0)", "dout[x <= 0] = 0; return dout", "dout overwritten", Cause.MUTATES_INPUT
        ),
        edit(
            "x.clamp(min=0)", "x.clone().clamp_(min=0); x.clamp_(min=0)", "x overwritten", Cause.MUTATES_INPUT
        ),
        wrong("keeps the magnitude", Cause.MASK_MISSING),
    ),
    why="Where x > 0, out moves with x and the gradient passes unchanged; elsewhere out stays at 0 whatever x does, and nothing passes.",
    hints=(
        "Every entry stands alone: what is the slope of max(x, 0) to the right of 0, and to its left?",
        "The slope depends on x, not on dout, so the forward pass must put x (or where it was positive) into the cache.",
        "Multiply dout by a mask that is 1 where x > 0 and 0 elsewhere; a comparison gives you that mask.",
    ),
)
### END SPEC
