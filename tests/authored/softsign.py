"""Softsign
========

A squashing function without an exponential, entry by entry:

    out = x / (1 + |x|)      x of any shape  →  out of the same shape

Numerator and denominator both depend on x, and |x| has the slope 1 or −1. Differentiate the two cases
apart, and see that they are one.

Convention: at 0 the two slopes agree, so there is nothing to choose.
"""


def softsign_forward(x):
    """out = x / (1 + |x|).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = x / (1 + x.abs())
    return out, x
    ### END SOLUTION


def softsign_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x = cache
    return dout / (1 + x.abs()) ** 2
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import ELEMENTWISE, Cause, Layer, Lesson, edge, edit, standard, wrong

LESSON = Lesson(
    name="softsign",
    title="The softsign",
    source="Glorot and Bengio (2010), section 3.1",
    requires=(),
    forbids=("softsign",),
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: F.softsign(x),
            sizes=dict(rest=(5, 3)),
            bench=dict(rest=(256, 64)),
            probes=(
                *ELEMENTWISE,
                edge("zero and both signs", x=[[0.0, -0.5, 1.0], [3.0, -2.0, -0.0]]),
                edge("far out", x=[[1e3, -1e3, 0.5], [40.0, -40.0, 7.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit(" ** 2", "", "denominator not squared", Cause.MISSING_TERM),
        edit("return dout /", "return -dout /", "sign", Cause.SIGN),
        edit("x / (1 + x.abs())", "x / (1 + x)", "no absolute value", Cause.FORWARD_WRONG),
        wrong("return inside the loop", Cause.ROWS_MISSING),
    ),
    why="A step in x is divided by the square of 1 + |x|: far out the function is flat, and little comes back.",
    hints=(
        "For x > 0 out is x / (1 + x). What does the quotient rule give?",
        "For x < 0 the denominator is 1 − x. Compare the two slopes.",
        "Both are one divided by the square of the denominator.",
    ),
)
### END SPEC
