"""Gelu by tanh
============

An approximation of gelu without erf, right to about three digits. Many transformers were trained with it, so
it has to be this very function that one differentiates, and not the exact one:

    u = √(2/π) (x + 0.044715 x³),    t = tanh u
    out = x/2 (1 + t)                                  x of any shape  →  out of the same shape

x reaches out on two paths: directly, and through u and t. The product rule adds them up; along the second
one the chain rule multiplies the slopes of x/2 (1 + t) in t, of tanh, and of a cubic.

Convention: exact at ±1000. Here you may use `torch.tanh`, which is.
"""

import math

import torch


def gelu_tanh_forward(x):
    """out = x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    t = torch.tanh(u)
    return x / 2 * (1 + t), (x, t)
    ### END SOLUTION


def gelu_tanh_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, t = cache
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return dout * ((1 + t) / 2 + x / 2 * (1 - t**2) * du)
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

LARGE = "at x = ±1000 the result is exactly 1000 and 0; a tanh by exponentials becomes inf / inf there."

LESSON = Lesson(
    name="gelu_tanh",
    title="Gelu by tanh",
    source="Hendrycks and Gimpel, Gaussian Error Linear Units (2016), section 2",
    requires=("gelu",),
    forbids=("gelu",),
    points=5,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: F.gelu(x, approximate="tanh"),
            sizes=dict(rest=(4, 5)),
            bench=dict(rest=(256, 256)),
            probes=(
                *ELEMENTWISE,
                *SMOOTH,
                edge("the tails", x=[[-0.75, -3.0, 3.0], [-5.0, 5.0, 1.0]]),
                stability("±1000", LARGE, x=[[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        wrong("tanh overflows", Cause.UNSTABLE),
        edit(" + x / 2 * (1 - t**2) * du", "", "the gate taken for a constant", Cause.MISSING_TERM),
        edit("(1 - t**2) * du", "(1 - t**2)", "slope of u forgotten", Cause.MISSING_TERM),
        edit("(1 - t**2) * du", "du", "slope of tanh forgotten", Cause.MISSING_TERM),
        edit("1 + 3 * 0.044715", "1 + 0.044715", "3 forgotten", Cause.CONSTANT_FACTOR),
        edit("(1 - t**2)", "(1 - t)", "tanh not squared", Cause.WRONG_OPERAND),
        wrong("slope of the exact gelu", Cause.WRONG_OPERAND, by_fingerprint=UNSEEN_TERM),
        edit("0.044715 * x**3", "0.044715 * x**2", "x² for x³", Cause.FORWARD_WRONG),
        edit("u = math.sqrt(2 / math.pi) * (", "u = (", "√(2/π) forgotten", Cause.FORWARD_WRONG),
        wrong("the exact gelu", Cause.CONSISTENT_WITH_WRONG_FORWARD),
    ),
    why="x times a gate that depends on x: the product rule gives two terms, and the chain rule gives the second one its inner slope.",
    hints=(
        "Name the steps u, t, out. Differentiate each with respect to the one before, then use the product rule on x/2 · (1 + t).",
        "tanh′ u = 1 − t², and u′ is the derivative of a cubic, as in unit 1.",
        "Two terms: one with the gate as it is, one with the gate's slope (1 − t²) u′ times x/2. dout multiplies both.",
    ),
)
### END SPEC
