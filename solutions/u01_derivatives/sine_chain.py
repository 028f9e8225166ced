"""Sine chain
==========

One function inside another, entry by entry:

    u = x² + 1,    out = sin u      x of any shape  →  out of the same shape

The chain rule multiplies the slopes along the way, each taken where its own function was evaluated: that of the sine at u, that of the
square at x.

    ∂out/∂u = cos u,    ∂u/∂x = 2x,    dx = dout · cos(x² + 1) · 2x

(Some courses give the name to 2x · cos(x² + 1) itself; that forward with its own backward counts as well.)

This is all that back-propagation ever does: start from dout and multiply by one slope after the other, from the last function to the first.
"""

import torch


def sine_chain_forward(x):
    """out = sin(x² + 1).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    u = x**2 + 1
    return torch.sin(u), (x, u)
    ### END SOLUTION


def sine_chain_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, u = cache
    du = dout * torch.cos(u)
    return du * 2 * x
    ### END SOLUTION


### BEGIN SPEC
import cmath
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x):
    return torch.sin(torch.square(x) + 1)


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    return torch.tensor([math.sin(value**2 + 1) for value in values], dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    slopes = [2 * value * math.cos(value**2 + 1) for value in cache]
    return torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape) * dout


def _tape_forward(x):
    tape = []

    def square(value):
        tape.append(lambda gradient: gradient * (value + value))
        return value.pow(2)

    def sine(value):
        tape.append(lambda gradient: gradient * value.cos())
        return value.sin()

    return sine(square(x) + 1), tape


def _tape_backward(dout, cache):
    for step in reversed(cache):
        dout = step(dout)
    return dout


def _addition_theorem_forward(x):
    sine, cosine = torch.sin(x * x), torch.cos(x * x)
    out = sine * math.cos(1) + cosine * math.sin(1)
    return out, {"slope": 2 * x * (cosine * math.cos(1) - sine * math.sin(1))}


def _addition_theorem_backward(dout, cache):
    return torch.mul(cache["slope"], dout)


def _complex_forward(x):
    wave = torch.exp(1j * (x * x)) * cmath.exp(1j)
    return wave.imag.clone().to(x.dtype), (wave, x)


def _complex_backward(dout, cache):
    wave, x = cache
    return (2 * x * wave.real * dout).to(dout.dtype)


def _product_forward(x):
    u = x**2 + 1
    return 2 * x * torch.cos(u), (x, u)


def _product_backward(dout, cache):
    x, u = cache
    return dout * (2 * torch.cos(u) - 4 * x**2 * torch.sin(u))


LESSON = Lesson(
    name="sine_chain",
    title="The chain rule",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.44 and 6.52 (the chain rule)",
    requires=("cubic",),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "sine_chain",
            wrt=("x",),
            oracle=oracle,
            readings=(lambda x: 2 * x * torch.cos(x**2 + 1),),
            probes=(
                probe("3 rows, 4 columns", x=normal(3, 4)),
                probe("batch of one", x=normal(1, 6)),
                probe("one axis", x=normal(5, scale=2)),
                probe("three axes", x=normal(2, 3, 4)),
                probe("non-contiguous", x=transposed(normal(5, 3))),
                probe("zero and both signs", x=literal([[0.0, -0.5, 1.0], [3.0, -2.0, -0.0]])),
            ),
        ),
    ),
    mistakes=(
        mistake(
            "inner slope forgotten",
            "missing_term",
            "du * 2 * x",
            "du",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("outer slope forgotten", "missing_term", "dout * torch.cos(u)", "dout"),
        mistake("cosine of x", "wrong_operand", "torch.cos(u)", "torch.cos(x)"),
        mistake(
            "cosine of the slope, 2x",
            "wrong_operand",
            "torch.cos(u)",
            "torch.cos(2 * x)",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "sine not differentiated",
            "wrong_operand",
            "torch.cos(u)",
            "torch.sin(u)",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("sine differentiated to −cosine", "sign", "torch.cos(u)", "-torch.cos(u)"),
        mistake("the 1 forgotten inside the cosine", "wrong_operand", "torch.cos(u)", "torch.cos(u - 1)"),
        mistake("2 forgotten", "constant_factor", "du * 2 * x", "du * x"),
        mistake("upstream ignored", "ignores_upstream", "dout * torch.cos(u)", "torch.cos(u)"),
        mistake("sin²x + 1", "forward_wrong", "return torch.sin(u)", "return torch.sin(x) ** 2 + 1"),
    ),
    variants=(
        variant("math", sine_chain_forward=_loops_forward, sine_chain_backward=_loops_backward),
        variant("a tape of closures", sine_chain_forward=_tape_forward, sine_chain_backward=_tape_backward),
        variant(
            "addition theorem, the slope as cache",
            sine_chain_forward=_addition_theorem_forward,
            sine_chain_backward=_addition_theorem_backward,
        ),
        variant("the other reading", sine_chain_forward=_product_forward, sine_chain_backward=_product_backward),
        variant("complex exponentials", sine_chain_forward=_complex_forward, sine_chain_backward=_complex_backward),
    ),
    hints=(
        "Give the inner function a name, u = x² + 1, and differentiate out with respect to u first.",
        "The slope of the sine is a cosine, and it is taken where the sine was taken: at u, not at x.",
        "du is dout times the slope of the sine; dx is du times the slope of the inner function.",
    ),
)
### END SPEC
