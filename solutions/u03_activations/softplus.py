"""Softplus
========

A relu with its corner rounded off, entry by entry:

    out = log(1 + e^x)      x of any shape  →  out of the same shape

It is positive everywhere, close to 0 far to the left and close to x far to the right. Its slope climbs from 0
to 1 in between, and is an old friend: the chain rule with u = 1 + e^x leads to it.

Convention: exact at ±1000, where e^1000 overflows. Taking the larger of 0 and x out of the logarithm leaves
an exponential that cannot:

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
import torch.nn.functional as F

from autograd_check.course import (
    ELEMENTWISE,
    SMOOTH,
    UNSEEN_TERM,
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

LARGE = "at x = ±1000 softplus is exactly 1000 and 0 with slopes 1 and 0; take max(x, 0) out of the logarithm first."

LESSON = Lesson(
    name="softplus",
    title="Softplus",
    source="Dugas et al. (2001), section 3; Goodfellow et al., Deep Learning (2016), eq. 3.31 and 3.37",
    requires=("sigmoid", "logsumexp"),
    forbids=("softplus", "logsigmoid", "log_sigmoid"),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[...] -> out[...]",
            oracle=lambda x: F.softplus(x, threshold=100.0),
            sizes=dict(rest=(4, 5)),
            bench=dict(rest=(256, 256)),
            probes=(
                *ELEMENTWISE,
                *SMOOTH,
                edge("±15 and ±40", x=[[15.0, 40.0, 12.5], [-15.0, -1.0, -40.0]]),
                stability("±1000", LARGE, x=[[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        wrong("e^x overflows", Cause.UNSTABLE),
        edit(
            "dout / (1 + torch.exp(-x))",
            "dout * torch.exp(x) / (1 + torch.exp(x))",
            "e^x overflows in the slope",
            Cause.UNSTABLE,
        ),
        edit(
            "dout / (1 + torch.exp(-x))",
            "dout * torch.exp(-x) / (1 + torch.exp(-x)) ** 2",
            "slope of the sigmoid",
            Cause.EXTRA_TERM,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit(
            "dout / (1 + torch.exp(-x))",
            "dout / (1 + torch.exp(x))",
            "inner slope forgotten",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("return out, x", "return out, out", "sigmoid of out", Cause.WRONG_OPERAND),
        edit("torch.exp(-x.abs())", "torch.exp(-x)", "the magnitude forgotten", Cause.FORWARD_WRONG),
        drop("x.clamp(min=0) + ", "the maximum forgotten", Cause.FORWARD_WRONG),
        edit(
            "torch.log1p(torch.exp(-x.abs()))",
            "torch.log(torch.exp(-x.abs()))",
            "the 1 forgotten",
            Cause.FORWARD_WRONG,
        ),
    ),
    why="The slope of log(1 + eˣ) is the sigmoid: softplus is a relu with its corner rounded, and its slope is a step with its edge rounded.",
    hints=(
        "Chain rule: the slope of log u is 1 / u, and u = 1 + e^x has the slope e^x.",
        "e^x / (1 + e^x) is a function that you have written before: divide both terms by e^x.",
        "For the forward pass treat x > 0 first: log(1 + e^x) = log(e^x (e^(−x) + 1)), and take e^x out. Then x ≤ 0, where nothing overflows.",
    ),
)
### END SPEC
