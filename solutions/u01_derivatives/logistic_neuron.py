"""Logistic neuron
===============

A single neuron that answers yes or no: its weighted input z becomes the probability σ(z) = 1 / (1 + e^(−z)) of class 1, and the loss is how
surprised it is by the true classes y, zeros and ones:

    z = w x + b,    p = σ(z),    loss = −1/N Σₙ [ yₙ log pₙ + (1 − yₙ) log(1 − pₙ) ]      x, y (N,), w, b ()  →  a 0-d tensor

Three slopes in a row, of the logarithm, of the sigmoid (σ′ = σ (1 − σ)) and of z, and most of it cancels:

    ∂loss/∂zₙ = (pₙ − yₙ) / N,    ∂loss/∂w = Σₙ ∂loss/∂zₙ · xₙ,    ∂loss/∂b = Σₙ ∂loss/∂zₙ

Conventions: exact at z = ±1000, where p rounds to 0 or 1 and the logarithm of it is −∞. Written in z, the loss of one point is
log(1 + e^z) − y z, and log(1 + e^z) = max(z, 0) + log(1 + e^(−|z|)), which never overflows. x and y must have one shape: (N, 1) against (N,)
would broadcast to N × N pairs without a word, so it raises a `ValueError` that names both shapes.
"""

import torch


def logistic_neuron_forward(x, y, w, b):
    """Mean binary cross-entropy of σ(w x + b) and y.  x, y (N,), w, b () → loss (), cache."""
    ### BEGIN SOLUTION
    if x.shape != y.shape:
        raise ValueError(f"x {tuple(x.shape)} and y {tuple(y.shape)} must have the same shape")
    z = w * x + b
    loss = (z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())) - y * z).mean()
    return loss, (x, y, z)
    ### END SOLUTION


def logistic_neuron_backward(dout, cache):
    """dout () → dw (), db ()."""
    ### BEGIN SOLUTION
    x, y, z = cache
    p = 1 / (1 + torch.exp(-z))
    dz = dout * (p - y) / y.numel()
    return (dz * x).sum(), dz.sum()
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import labels, literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable", "at logits of ±1000 the loss is exactly 0 or 1000 and the gradient exact; never take log 0 or let e^z overflow."
)


def oracle(x, y, w, b):
    return torch.nn.functional.binary_cross_entropy_with_logits(w * x + b, y)


def _log_of_sigmoid_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError(f"x {tuple(x.shape)} and y {tuple(y.shape)} must have the same shape")
    z = w * x + b
    p = torch.sigmoid(z)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean(), (x, y, z)


def _loops_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError(f"shapes differ: {tuple(x.shape)} and {tuple(y.shape)}")
    total, dw, db = 0.0, 0.0, 0.0
    for feature, truth in zip(x.tolist(), y.tolist(), strict=True):
        z = float(w) * feature + float(b)
        decay = math.exp(-abs(z))
        total += max(z, 0.0) + math.log1p(decay) - truth * z
        slope = (1 / (1 + decay) if z > 0 else decay / (1 + decay)) - truth
        dw, db = dw + slope * feature, db + slope
    n = len(x)
    return torch.tensor(total / n, dtype=x.dtype), (dw / n, db / n)


def _loops_backward(dout, cache):
    return [dout * slope for slope in cache]


def _logaddexp_forward(x, y, w, b):
    if x.size() != y.size():
        raise ValueError(f"x is {tuple(x.size())}, y is {tuple(y.size())}")
    z = torch.stack([x, torch.ones_like(x)], 1) @ torch.stack([w, b])
    loss = torch.logaddexp(z, torch.zeros_like(z)) - z * y
    return loss.sum() / len(loss), {"x": x, "residual": torch.sigmoid(z) - y}


def _logaddexp_backward(dout, cache):
    x, residual = cache["x"], cache["residual"]
    return dout * torch.dot(x, residual) / len(x), dout * residual.mean()


def _signed_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError("x %s and y %s do not match" % (tuple(x.shape), tuple(y.shape)))
    signs = 1 - 2 * y
    wrong = signs * (x * w + b)
    out = torch.empty_like(wrong)
    far = wrong > 0
    out[far] = wrong[far] + torch.log1p(torch.exp(-wrong[far]))
    out[~far] = torch.log1p(torch.exp(wrong[~far]))

    def backward(dout):
        slopes = dout * signs / (1 + torch.exp(-wrong))
        return torch.mean(slopes * x), torch.mean(slopes)

    return out.mean(), backward


def _signed_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="logistic_neuron",
    title="A logistic neuron",
    source="Bishop, Pattern Recognition and Machine Learning (2006), eq. 4.87 to 4.91; Goodfellow et al. (2016), section 6.2.2.2",
    requires=("linear_regression", "logsumexp"),
    forbids=("binary_cross_entropy", "binary_cross_entropy_with_logits", "logsigmoid", "log_sigmoid", "softplus"),
    minutes=20,
    tasks=(
        Pair(
            "logistic_neuron",
            wrt=("w", "b"),
            oracle=oracle,
            probes=(
                probe("7 points", x=normal(7), y=labels(7), w=normal(), b=normal()),
                probe("one point", x=normal(1), y=literal([0.0]), w=normal(), b=normal()),
                probe("5 points, all of class 1", x=normal(5, scale=2), y=literal([1.0] * 5), w=normal(), b=normal()),
                probe("4 points, all of class 0", x=normal(4, scale=2), y=literal([0.0] * 4), w=normal(), b=normal()),
                probe("non-contiguous", x=transposed(normal(6)), y=transposed(labels(6)), w=normal(), b=normal()),
                probe(
                    "logits of ±8",
                    x=literal([8.0, -8.0, 6.0, -6.0]),
                    y=literal([0.0, 1.0, 1.0, 0.0]),
                    w=literal(1.0),
                    b=literal(0.0),
                ),
                probe("from w = b = 0", x=normal(8), y=labels(8), w=literal(0.0), b=literal(0.0)),
                probe(
                    "logits of ±1000, wrong",
                    x=literal([1000.0, -1000.0, 0.5]),
                    y=literal([0.0, 1.0, 1.0]),
                    w=literal(1.0),
                    b=literal(0.0),
                    convention=LARGE,
                ),
                probe(
                    "logits of ±1000, right",
                    x=literal([1000.0, -1000.0, 0.5]),
                    y=literal([1.0, 0.0, 0.0]),
                    w=literal(1.0),
                    b=literal(0.0),
                    convention=LARGE,
                ),
            ),
            refuses=(
                probe("x (5,) against y (5, 1)", x=normal(5), y=labels(5, 1), w=normal(), b=normal(), mentions=("x", "y")),
                probe("x (5, 1) against y (5,)", x=normal(5, 1), y=labels(5), w=normal(), b=normal(), mentions=("x", "y")),
                probe("x (5,) against y (1,)", x=normal(5), y=labels(1), w=normal(), b=normal(), mentions=("x", "y")),
            ),
        ),
    ),
    mistakes=(
        mistake("broadcasts silently", "silent_broadcast", "x.shape != y.shape", "len(x) != len(y)"),
        mistake("log of a sigmoid", "unstable", logistic_neuron_forward=_log_of_sigmoid_forward),
        mistake("e^z overflows", "unstable", "z.clamp(min=0) + torch.log1p(torch.exp(-z.abs()))", "torch.log(1 + torch.exp(z))"),
        mistake("e^z overflows in the sigmoid", "unstable", "1 / (1 + torch.exp(-z))", "torch.exp(z) / (1 + torch.exp(z))"),
        mistake("1/N missing", "missing_batch_mean", " / y.numel()", ""),
        mistake("1/N twice", "extra_batch_mean", "return (dz * x).sum(), dz.sum()", "return (dz * x).mean(), dz.mean()"),
        mistake(
            "slope of the sigmoid once more",
            "extra_term",
            "(p - y)",
            "(p - y) * p * (1 - p)",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("logit for probability", "wrong_operand", "(p - y)", "(z - y)"),
        mistake("sign", "sign", "(p - y)", "(y - p)"),
        mistake("x forgotten in dw", "missing_term", "(dz * x).sum()", "(dz * 1).sum()"),
        mistake("dw and db the wrong way round", "swapped", "(dz * x).sum(), dz.sum()", "dz.sum(), (dz * x).sum()"),
        mistake("upstream ignored", "ignores_upstream", "dout * (p - y)", "(p - y)"),
        mistake("sum for mean in the loss", "missing_batch_mean", ".mean()", ".sum()"),
    ),
    variants=(
        variant("python numbers", logistic_neuron_forward=_loops_forward, logistic_neuron_backward=_loops_backward),
        variant(
            "design matrix, logaddexp", logistic_neuron_forward=_logaddexp_forward, logistic_neuron_backward=_logaddexp_backward
        ),
        variant("by the sign of the error", logistic_neuron_forward=_signed_forward, logistic_neuron_backward=_signed_backward),
    ),
    hints=(
        "Differentiate the loss of one point with respect to its p, multiply by p (1 − p), and simplify: what is left is very short.",
        "w and b serve all N points, so dw and db are sums over the points, as in linear regression.",
        "For the forward pass put p = 1 / (1 + e^(−z)) into the loss and collect what multiplies y; then keep e^z from overflowing.",
    ),
)
### END SPEC
