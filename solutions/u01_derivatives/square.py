"""Square
======

The smallest function worth differentiating, entry by entry:

    out = x²      x of any shape  →  out of the same shape

A lesson is a pair of functions. The forward pass computes out, and puts into the cache whatever the backward
pass will need. The backward pass is handed dout, the gradient ∂L/∂out of some loss L with respect to out: how
much L grows when an entry of out does. It returns the gradient with respect to x, by the chain rule:

    dx = ∂L/∂x = ∂L/∂out · ∂out/∂x

Where dout comes from is not its business, and it is hardly ever 1. What is left to find is the slope ∂out/∂x.

Convention, here and everywhere: neither x nor dout is changed in place, and results have the dtype of x.
"""


def square_forward(x):
    """out = x².  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = x * x
    return out, x
    ### END SOLUTION


def square_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x = cache
    return dout * 2 * x
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course import ELEMENTWISE, Cause, Layer, Lesson, edge, edit, standard, wrong

LESSON = Lesson(
    name="square",
    title="The square",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.44 (the chain rule)",
    forbids=("square", "square_"),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: torch.square(x),
            sizes=dict(rest=(3, 4)),
            probes=(
                *ELEMENTWISE,
                edge("zero and both signs", x=[[0.0, -0.5, 1.0], [3.0, -2.0, -0.0]]),
                edge("1e-6 and 1e3 together", x=[[1e-6, -1e-6, 1.5], [1e3, -1e3, -0.75]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("dout * 2 * x", "dout * x", "2 forgotten", Cause.CONSTANT_FACTOR),
        edit("return out, x", "return out, out", "the power not lowered", Cause.WRONG_OPERAND),
        edit("dout * 2 * x", "dout * 2", "x forgotten", Cause.MISSING_TERM),
        edit("dout * 2 * x", "-dout * 2 * x", "sign", Cause.SIGN),
        edit("dout * 2 * x", "dout * 2 * x.abs()", "the sign of x lost", Cause.SIGN),
        edit("dout * 2 * x", "dout * dout * 2 * x", "upstream squared as well", Cause.NONLINEAR_IN_UPSTREAM),
        edit("dout * 2 * x", "dout * (2 * x + 1e-6)", "a small term too much", Cause.UNKNOWN),
        edit("x * x", "x + x", "doubled instead of squared", Cause.FORWARD_WRONG),
        edit("x * x", "x.mul_(x)", "x overwritten", Cause.MUTATES_INPUT),
        edit("return dout * 2 * x", "dout *= 2 * x; return dout", "dout overwritten", Cause.MUTATES_INPUT),
        edit(
            "return dout * 2 * x",
            "return dout * (square_forward(x + 1e-4)[0] - square_forward(x - 1e-4)[0]) / 2e-4",
            "finite differences",
            Cause.NUMERIC_DIFFERENTIATION,
        ),
        wrong("return inside the loop", Cause.ROWS_MISSING),
    ),
    why="out changes by 2x times what x changes by, and the loss by dout times that. Every backward pass multiplies what comes from above by the local slope.",
    hints=(
        "Take one number first: if x grows from 3 to 3.001, by how much does x² grow, as a multiple of 0.001?",
        "That slope depends on x, so the backward pass needs x: the forward pass must put it into the cache.",
        "dx is the slope at x, entry by entry, times how much the loss cares about out, which is dout.",
    ),
)
### END SPEC
