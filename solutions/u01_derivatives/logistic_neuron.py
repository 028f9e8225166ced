"""Logistic neuron
===============

A single neuron that answers yes or no: its weighted input z becomes the probability σ(z) = 1 / (1 + e^(−z))
of class 1, and the loss is how surprised it is by the true classes y, zeros and ones:

    z = w x + b,    p = σ(z),    loss = −1/N Σₙ [ yₙ log pₙ + (1 − yₙ) log(1 − pₙ) ]

x, y (N,), w, b ()  →  a 0-d tensor. Three slopes in a row, of the logarithm, of the sigmoid (σ′ = σ (1 − σ))
and of z; multiply the first two, and most of it cancels. From ∂loss/∂zₙ on it is linear regression again: w
and b serve all N points, so each collects the slopes of all of them.

Conventions: exact at z = ±1000, where p rounds to 0 or 1 and the logarithm of it is −∞. Written in z, the
loss of one point is log(1 + e^z) − y z, and log(1 + e^z) = max(z, 0) + log(1 + e^(−|z|)), which never
overflows. x and y must have one shape: (N, 1) against (N,) would broadcast to N × N pairs without a word, so
it raises a `ValueError` that names both shapes.
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
    dz = dout * (p - y) / len(y)
    return (dz * x).sum(), dz.sum()
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    drop,
    edge,
    edit,
    labels,
    mismatched,
    stability,
    standard,
    wrong,
)

LARGE = "at logits of ±1000 the loss is exactly 0 or 1000 and the gradient exact; never take log 0 or let e^z overflow."

LESSON = Lesson(
    name="logistic_neuron",
    title="A logistic neuron",
    source="Bishop, Pattern Recognition (2006), eq. 4.87 to 4.91; Goodfellow et al. (2016), section 6.2.2.2",
    requires=("linear_regression", "logsumexp"),
    forbids=(
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "logsigmoid",
        "log_sigmoid",
        "softplus",
    ),
    minutes=20,
    tasks=(
        Layer(
            "x[N] y[N] w[] b[] -> loss[]",
            wrt=("w", "b"),
            oracle=lambda x, y, w, b: F.binary_cross_entropy_with_logits(w * x + b, y),
            sizes=dict(N=7),
            draw=dict(y=labels()),
            probes=(
                edge("all of class 1", y=[1.0] * 5),
                edge("all of class 0", y=[0.0] * 4),
                edge("from w = b = 0", w=0.0, b=0.0),
                edge("logits of ±8", x=[8.0, -8.0, 6.0, -6.0], y=[0.0, 1.0, 1.0, 0.0], w=1.0, b=0.0),
                stability(
                    "logits of ±1000, wrong", LARGE, x=[1e3, -1e3, 0.5], y=[0.0, 1.0, 1.0], w=1.0, b=0.0
                ),
                stability(
                    "logits of ±1000, right", LARGE, x=[1e3, -1e3, 0.5], y=[1.0, 0.0, 0.0], w=1.0, b=0.0
                ),
                *mismatched("y", "N,1", "1"),
                *mismatched("x", "N,1"),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("x.shape != y.shape", "len(x) != len(y)", "broadcasts silently", Cause.SILENT_BROADCAST),
        wrong("log of a sigmoid", Cause.UNSTABLE),
        edit(
            "z.clamp(min=0) + torch.log1p(torch.exp(-z.abs()))",
            "torch.log(1 + torch.exp(z))",
            "e^z overflows",
            Cause.UNSTABLE,
        ),
        edit(
            "1 / (1 + torch.exp(-z))",
            "torch.exp(z) / (1 + torch.exp(z))",
            "e^z overflows in the sigmoid",
            Cause.UNSTABLE,
        ),
        drop(" / len(y)", "1/N missing", Cause.MISSING_BATCH_MEAN),
        edit(
            "return (dz * x).sum(), dz.sum()",
            "return (dz * x).mean(), dz.mean()",
            "1/N twice",
            Cause.EXTRA_BATCH_MEAN,
        ),
        edit(
            "(p - y)",
            "(p - y) * p * (1 - p)",
            "slope of the sigmoid once more",
            Cause.EXTRA_TERM,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("(p - y)", "(z - y)", "logit for probability", Cause.WRONG_OPERAND),
        edit("(p - y)", "(y - p)", "sign", Cause.SIGN),
        edit("(dz * x).sum()", "(dz * 1).sum()", "x forgotten in dw", Cause.MISSING_TERM),
        edit(
            "(dz * x).sum(), dz.sum()",
            "dz.sum(), (dz * x).sum()",
            "dw and db the wrong way round",
            Cause.SWAPPED,
        ),
        edit(".mean()", ".sum()", "sum for mean in the loss", Cause.MISSING_BATCH_MEAN),
    ),
    why="The slopes of the sigmoid and of the cross-entropy cancel: what is left is p − y, the error of the prediction, and it stays finite however large z is.",
    hints=(
        "Differentiate the loss of one point with respect to its p, multiply by p (1 − p), and simplify: what is left is very short.",
        "w and b serve all N points, so dw and db are sums over the points, as in linear regression.",
        "For the forward pass put p = 1 / (1 + e^(−z)) into the loss and collect what multiplies y; then keep e^z from overflowing.",
    ),
)
### END SPEC
