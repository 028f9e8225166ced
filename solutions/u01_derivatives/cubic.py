"""Cubic
=====

A sum of two terms, entry by entry:

    out = x³ + 4x      x of any shape  →  out of the same shape

Derivatives add up: each term has a slope of its own, and by the chain rule dout multiplies the sum of both.
"""


def cubic_forward(x):
    """out = x³ + 4x.  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = x**3 + 4 * x
    return out, x
    ### END SOLUTION


def cubic_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x = cache
    return dout * (3 * x**2 + 4)
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course import ELEMENTWISE, UNSEEN_TERM, Cause, Layer, Lesson, edge, edit, standard, wrong

LESSON = Lesson(
    name="cubic",
    title="A cubic",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.44 (the chain rule)",
    requires=("square",),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: torch.pow(x, 3) + torch.mul(x, 4),
            sizes=dict(rest=(3, 4)),
            probes=(
                *ELEMENTWISE,
                edge("zero and both signs", x=[[0.0, -0.5, 1.0], [3.0, -2.0, -0.0]]),
                edge("1e-3 and 1e3 together", x=[[1e-3, -1e-3, 1.5], [1e3, -1e3, -0.75]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit(
            "3 * x**2 + 4",
            "3 * x**2",
            "slope of 4x forgotten",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("3 * x**2 + 4", "x**2 + 4", "3 forgotten", Cause.MISSING_TERM),
        edit("3 * x**2 + 4", "3 * x**3 + 4", "the power not lowered", Cause.WRONG_OPERAND),
        edit(
            "3 * x**2 + 4",
            "3 * x**2 + 4 * x",
            "4x differentiated to 4x",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit(
            "dout * (3 * x**2 + 4)",
            "dout * 3 * x**2 + 4",
            "upstream on one term only",
            Cause.NONLINEAR_IN_UPSTREAM,
        ),
        edit("x**3 + 4 * x", "x**3 + 4", "4 for 4x", Cause.FORWARD_WRONG),
        wrong("4x forgotten in both passes", Cause.CONSISTENT_WITH_WRONG_FORWARD),
    ),
    why="The slope of a sum is the sum of the slopes, 3x² + 4, and dout multiplies all of it: it is the answer of the loss to out as a whole.",
    hints=(
        "Differentiate x³ alone, then 4x alone. The slope of a sum is the sum of the slopes.",
        "One of the two slopes depends on x and the other does not: try your formula at x = 0, where out is close to 4x.",
        "dout multiplies the whole sum, so it needs parentheses.",
    ),
)
### END SPEC
