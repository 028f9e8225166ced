"""Square
======

The smallest function worth differentiating, entry by entry:

    out = x²      x of any shape  →  out of the same shape

A lesson is a pair of functions. The forward pass computes out, and puts into the cache whatever the backward pass will need. The backward
pass is handed dout, the gradient ∂L/∂out of some loss L with respect to out: how much L grows when an entry of out does. It returns the
gradient with respect to x, by the chain rule:

    dx = ∂L/∂x = ∂L/∂out · ∂out/∂x = dout · 2x

Where dout comes from is not its business, and it is hardly ever 1.

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

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x):
    return torch.square(x)


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    return torch.tensor([value**2 for value in values], dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    pairs = zip(dout.reshape(-1).tolist(), cache, strict=True)
    return torch.tensor([2 * value * slope for slope, value in pairs], dtype=dout.dtype).reshape(dout.shape)


def _closure_forward(x):
    return torch.pow(x, 2), lambda dout: torch.einsum("...,...->...", dout, x + x)


def _closure_backward(dout, cache):
    return cache(dout)


def _product_rule_forward(x):
    left, right = x.clone(), x.clone()
    return left.mul(right), {"left": left, "right": right}


def _product_rule_backward(dout, cache):
    dx = torch.zeros_like(dout)
    dx += dout * cache["right"]
    dx += dout * cache["left"]
    return (dx,)


def _early_backward(dout, cache):
    dx = torch.zeros_like(cache)
    for row in range(len(cache)):
        dx[row] = dout[row] * 2 * cache[row]
        if row == 0:
            break
    return dx


LESSON = Lesson(
    name="square",
    title="The square",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.44 (the chain rule)",
    forbids=("square", "square_"),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "square",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("3 rows, 4 columns", x=normal(3, 4)),
                probe("batch of one", x=normal(1, 6)),
                probe("one axis", x=normal(5)),
                probe("three axes", x=normal(2, 3, 4)),
                probe("non-contiguous", x=transposed(normal(5, 3))),
                probe("zero and both signs", x=literal([[0.0, -0.5, 1.0], [3.0, -2.0, -0.0]])),
                probe("1e-6 and 1e3 together", x=literal([[1e-6, -1e-6, 1.5], [1e3, -1e3, -0.75]])),
            ),
        ),
    ),
    mistakes=(
        mistake("2 forgotten", "constant_factor", "dout * 2 * x", "dout * x"),
        mistake("upstream ignored", "ignores_upstream", "dout * 2 * x", "2 * x"),
        mistake("the power not lowered", "wrong_operand", "return out, x", "return out, out"),
        mistake("x forgotten", "missing_term", "dout * 2 * x", "dout * 2"),
        mistake("sign", "sign", "dout * 2 * x", "-dout * 2 * x"),
        mistake("the sign of x lost", "sign", "dout * 2 * x", "dout * 2 * x.abs()"),
        mistake("upstream squared as well", "nonlinear_in_upstream", "dout * 2 * x", "dout * dout * 2 * x"),
        mistake(
            "finite differences",
            "numeric_differentiation",
            "return dout * 2 * x",
            "return dout * (square_forward(x + 1e-4)[0] - square_forward(x - 1e-4)[0]) / 2e-4",
        ),
        mistake("a small term too much", "unknown", "dout * 2 * x", "dout * (2 * x + 1e-6)"),
        mistake("return inside the loop", "rows_missing", square_backward=_early_backward),
        mistake("doubled instead of squared", "forward_wrong", "x * x", "x + x"),
        mistake("x overwritten", "mutates_input", "x * x", "x.mul_(x)"),
        mistake("dout overwritten", "mutates_input", "return dout * 2 * x", "dout *= 2 * x; return dout"),
    ),
    variants=(
        variant("python numbers", square_forward=_loops_forward, square_backward=_loops_backward),
        variant("einsum, a closure as cache", square_forward=_closure_forward, square_backward=_closure_backward),
        variant("the product rule, in two steps", square_forward=_product_rule_forward, square_backward=_product_rule_backward),
    ),
    hints=(
        "Take one number first: if x grows from 3 to 3.001, by how much does x² grow, as a multiple of 0.001?",
        "That slope depends on x, so the backward pass needs x: the forward pass must put it into the cache.",
        "dx is the slope at x, entry by entry, times how much the loss cares about out, which is dout.",
    ),
)
### END SPEC
