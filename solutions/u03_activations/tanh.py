"""Tanh
====

The hyperbolic tangent squeezes any number into (−1, 1), entry by entry:

    out = tanh x = (e^x − e^(−x)) / (e^x + e^(−x))      x of any shape  →  out of the same shape

It is an odd function, and a sigmoid in disguise: tanh x = 2σ(2x) − 1. Like the sigmoid's, its slope can be
told from its value alone, so out is all that the backward pass has to remember. Differentiate the fraction
by the quotient rule, and look for out in what you get.

Convention: exact at ±1000. There e^1000 overflows, and inf / inf is not a number. Divide both terms of the
fraction by the larger power of e before you compute them: only e^(−2|x|) is left, which cannot overflow.
"""

import torch


def tanh_forward(x):
    """out = tanh x.  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    decay = torch.exp(-2 * x.abs())
    out = x.sign() * (1 - decay) / (1 + decay)
    return out, out
    ### END SOLUTION


def tanh_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    out = cache
    return dout * (1 - out**2)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import ELEMENTWISE, SMOOTH, Cause, Layer, Lesson, edit, stability, standard, wrong

LARGE = "at x = ±1000 tanh is exactly 1 and −1 with gradient 0; write it so that inf / inf cannot occur."

LESSON = Lesson(
    name="tanh",
    title="The hyperbolic tangent",
    source="Goodfellow et al., Deep Learning (2016), section 6.3.2; Abramowitz, Stegun (1964), eq. 4.5.73",
    requires=("sigmoid",),
    forbids=("tanh",),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: torch.tanh(x),
            sizes=dict(rest=(4, 5)),
            bench=dict(rest=(256, 256)),
            probes=(
                *ELEMENTWISE,
                *SMOOTH,
                stability("±1000", LARGE, x=[[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        wrong("overflows", Cause.UNSTABLE),
        edit("return out, out", "return out, x", "slope from x", Cause.WRONG_OPERAND),
        edit("1 - out**2", "1 - out", "not squared", Cause.WRONG_OPERAND),
        edit("dout * (1 - out**2)", "dout * out * (1 - out)", "slope of the sigmoid", Cause.WRONG_OPERAND),
        edit(
            "dout * (1 - out**2)", "dout - out**2", "upstream on one term only", Cause.NONLINEAR_IN_UPSTREAM
        ),
        edit("1 - out**2", "out**2 - 1", "sign of the slope", Cause.SIGN),
        edit("-2 * x.abs()", "-x.abs()", "2 forgotten in the exponent", Cause.FORWARD_WRONG),
        edit("x.sign() * (1 - decay)", "(1 - decay)", "even instead of odd", Cause.SIGN),
        edit(
            "return dout * (1 - out**2)",
            "dout *= 1 - out**2; return dout",
            "dout overwritten",
            Cause.MUTATES_INPUT,
        ),
    ),
    why="tanh′ = 1 − tanh² can be read off the output: steepest at 0, flat where it saturates. x and −x are mirror images, so one half that is stable is enough.",
    hints=(
        "With s = e^x − e^(−x) and c = e^x + e^(−x): what are s′ and c′? Then use the quotient rule on s / c.",
        "The quotient rule gives (c² − s²) / c². Split the fraction, and out appears in it.",
        "For the forward pass treat x ≥ 0 first: multiply both terms by e^(−x). Then use that tanh is odd.",
    ),
)
### END SPEC
