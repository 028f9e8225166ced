"""Silu
====

A number gated by its own sigmoid, also called swish, entry by entry:

    out = x σ(x),    σ(x) = 1 / (1 + e^(−x))      x of any shape  →  out of the same shape

x occurs in both factors, so the product rule gives two terms; σ′ = σ (1 − σ):

    dx = dout (σ + x σ (1 − σ))

Unlike relu it is smooth, and it dips below 0 before it comes back. Convention: exact at ±1000. Here you may use `torch.sigmoid`, which is.
"""

import torch


def silu_forward(x):
    """out = x σ(x).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    s = torch.sigmoid(x)
    return x * s, (x, s)
    ### END SOLUTION


def silu_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, s = cache
    return dout * (s + x * s * (1 - s))
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable",
    "at x = ±1000 silu is exactly 1000 and 0 with slopes 1 and 0; e^x / (1 + e^x) becomes inf / inf there.",
)


def oracle(x):
    return torch.nn.functional.silu(x)


def _overflowing_forward(x):
    s = torch.exp(x) / (1 + torch.exp(x))
    return x * s, (x, s)


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    gates = [
        1 / (1 + math.exp(-value)) if value > 0 else math.exp(value) / (1 + math.exp(value))
        for value in values
    ]
    out = [value * gate for value, gate in zip(values, gates, strict=True)]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), [
        gate * (1 + value * (1 - gate)) for value, gate in zip(values, gates, strict=True)
    ]


def _loops_backward(dout, cache):
    return torch.tensor(cache, dtype=dout.dtype).reshape(dout.shape) * dout


def _divided_forward(x):
    below = 1 + torch.exp(-x)
    return x / below, lambda dout: dout / below + dout * (x / below) * (1 - 1 / below)


def _divided_backward(dout, cache):
    return cache(dout)


def _from_out_forward(x):
    gate = torch.tanh(x / 2).add(1).div(2)
    out = x.mul(gate)
    return out, {"out": out, "gate": gate}


def _from_out_backward(dout, cache):
    dx = cache["out"].clone()
    dx += cache["gate"] * (1 - cache["out"])
    dx *= dout
    return dx


LESSON = Lesson(
    name="silu",
    title="Silu, or swish",
    source="Elfwing, Uchibe, Doya, Sigmoid-Weighted Linear Units (2018), eq. 7 and 8; Ramachandran, Zoph, Le (2017)",
    requires=("sigmoid",),
    forbids=("silu", "hardswish"),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "silu",
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
                probe(
                    "the least value, −1.28, and the tails",
                    x=literal([[-1.2784645, -5.0, 5.0], [-20.0, 20.0, 1.0]]),
                ),
                probe(
                    "±1000", x=literal([[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]), convention=LARGE
                ),
            ),
            bench=probe("256 × 256", x=normal(256, 256)),
        ),
    ),
    mistakes=(
        mistake("overflows", "unstable", silu_forward=_overflowing_forward),
        mistake("the gate taken for a constant", "missing_term", "s + x * s * (1 - s)", "s"),
        mistake("only the slope of the gate", "missing_term", "s + x * s * (1 - s)", "x * s * (1 - s)"),
        mistake(
            "slope of the sigmoid alone",
            "missing_term",
            "s + x * s * (1 - s)",
            "s * (1 - s)",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("x forgotten in the second term", "missing_term", "x * s * (1 - s)", "s * (1 - s)"),
        mistake("sign of the second term", "sign", "x * s * (1 - s)", "x * s * (s - 1)"),
        mistake("1 − x for 1 − σ", "wrong_operand", "(1 - s)", "(1 - x)"),
        mistake("upstream ignored", "ignores_upstream", "dout * (s", "(s"),
        mistake(
            "upstream on one term only",
            "nonlinear_in_upstream",
            "dout * (s + x * s * (1 - s))",
            "dout * s + x * s * (1 - s)",
        ),
        mistake("the sigmoid alone", "forward_wrong", "return x * s,", "return s,"),
        mistake("gated by σ(−x)", "forward_wrong", "torch.sigmoid(x)", "torch.sigmoid(-x)"),
    ),
    variants=(
        variant("math and python if", silu_forward=_loops_forward, silu_backward=_loops_backward),
        variant(
            "a quotient, a closure as cache", silu_forward=_divided_forward, silu_backward=_divided_backward
        ),
        variant(
            "by tanh, the slope from out", silu_forward=_from_out_forward, silu_backward=_from_out_backward
        ),
    ),
    hints=(
        "out is a product of x and σ(x), and both depend on x: which rule differentiates a product?",
        "You have differentiated the sigmoid before: its slope is made of its value alone.",
        "Two terms: the gate times the slope of x, and x times the slope of the gate. dout multiplies both.",
    ),
)
### END SPEC
