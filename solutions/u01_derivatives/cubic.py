"""Cubic
=====

A sum of two terms, entry by entry:

    out = x³ + 4x      x of any shape  →  out of the same shape

Derivatives add up: each term has its own slope, and dout multiplies their sum, by the chain rule:

    dx = dout (3x² + 4)
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

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x):
    return torch.pow(x, 3) + torch.mul(x, 4)


def _loops_forward(x):
    values = [float(value) for value in x.flatten()]
    return torch.tensor([value * (value * value + 4) for value in values], dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    dx = dout.clone().flatten()
    for position, value in enumerate(cache):
        dx[position] *= 4 + 3 * value * value
    return dx.reshape(dout.shape)


def _terms_forward(x):
    squared = x * x
    return squared * x + x + x + x + x, (x, squared)


def _terms_backward(dout, cache):
    x, squared = cache
    through_cube = dout * squared + dout * x * x + dout * squared
    return [through_cube + 4 * dout]


def _polynomial_forward(x):
    coefficients = torch.tensor([0.0, 4.0, 0.0, 1.0], dtype=x.dtype)
    powers = x[..., None] ** torch.arange(4)

    def backward(dout):
        slopes = (coefficients * torch.arange(4))[1:]
        return torch.einsum("...,...k,k->...", dout, powers[..., :-1], slopes)

    return powers @ coefficients, backward


def _polynomial_backward(dout, cache):
    return cache(dout)


def _no_linear_term_forward(x):
    return x**3, x


def _no_linear_term_backward(dout, cache):
    return dout * 3 * cache**2


LESSON = Lesson(
    name="cubic",
    title="A cubic",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.44 (the chain rule)",
    requires=("square",),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "cubic",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("3 rows, 4 columns", x=normal(3, 4)),
                probe("batch of one", x=normal(1, 6)),
                probe("one axis", x=normal(5)),
                probe("three axes", x=normal(2, 3, 4)),
                probe("non-contiguous", x=transposed(normal(5, 3))),
                probe("zero and both signs", x=literal([[0.0, -0.5, 1.0], [3.0, -2.0, -0.0]])),
                probe("1e-3 and 1e3 together", x=literal([[1e-3, -1e-3, 1.5], [1e3, -1e3, -0.75]])),
            ),
        ),
    ),
    mistakes=(
        mistake(
            "slope of 4x forgotten",
            "missing_term",
            "3 * x**2 + 4",
            "3 * x**2",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("3 forgotten", "missing_term", "3 * x**2 + 4", "x**2 + 4"),
        mistake("the power not lowered", "wrong_operand", "3 * x**2 + 4", "3 * x**3 + 4"),
        mistake(
            "4x differentiated to 4x",
            "wrong_operand",
            "3 * x**2 + 4",
            "3 * x**2 + 4 * x",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("upstream ignored", "ignores_upstream", "dout * (3 * x**2 + 4)", "3 * x**2 + 4"),
        mistake("upstream on one term only", "nonlinear_in_upstream", "dout * (3 * x**2 + 4)", "dout * 3 * x**2 + 4"),
        mistake("4 for 4x", "forward_wrong", "x**3 + 4 * x", "x**3 + 4"),
        mistake(
            "4x forgotten in both passes",
            "consistent_with_wrong_forward",
            cubic_forward=_no_linear_term_forward,
            cubic_backward=_no_linear_term_backward,
        ),
    ),
    variants=(
        variant("python numbers", cubic_forward=_loops_forward, cubic_backward=_loops_backward),
        variant("products only", cubic_forward=_terms_forward, cubic_backward=_terms_backward),
        variant("any polynomial, a closure as cache", cubic_forward=_polynomial_forward, cubic_backward=_polynomial_backward),
    ),
    hints=(
        "Differentiate x³ alone, then 4x alone. The slope of a sum is the sum of the slopes.",
        "One of the two slopes depends on x and the other does not: try your formula at x = 0, where out is close to 4x.",
        "dout multiplies the whole sum, so it needs parentheses.",
    ),
)
### END SPEC
