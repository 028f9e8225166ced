"""Softplus
========

A relu with its corner rounded off, entry by entry:

    out = log(1 + e^x)      x of any shape  →  out of the same shape

It is positive everywhere, close to 0 far to the left and close to x far to the right. Its derivative is an old friend:

    ∂out/∂x = e^x / (1 + e^x) = σ(x),    dx = dout · σ(x)

Convention: exact at ±1000, where e^1000 overflows. Taking the larger of 0 and x out of the logarithm leaves an exponential that cannot:

    log(1 + e^x) = max(x, 0) + log(1 + e^(−|x|))

`torch.log1p(t)` is log(1 + t) without losing a t that is small beside 1.
"""

import torch


def softplus_forward(x):
    """out = log(1 + e^x).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))
    return out, x
    ### END SOLUTION


def softplus_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x = cache
    return dout / (1 + torch.exp(-x))
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable",
    "at x = ±1000 softplus is exactly 1000 and 0 with slopes 1 and 0; take max(x, 0) out of the logarithm first.",
)


def oracle(x):
    return torch.nn.functional.softplus(x, threshold=100.0)


def _naive_forward(x):
    return torch.log(1 + torch.exp(x)), x


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    out = [
        value + math.log1p(math.exp(-value)) if value > 0 else math.log1p(math.exp(value)) for value in values
    ]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    slopes = [
        1 / (1 + math.exp(-value)) if value > 0 else math.exp(value) / (1 + math.exp(value))
        for value in cache
    ]
    return torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape) * dout


def _logaddexp_forward(x):
    out = torch.logaddexp(x, torch.zeros_like(x))
    return out, lambda dout: dout * torch.exp(x - out)


def _logaddexp_backward(dout, cache):
    return cache(dout)


def _masked_forward(x):
    right = x > 0
    out = torch.zeros_like(x)
    out[right] = x[right] - torch.log(torch.sigmoid(x[right]))
    out[~right] = torch.log1p(torch.exp(x[~right]))
    return out, {"out": out}


def _masked_backward(dout, cache):
    return -dout * torch.expm1(-cache["out"])


LESSON = Lesson(
    name="softplus",
    title="Softplus",
    source="Dugas, Bengio, Bélisle, Nadeau, Garcia (2001), section 3; Goodfellow et al., Deep Learning (2016), eq. 3.31 and 3.37",
    requires=("sigmoid", "logsumexp"),
    forbids=("softplus", "logsigmoid", "log_sigmoid"),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "softplus",
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
                probe("±15 and ±40", x=literal([[15.0, 40.0, 12.5], [-15.0, -1.0, -40.0]])),
                probe(
                    "±1000", x=literal([[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]), convention=LARGE
                ),
            ),
            bench=probe("256 × 256", x=normal(256, 256)),
        ),
    ),
    mistakes=(
        mistake("e^x overflows", "unstable", softplus_forward=_naive_forward),
        mistake(
            "e^x overflows in the slope",
            "unstable",
            "dout / (1 + torch.exp(-x))",
            "dout * torch.exp(x) / (1 + torch.exp(x))",
        ),
        mistake(
            "slope of the sigmoid",
            "extra_term",
            "dout / (1 + torch.exp(-x))",
            "dout * torch.exp(-x) / (1 + torch.exp(-x)) ** 2",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "inner slope forgotten",
            "missing_term",
            "dout / (1 + torch.exp(-x))",
            "dout / (1 + torch.exp(x))",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("sigmoid of out", "wrong_operand", "return out, x", "return out, out"),
        mistake(
            "upstream ignored", "ignores_upstream", "dout / (1 + torch.exp(-x))", "1 / (1 + torch.exp(-x))"
        ),
        mistake("the magnitude forgotten", "forward_wrong", "torch.exp(-x.abs())", "torch.exp(-x)"),
        mistake("the maximum forgotten", "forward_wrong", "x.clamp(min=0) + ", ""),
        mistake(
            "the 1 forgotten",
            "forward_wrong",
            "torch.log1p(torch.exp(-x.abs()))",
            "torch.log(torch.exp(-x.abs()))",
        ),
    ),
    variants=(
        variant("math and python if", softplus_forward=_loops_forward, softplus_backward=_loops_backward),
        variant(
            "logaddexp, a closure as cache",
            softplus_forward=_logaddexp_forward,
            softplus_backward=_logaddexp_backward,
        ),
        variant(
            "mask assignment, the slope from out",
            softplus_forward=_masked_forward,
            softplus_backward=_masked_backward,
        ),
    ),
    hints=(
        "Chain rule: the slope of log u is 1 / u, and u = 1 + e^x has the slope e^x.",
        "e^x / (1 + e^x) is a function that you have written before: divide both terms by e^x.",
        "For the forward pass treat x > 0 first: log(1 + e^x) = log(e^x (e^(−x) + 1)), and take e^x out. Then x ≤ 0, where nothing overflows.",
    ),
)
### END SPEC
