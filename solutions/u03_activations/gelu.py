"""Gelu
====

The Gaussian error linear unit weighs each number by how many of a normal distribution's lie below it:

    out = x Φ(x),    Φ(x) = ½ (1 + erf(x / √2))      x of any shape  →  out of the same shape

A smooth gate: Φ is nearly 0 far to the left and nearly 1 far to the right. x occurs in both factors, so the
product rule gives two terms, and one of them needs the slope of Φ: the normal density,

    φ(x) = e^(−x² / 2) / √(2π)

Conventions: the exact function, with `torch.erf`; the approximation by tanh is a lesson of its own. Exact at
±1000 too, where the gradient is 1 and 0.
"""

import math

import torch


def gelu_forward(x):
    """out = x Φ(x).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    cdf = (1 + torch.erf(x / math.sqrt(2))) / 2
    return x * cdf, (x, cdf)
    ### END SOLUTION


def gelu_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, cdf = cache
    pdf = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return dout * (cdf + x * pdf)
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    ELEMENTWISE,
    SMOOTH,
    Cause,
    Layer,
    Lesson,
    drop,
    edge,
    edit,
    stability,
    standard,
    wrong,
)

LARGE = "at x = ±1000 the result is exactly 1000 and 0, with gradient 1 and 0; nothing may overflow there."

LESSON = Lesson(
    name="gelu",
    title="The Gaussian error linear unit",
    source="Hendrycks and Gimpel, Gaussian Error Linear Units (2016), section 2",
    requires=("tanh",),
    forbids=("gelu",),
    points=5,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: F.gelu(x),
            sizes=dict(rest=(4, 5)),
            bench=dict(rest=(256, 256)),
            probes=(
                *ELEMENTWISE,
                *SMOOTH,
                edge("the least value, −0.75, and the tails", x=[[-0.7517915, -3.0, 3.0], [-8.0, 8.0, 1.0]]),
                stability("±1000", LARGE, x=[[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("cdf + x * pdf", "cdf", "Φ taken for a constant", Cause.MISSING_TERM),
        edit("cdf + x * pdf", "x * pdf", "only the slope of Φ", Cause.MISSING_TERM),
        edit("cdf + x * pdf", "cdf + pdf", "x forgotten before the density", Cause.MISSING_TERM),
        drop(" / math.sqrt(2 * math.pi)", "√(2π) forgotten", Cause.MISSING_TERM),
        edit("-(x**2) / 2", "-(x**2)", "2 forgotten in the exponent", Cause.MISSING_TERM),
        edit(
            "dout * (cdf + x * pdf)",
            "dout * cdf + x * pdf",
            "upstream on one term only",
            Cause.NONLINEAR_IN_UPSTREAM,
        ),
        edit("torch.erf(x / math.sqrt(2))", "torch.erf(x)", "√2 forgotten in erf", Cause.FORWARD_WRONG),
        edit(
            "(1 + torch.erf(x / math.sqrt(2))) / 2",
            "(1 + torch.erf(x / math.sqrt(2)))",
            "½ forgotten",
            Cause.CONSTANT_FACTOR,
        ),
        wrong("the tanh approximation", Cause.CONSISTENT_WITH_WRONG_FORWARD),
        wrong("the sigmoid approximation", Cause.FORWARD_WRONG),
    ),
    why="x Φ(x) is a product, so there are two terms: the gate Φ as it stands, and x times the gate's own slope, the density of the normal distribution.",
    hints=(
        "out is a product of x and Φ(x), and both depend on x: which rule differentiates a product?",
        "The derivative of a distribution function is its density. For the normal distribution: e^(−x²/2), divided by what?",
        "dx = dout (Φ + x φ). Keep x and Φ in the cache and compute φ in the backward pass.",
    ),
)
### END SPEC
