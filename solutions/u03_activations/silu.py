"""Silu
====

A number gated by its own sigmoid, also called swish, entry by entry:

    out = x σ(x),    σ(x) = 1 / (1 + e^(−x))      x of any shape  →  out of the same shape

Unlike relu it is smooth, and it dips below 0 before it comes back. x occurs in both factors, so the product
rule gives two terms; the slope of σ is the one from your sigmoid lesson.

Convention: exact at ±1000. Here you may use `torch.sigmoid`, which is.
"""

import torch


def silu_forward(x):
    """out = x σ(x).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    s = torch.sigmoid(x)
    return x * s, (x, s)
    ### END SOLUTION


def silu_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, s = cache
    return dout * (s + x * s * (1 - s))
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    ELEMENTWISE,
    SMOOTH,
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    edge,
    edit,
    stability,
    standard,
    wrong,
)

LARGE = (
    "at x = ±1000 silu is exactly 1000 and 0 with slopes 1 and 0; e^x / (1 + e^x) becomes inf / inf there."
)

LESSON = Lesson(
    name="silu",
    title="Silu, or swish",
    source="Elfwing, Uchibe, Doya (2018), eq. 7 and 8; Ramachandran, Zoph, Le, Searching for Activation Functions (2017)",
    requires=("sigmoid",),
    forbids=("silu", "hardswish"),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: F.silu(x),
            sizes=dict(rest=(4, 5)),
            bench=dict(rest=(256, 256)),
            probes=(
                *ELEMENTWISE,
                *SMOOTH,
                edge(
                    "the least value, −1.28, and the tails", x=[[-1.2784645, -5.0, 5.0], [-20.0, 20.0, 1.0]]
                ),
                stability("±1000", LARGE, x=[[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        wrong("overflows", Cause.UNSTABLE),
        edit("s + x * s * (1 - s)", "s", "the gate taken for a constant", Cause.MISSING_TERM),
        edit("s + x * s * (1 - s)", "x * s * (1 - s)", "only the slope of the gate", Cause.MISSING_TERM),
        edit(
            "s + x * s * (1 - s)",
            "s * (1 - s)",
            "slope of the sigmoid alone",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("x * s * (1 - s)", "s * (1 - s)", "x forgotten in the second term", Cause.MISSING_TERM),
        edit("x * s * (1 - s)", "x * s * (s - 1)", "sign of the second term", Cause.SIGN),
        edit("(1 - s)", "(1 - x)", "1 − x for 1 − σ", Cause.WRONG_OPERAND),
        edit(
            "dout * (s + x * s * (1 - s))",
            "dout * s + x * s * (1 - s)",
            "upstream on one term only",
            Cause.NONLINEAR_IN_UPSTREAM,
        ),
        edit("return x * s,", "return s,", "the sigmoid alone", Cause.FORWARD_WRONG),
        edit("torch.sigmoid(x)", "torch.sigmoid(-x)", "gated by σ(−x)", Cause.FORWARD_WRONG),
    ),
    why="x σ(x) is a product: the gate passes the gradient on, and x times the gate's slope adds what moving the gate does.",
    hints=(
        "out is a product of x and σ(x), and both depend on x: which rule differentiates a product?",
        "You have differentiated the sigmoid before: its slope is made of its value alone.",
        "Two terms: the gate times the slope of x, and x times the slope of the gate. dout multiplies both.",
    ),
)
### END SPEC
