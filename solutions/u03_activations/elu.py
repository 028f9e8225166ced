"""Elu
===

The exponential linear unit: like relu to the right, but to the left it bends smoothly down to −α instead of being cut off:

    out = x              where x > 0
    out = α (e^x − 1)    elsewhere       x of any shape  →  out of the same shape

The derivative is 1 to the right and α e^x to the left, which is out + α, so that exponential need not be taken twice.

Both halves fit on one line: out = max(x, 0) + α (e^min(x, 0) − 1). To the right of 0 the second term is 0.

Conventions: at x = 0 the left branch counts: the derivative there is α, as in torch. And exact at ±1000: the exponential of the right
half is never needed, and must not spoil it by overflowing (inf · 0 is not a number).
"""

import torch


def elu_forward(x, *, alpha=1.0):
    """out = x where x > 0, else alpha (e^x − 1).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    below = alpha * torch.expm1(x.clamp(max=0))
    return x.clamp(min=0) + below, (x, below, alpha)
    ### END SOLUTION


def elu_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, below, alpha = cache
    on = x.sign().clamp(min=0)
    return dout * (below + alpha + (1 - alpha) * on)
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import away_from_zero, literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

AT_ZERO = Convention(
    "ties",
    "elu has two slopes at 0 where α is not 1; the course takes the left one, α, as torch does, so use x > 0.",
)
LARGE = Convention(
    "unstable",
    "at x = ±1000 elu is exactly 1000 and −α; choose the branch with where, since 0 · e^1000 is not a number.",
)


def oracle(x, *, alpha=1.0):
    return torch.nn.functional.elu(x, alpha)


def _multiplied_forward(x, *, alpha=1.0):
    right = (x > 0).to(x.dtype)
    out = right * x + (1 - right) * alpha * (torch.exp(x) - 1)
    return out, (x, out, alpha)


def _loops_forward(x, *, alpha=1.0):
    values = x.reshape(-1).tolist()
    out = [value if value > 0 else alpha * math.expm1(value) for value in values]
    slopes = [1.0 if value > 0 else alpha * math.exp(value) for value in values]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), slopes


def _loops_backward(dout, cache):
    return dout * torch.tensor(cache, dtype=dout.dtype).reshape(dout.shape)


def _clamped_forward(x, *, alpha=1.0):
    left = x.clamp(max=0)
    return x.clamp(min=0) + alpha * (
        left.exp() - 1
    ), lambda dout: dout * torch.where(x > 0, 1.0, alpha * left.exp())


def _clamped_backward(dout, cache):
    return cache(dout)


def _masked_forward(x, *, alpha=1.0):
    off = x <= 0
    out = x.clone()
    out[off] = alpha * (torch.exp(x[off]) - 1)
    return out, {"x": x, "off": off, "alpha": alpha}


def _masked_backward(dout, cache):
    dx, off = dout.clone(), cache["off"]
    dx[off] *= cache["alpha"] * torch.exp(cache["x"][off])
    return (dx,)


LESSON = Lesson(
    name="elu",
    title="The exponential linear unit",
    source="Clevert, Unterthiner, Hochreiter, Fast and Accurate Deep Network Learning by Exponential Linear Units (2016), eq. 16",
    requires=("leaky_relu",),
    forbids=("elu", "selu", "celu"),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "elu",
            wrt=("x",),
            oracle=oracle,
            bench=probe("256 × 256", x=normal(256, 256)),
            probes=(
                probe("4 rows, 5 features", x=away_from_zero(4, 5)),
                probe("alpha 0.5", x=away_from_zero(3, 5), hyper={"alpha": 0.5}),
                probe("alpha 2, three axes", x=away_from_zero(2, 3, 4), hyper={"alpha": 2.0}),
                probe("batch of one", x=away_from_zero(1, 7), hyper={"alpha": 1.5}),
                probe("one axis", x=away_from_zero(6, scale=3)),
                probe("non-contiguous", x=transposed(away_from_zero(5, 3)), hyper={"alpha": 0.25}),
                probe(
                    "every unit on the left",
                    x=literal([[-1.0, -2.0, -0.5], [-3.0, -0.25, -4.0]]),
                    hyper={"alpha": 0.75},
                ),
                probe("inputs of 1e-8 and 20", x=literal([[1e-8, -1e-8, 20.0], [-20.0, 2.0, -2.0]])),
                probe(
                    "exactly zero",
                    x=literal([[0.0, -1.5, 2.0], [1.0, 0.0, -0.0]]),
                    hyper={"alpha": 0.5},
                    convention=AT_ZERO,
                ),
                probe(
                    "±1000",
                    x=literal([[1000.0, -1000.0], [-1.0, 1.0]]),
                    hyper={"alpha": 0.5},
                    convention=LARGE,
                ),
            ),
        ),
    ),
    mistakes=(
        mistake("the right branch at zero", "ties", "x.sign().clamp(min=0)", "(x >= 0).to(x.dtype)"),
        mistake("0 times infinity", "unstable", elu_forward=_multiplied_forward),
        mistake(
            "alpha taken for 1 in the slope", "missing_term", "below + alpha + (1 - alpha) * on", "below + 1"
        ),
        mistake(
            "out for the slope",
            "missing_term",
            "below + alpha + (1 - alpha) * on",
            "below + on",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "alpha forgotten in the slope",
            "missing_term",
            "(below + alpha + (1 - alpha) * on)",
            "torch.exp(x.clamp(max=0))",
        ),
        mistake(
            "e^out for e^x",
            "wrong_operand",
            "below + alpha + (1 - alpha) * on",
            "alpha * torch.exp(below) * (1 - on) + on",
        ),
        mistake("a relu backwards", "missing_term", "(below + alpha + (1 - alpha) * on)", "on"),
        mistake(
            "mask the wrong way round",
            "mask_inverted",
            "x.sign().clamp(min=0)",
            "(-x).sign().clamp(min=0)",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("upstream ignored", "ignores_upstream", "dout * (below", "(below"),
        mistake("the −1 forgotten", "forward_wrong", "torch.expm1(", "torch.exp("),
        mistake("alpha forgotten in the forward", "forward_wrong", "alpha * torch.expm1(", "torch.expm1("),
    ),
    variants=(
        variant("math and python if", elu_forward=_loops_forward, elu_backward=_loops_backward),
        variant("clamped, a closure as cache", elu_forward=_clamped_forward, elu_backward=_clamped_backward),
        variant("mask assignment", elu_forward=_masked_forward, elu_backward=_masked_backward),
    ),
    hints=(
        "Differentiate α (e^x − 1) for x < 0: one of the two terms is a constant.",
        "α e^x is what out was before α was taken off it, so out and alpha in the cache are enough.",
        "Choose the branch by torch.where(x > 0, …, …), or clamp x first; an infinite e^x times a mask of 0 is not 0.",
    ),
)
### END SPEC
