"""Sigmoid
=======

The logistic function turns any number into a probability, entry by entry:

    out = σ(x) = 1 / (1 + e^(−x))      x of any shape  →  out of the same shape

Its derivative needs nothing but its value: σ'(x) = σ(x) (1 − σ(x)). So the gradient with respect to x is dout σ (1 − σ), and out is all
that the backward pass has to remember.

Convention: exact at ±1000. There e^1000 is more than a float holds and becomes inf. 1 / (1 + inf) is 0, which is right, but
the same function written e^x / (1 + e^x) becomes inf / inf, which is not a number.
"""

import torch


def sigmoid_forward(x):
    """out = 1 / (1 + e^(−x)).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = torch.exp(-x).add_(1).reciprocal_()
    return out, out
    ### END SOLUTION


def sigmoid_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    out = cache
    return dout * (1 - out).mul_(out)
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable", "at x = ±1000 the sigmoid is exactly 1 and 0 with gradient 0; write it so that inf / inf cannot occur."
)


def oracle(x):
    return torch.sigmoid(x)


def _loops_forward(x):
    values = []
    for value in x.reshape(-1).tolist():
        if value >= 0:
            values.append(1 / (1 + math.exp(-value)))
        else:
            values.append(math.exp(value) / (1 + math.exp(value)))
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    slopes = [value * (1 - value) for value in cache]
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape)


def _masked_forward(x):
    out = torch.empty_like(x)
    right = x >= 0
    out[right] = 1 / (1 + torch.exp(-x[right]))
    small = torch.exp(x[~right])
    out[~right] = small / (1 + small)
    return out, {"x": x}


def _masked_backward(dout, cache):
    decay = torch.exp(-cache["x"].abs())
    return dout * decay / (1 + decay) ** 2


def _tanh_forward(x):
    half = torch.tanh(x / 2)
    return 0.5 + 0.5 * half, lambda dout: dout * (1 - half * half) / 4


def _tanh_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="sigmoid",
    title="The sigmoid",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 3.30 and 3.34",
    requires=("relu",),
    forbids=("sigmoid", "sigmoid_", "expit", "logsigmoid", "log_sigmoid"),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "sigmoid",
            wrt=("x",),
            oracle=oracle,
            bench=probe("455 rows, 64 features", x=normal(455, 64)),
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
                probe("non-contiguous", x=transposed(normal(5, 3))),
                probe("zero and its neighbours", x=literal([[0.0, 1e-8, -1e-8], [0.5, -0.5, 4.0]])),
                probe("±8", x=literal([[8.0, -8.0, 1.0], [-6.0, 6.0, -1.0]])),
                probe("±1000", x=literal([[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]), convention=LARGE),
            ),
        ),
    ),
    mistakes=(
        mistake("overflows", "unstable", "torch.exp(-x).add_(1).reciprocal_()", "torch.exp(x) / (1 + torch.exp(x))"),
        mistake("slope from x", "wrong_operand", "return out, out", "return out, x"),
        mistake("1 − out forgotten", "missing_term", "(1 - out).mul_(out)", "out"),
        mistake("upstream ignored", "ignores_upstream", "dout * (1 - out)", "(1 - out)"),
        mistake("sign of the slope", "sign", "(1 - out)", "(out - 1)"),
        mistake("e^x for e^(−x)", "sign", "torch.exp(-x)", "torch.exp(x)"),
        mistake("dout overwritten", "mutates_input", "return dout * (1 - out).mul_(out)", "dout *= out * (1 - out); return dout"),
    ),
    variants=(
        variant("math and python if", sigmoid_forward=_loops_forward, sigmoid_backward=_loops_backward),
        variant("mask assignment", sigmoid_forward=_masked_forward, sigmoid_backward=_masked_backward),
        variant("by tanh, a closure as cache", sigmoid_forward=_tanh_forward, sigmoid_backward=_tanh_backward),
    ),
    hints=(
        "Differentiate 1 / (1 + e^(−x)) with the quotient rule before you look for a shorter form.",
        "e^(−x) / (1 + e^(−x))² is a product of two factors that you know: one of them is out. What is the other?",
        "Keep out in the cache. dx is dout times out times what out lacks to 1.",
    ),
)
### END SPEC
