"""Linear regression
=================

A line through N points, and how far it misses them:

    p = w x + b,    loss = 1/N Σₙ (pₙ − yₙ)²      x, y (N,), w, b ()  →  a 0-d tensor

Every point has a slope ∂loss/∂pₙ of its own; w and b reach the loss through all N of them. One w and one b
serve all points, so each collects the slopes of all of them, times what it does to pₙ.

Fitting starts from w = b = 0 and walks downhill, both parameters from the same gradient, `epochs` times:

    w ← w − lr ∂loss/∂w,    b ← b − lr ∂loss/∂b

Conventions: x and y must have one shape. (N, 1) against (N,) would broadcast to N × N pairs without a word,
so it raises a `ValueError` that names both shapes. fit returns w and b as 0-d tensors with the dtype of x.
"""

import torch


def linear_regression_forward(x, y, w, b):
    """Mean of (w x + b − y)².  x, y (N,), w, b () → loss (), cache."""
    ### BEGIN SOLUTION
    if x.shape != y.shape:
        raise ValueError(f"x {tuple(x.shape)} and y {tuple(y.shape)} must have the same shape")
    error = w * x + b - y
    return (error**2).mean(), (x, error)
    ### END SOLUTION


def linear_regression_backward(dout, cache):
    """dout () → dw (), db ()."""
    ### BEGIN SOLUTION
    x, error = cache
    dp = dout * 2 * error / len(error)
    return (dp * x).sum(), dp.sum()
    ### END SOLUTION


def fit(x, y, *, lr, epochs):
    """x, y (N,) → w (), b () after `epochs` steps of gradient descent from w = b = 0."""
    ### BEGIN SOLUTION
    w, b = x.new_zeros(()), x.new_zeros(())
    for _ in range(epochs):
        loss, cache = linear_regression_forward(x, y, w, b)
        dw, db = linear_regression_backward(torch.ones_like(loss), cache)
        w, b = w - lr * dw, b - lr * db
    return w, b
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    Cause,
    Layer,
    Lesson,
    Trains,
    at,
    drop,
    edge,
    edit,
    line,
    mismatched,
    normal,
    standard,
    wrong,
)

LESSON = Lesson(
    name="linear_regression",
    title="Linear regression",
    source="Bishop, Pattern Recognition (2006), eq. 1.2 and 3.12; Goodfellow et al. (2016), section 5.1.4",
    requires=("sine_chain",),
    forbids=("mse_loss", "lstsq", "pinverse"),
    minutes=20,
    tasks=(
        Layer(
            "x[N] y[N] w[] b[] -> loss[]",
            wrt=("w", "b"),
            oracle=lambda x, y, w, b: F.mse_loss(w * x + b, y),
            sizes=dict(N=7),
            bench=dict(N=455),
            probes=(
                edge("from w = b = 0", w=0.0, b=0.0),
                at("far from 0", x=normal(shift=3), y=normal(shift=-2)),
                at("x of 100", x=normal(scale=100)),
                *mismatched("y", "N,1", "1"),
                *mismatched("x", "N,1"),
            ),
        ),
        Trains(
            "fit",
            "x[N] y[N] -> w[] b[]",
            loss=lambda w, b, x, y: F.mse_loss(w * x + b, y),
            data=line(slope=1.5, offset=-2, noise=0.1),
            sizes=dict(N=7),
            probes=(
                at(lr=0.1, epochs=1),
                at(N=4, lr=0.05, epochs=2),
                at(N=9, lr=0.2, epochs=3),
                at(N=1, lr=0.1, epochs=2),
                at(N=6, lr=0.1, epochs=60),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored", "dw divided by N"),
        edit("x.shape != y.shape", "len(x) != len(y)", "broadcasts silently", Cause.SILENT_BROADCAST),
        drop(" / len(error)", "1/N missing", Cause.MISSING_BATCH_MEAN),
        edit("(dp * x).sum(), dp.sum()", "(dp * x).mean(), dp.mean()", "1/N twice", Cause.EXTRA_BATCH_MEAN),
        edit("dout * 2 * error", "dout * error", "2 forgotten", Cause.CONSTANT_FACTOR),
        edit("dout * 2 * error", "-dout * 2 * error", "sign", Cause.SIGN),
        edit("(dp * x).sum()", "(dp * 1).sum()", "x forgotten in dw", Cause.MISSING_TERM),
        edit(
            "(dp * x).sum(), dp.sum()",
            "dp.sum(), (dp * x).sum()",
            "dw and db the wrong way round",
            Cause.SWAPPED,
        ),
        edit("dp.sum()", "dp", "db not summed", Cause.MISSING_REDUCTION),
        edit(".mean()", ".sum()", "sum for mean in the loss", Cause.MISSING_BATCH_MEAN),
        edit("w - lr * dw, b - lr * db", "w + lr * dw, b + lr * db", "uphill", Cause.SIGN),
        edit("torch.ones_like(loss)", "loss", "dout is the loss itself", Cause.CONSTANT_FACTOR),
        edit("\n    return w, b", "\n        return w, b", "return inside the loop", Cause.RETURNS_NONE),
        wrong("b stepped at the new w", Cause.OVERWRITTEN),
        wrong("gradient taken once", Cause.STALE_STATE),
    ),
    why="w meets every x, so its gradient collects residual times x over all samples; b meets a 1 instead. The mean divides both by N, once.",
    hints=(
        "Name the steps: p = w x + b, error = p − y, loss = mean of error². Differentiate from the last to the first.",
        "dp, the gradient of every prediction, is the heart: dw and db are both sums over dp, with the factor that w and b have in p.",
        "In fit, dout is torch.ones_like(loss). Compute dw and db at the old w and b, then step both.",
    ),
)
### END SPEC
