"""Gelu
====

The Gaussian error linear unit weighs each number by how many of a normal distribution's lie below it:

    out = x Φ(x),    Φ(x) = ½ (1 + erf(x / √2))      x of any shape  →  out of the same shape

A smooth gate: Φ is nearly 0 far to the left and nearly 1 far to the right. x occurs in both factors, so the product rule gives two terms.
The derivative of Φ is the normal density φ:

    dx = dout (Φ(x) + x φ(x)),    φ(x) = e^(−x² / 2) / √(2π)

Conventions: the exact function, with `torch.erf`; the approximation by tanh is a lesson of its own. Exact at ±1000 too, where the gradient is
1 and 0.
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
from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable",
    "at x = ±1000 the result is exactly 1000 and 0, with gradient 1 and 0; nothing may overflow there.",
)


def oracle(x):
    return torch.nn.functional.gelu(x)


def _tanh_forward(x):
    t = torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return x * (1 + t) / 2, (x, t)


def _tanh_backward(dout, cache):
    x, t = cache
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return dout * ((1 + t) / 2 + x * (1 - t**2) * slope / 2)


def _quick_forward(x):
    return x * torch.sigmoid(1.702 * x), (x, (1 + torch.erf(x / math.sqrt(2))) / 2)


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    out = [value * math.erfc(-value / math.sqrt(2)) / 2 for value in values]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    dx = torch.empty_like(dout).reshape(-1)
    for position, (slope, value) in enumerate(zip(dout.reshape(-1).tolist(), cache, strict=True)):
        density = math.exp(-value * value / 2) / math.sqrt(2 * math.pi)
        dx[position] = slope * (math.erfc(-value / math.sqrt(2)) / 2 + value * density)
    return dx.reshape(dout.shape)


def _chained_forward(x):
    u = x * 0.5**0.5
    gate = torch.erf(u).add(1).mul(0.5)

    def backward(dout):
        dgate, dx = dout * x, dout * gate
        du = 0.5 * dgate * 2 / math.pi**0.5 * torch.exp(-u * u)
        return dx + du * 0.5**0.5

    return gate * x, backward


def _chained_backward(dout, cache):
    return cache(dout)


def _slope_forward(x):
    cdf = torch.special.ndtr(x)
    density = torch.exp(-0.5 * torch.square(x) - 0.5 * math.log(2 * math.pi))
    return torch.einsum("...,...->...", x, cdf), {"slope": torch.addcmul(cdf, x, density)}


def _slope_backward(dout, cache):
    return [dout * cache["slope"]]


LESSON = Lesson(
    name="gelu",
    title="The Gaussian error linear unit",
    source="Hendrycks and Gimpel, Gaussian Error Linear Units (2016), section 2",
    requires=("tanh",),
    forbids=("gelu",),
    points=5,
    tasks=(
        Pair(
            "gelu",
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
                probe("zero and its neighbours", x=literal([[0.0, 1e-8, -1e-8], [0.5, -0.5, 2.0]])),
                probe(
                    "±1000", x=literal([[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]), convention=LARGE
                ),
                probe(
                    "the least value, −0.75, and the tails",
                    x=literal([[-0.7517915, -3.0, 3.0], [-8.0, 8.0, 1.0]]),
                ),
            ),
            bench=probe("256 × 256", x=normal(256, 256)),
        ),
    ),
    mistakes=(
        mistake("Φ taken for a constant", "missing_term", "cdf + x * pdf", "cdf"),
        mistake("only the slope of Φ", "missing_term", "cdf + x * pdf", "x * pdf"),
        mistake("x forgotten before the density", "missing_term", "cdf + x * pdf", "cdf + pdf"),
        mistake("√(2π) forgotten", "missing_term", " / math.sqrt(2 * math.pi)", ""),
        mistake("2 forgotten in the exponent", "missing_term", "-(x**2) / 2", "-(x**2)"),
        mistake("upstream ignored", "ignores_upstream", "dout * (cdf + x * pdf)", "cdf + x * pdf"),
        mistake(
            "upstream on one term only",
            "nonlinear_in_upstream",
            "dout * (cdf + x * pdf)",
            "dout * cdf + x * pdf",
        ),
        mistake("√2 forgotten in erf", "forward_wrong", "torch.erf(x / math.sqrt(2))", "torch.erf(x)"),
        mistake(
            "½ forgotten",
            "constant_factor",
            "(1 + torch.erf(x / math.sqrt(2))) / 2",
            "(1 + torch.erf(x / math.sqrt(2)))",
        ),
        mistake(
            "the tanh approximation",
            "consistent_with_wrong_forward",
            gelu_forward=_tanh_forward,
            gelu_backward=_tanh_backward,
        ),
        mistake("the sigmoid approximation", "forward_wrong", gelu_forward=_quick_forward),
    ),
    variants=(
        variant("math and erfc", gelu_forward=_loops_forward, gelu_backward=_loops_backward),
        variant(
            "step by step, a closure as cache", gelu_forward=_chained_forward, gelu_backward=_chained_backward
        ),
        variant("the slope as cache", gelu_forward=_slope_forward, gelu_backward=_slope_backward),
    ),
    hints=(
        "out is a product of x and Φ(x), and both depend on x: which rule differentiates a product?",
        "The derivative of a distribution function is its density. For the normal distribution: e^(−x²/2), divided by what?",
        "dx = dout (Φ + x φ). Keep x and Φ in the cache and compute φ in the backward pass.",
    ),
)
### END SPEC
