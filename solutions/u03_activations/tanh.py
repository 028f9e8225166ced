"""Tanh
====

The hyperbolic tangent squeezes any number into (−1, 1), entry by entry:

    out = tanh x = (e^x − e^(−x)) / (e^x + e^(−x))      x of any shape  →  out of the same shape

It is an odd function, and a sigmoid in disguise: tanh x = 2σ(2x) − 1. Like the sigmoid's, its derivative needs nothing but its value:
tanh′ x = 1 − tanh² x, so out is all that the backward pass has to remember.

    dx = dout (1 − out²)

Convention: exact at ±1000. There e^1000 overflows, and inf / inf is not a number. Divide both terms of the fraction by the larger power of
e before you compute them: only e^(−2|x|) is left, which cannot overflow.
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
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable",
    "at x = ±1000 tanh is exactly 1 and −1 with gradient 0; write it so that inf / inf cannot occur.",
)


def oracle(x):
    return torch.tanh(x)


def _textbook_forward(x):
    out = (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))
    return out, out


def _loops_forward(x):
    values = []
    for value in x.reshape(-1).tolist():
        decay = math.expm1(-2 * abs(value))
        values.append(math.copysign(-decay / (2 + decay), value))
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    slopes = [(1 - value) * (1 + value) for value in cache]
    return torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape) * dout


def _sigmoid_forward(x):
    p = torch.sigmoid(2 * x)
    return 2 * p - 1, lambda dout: 4 * p * (1 - p) * dout


def _sigmoid_backward(dout, cache):
    return cache(dout)


def _masked_forward(x):
    out = torch.empty_like(x)
    right = x > 0
    out[right] = 2 / (1 + torch.exp(-2 * x[right])) - 1
    out[~right] = 1 - 2 / (1 + torch.exp(2 * x[~right]))
    return out, {"x": x}


def _masked_backward(dout, cache):
    decay = torch.exp(-2 * cache["x"].abs())
    return dout * 4 * decay / (1 + decay).pow(2)


LESSON = Lesson(
    name="tanh",
    title="The hyperbolic tangent",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.3.2; Abramowitz and Stegun (1964), eq. 4.5.3 and 4.5.73",
    requires=("sigmoid",),
    forbids=("tanh",),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "tanh",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("4 rows, 5 features", x=normal(4, 5)),
                probe("batch of one", x=normal(1, 7)),
                probe("one axis", x=normal(6, scale=3)),
                probe(
                    "on the way out",
                    x=literal(
                        [
                            [1.0, 4.0, -4.0, 5.0, -5.0, 6.0, -6.0],
                            [10.0, -10.0, 12.0, -12.0, 16.0, -16.0, 25.0],
                            [-25.0, 3.5, -3.5, 9.0, -9.0, 7.0, -7.0],
                        ]
                    ),
                ),
                probe("three axes", x=normal(2, 3, 4)),
                probe("as many rows as columns", x=normal(4, 4)),
                probe("non-contiguous", x=transposed(normal(5, 3))),
                probe("zero and its neighbours", x=literal([[0.0, 1e-8, -1e-8], [0.5, -0.5, 4.0]])),
                probe("±8", x=literal([[8.0, -8.0, 1.0], [-6.0, 6.0, -1.0]])),
                probe(
                    "±1000", x=literal([[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]), convention=LARGE
                ),
            ),
            bench=probe("256 × 256", x=normal(256, 256)),
        ),
    ),
    mistakes=(
        mistake("overflows", "unstable", tanh_forward=_textbook_forward),
        mistake("slope from x", "wrong_operand", "return out, out", "return out, x"),
        mistake("not squared", "wrong_operand", "1 - out**2", "1 - out"),
        mistake("slope of the sigmoid", "wrong_operand", "dout * (1 - out**2)", "dout * out * (1 - out)"),
        mistake("upstream ignored", "ignores_upstream", "dout * (1 - out**2)", "1 - out**2"),
        mistake("upstream on one term only", "nonlinear_in_upstream", "dout * (1 - out**2)", "dout - out**2"),
        mistake("sign of the slope", "sign", "1 - out**2", "out**2 - 1"),
        mistake("2 forgotten in the exponent", "forward_wrong", "-2 * x.abs()", "-x.abs()"),
        mistake("even instead of odd", "sign", "x.sign() * (1 - decay)", "(1 - decay)"),
        mistake(
            "dout overwritten",
            "mutates_input",
            "return dout * (1 - out**2)",
            "dout *= 1 - out**2; return dout",
        ),
    ),
    variants=(
        variant("math", tanh_forward=_loops_forward, tanh_backward=_loops_backward),
        variant(
            "by the sigmoid, a closure as cache",
            tanh_forward=_sigmoid_forward,
            tanh_backward=_sigmoid_backward,
        ),
        variant("mask assignment", tanh_forward=_masked_forward, tanh_backward=_masked_backward),
    ),
    hints=(
        "With s = e^x − e^(−x) and c = e^x + e^(−x): what are s′ and c′? Then use the quotient rule on s / c.",
        "The quotient rule gives (c² − s²) / c². Split the fraction, and out appears in it.",
        "For the forward pass treat x ≥ 0 first: multiply both terms by e^(−x). Then use that tanh is odd.",
    ),
)
### END SPEC
