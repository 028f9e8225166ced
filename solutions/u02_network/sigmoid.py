"""Sigmoid
=======

The logistic function turns any number into a probability, entry by entry:

    out = σ(x) = 1 / (1 + e^(−x))      x of any shape  →  out of the same shape

Differentiate it with the quotient rule, and look at what comes out: the slope needs nothing but out. So out
is all that the backward pass has to remember.

Convention: exact at ±1000. There e^1000 is more than a float holds and becomes inf. 1 / (1 + inf) is 0, which
is right, but the same function written e^x / (1 + e^x) becomes inf / inf, which is not a number.
"""

import torch


def sigmoid_forward(x):
    """out = 1 / (1 + e^(−x)).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = 1 / (1 + torch.exp(-x))
    return out, out
    ### END SOLUTION


def sigmoid_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    out = cache
    return dout * out * (1 - out)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import (
    ELEMENTWISE,
    SMOOTH,
    Cause,
    Layer,
    Lesson,
    at,
    drop,
    edge,
    edit,
    normal,
    stability,
    standard,
)

LARGE = (
    "at x = ±1000 the sigmoid is exactly 1 and 0 with gradient 0; write it so that inf / inf cannot occur."
)

LESSON = Lesson(
    name="sigmoid",
    title="The sigmoid",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 3.30 and 3.34",
    requires=("relu",),
    forbids=("sigmoid", "sigmoid_", "expit", "logsigmoid", "log_sigmoid"),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: torch.sigmoid(x),
            sizes=dict(rest=(4, 5)),
            bench=dict(rest=(455, 64)),
            probes=(
                *ELEMENTWISE,
                at("inputs of 3", x=normal(scale=3)),
                *SMOOTH,
                edge("±8", x=[[8.0, -8.0, 1.0], [-6.0, 6.0, -1.0]]),
                stability("±1000", LARGE, x=[[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("1 / (1 + torch.exp(-x))", "torch.exp(x) / (1 + torch.exp(x))", "overflows", Cause.UNSTABLE),
        edit("return out, out", "return out, x", "slope from x", Cause.WRONG_OPERAND),
        drop(" * (1 - out)", "1 − out forgotten", Cause.MISSING_TERM),
        edit("(1 - out)", "(out - 1)", "sign of the slope", Cause.SIGN),
        edit("torch.exp(-x)", "torch.exp(x)", "e^x for e^(−x)", Cause.SIGN),
        edit(
            "return dout * out * (1 - out)",
            "dout *= out * (1 - out); return dout",
            "dout overwritten",
            Cause.MUTATES_INPUT,
        ),
    ),
    hints=(
        "Differentiate 1 / (1 + e^(−x)) with the quotient rule before you look for a shorter form.",
        "e^(−x) / (1 + e^(−x))² is a product of two factors that you know: one of them is out. What is the other?",
        "Keep out in the cache. dx is dout times out times what out lacks to 1.",
    ),
)
### END SPEC
