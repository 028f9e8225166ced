"""Batch normalisation
===================

Give every feature mean 0 and variance 1 over the batch, then let the network choose another scale γ and
shift β:

    μ = 1/N Σₙ x[n]        σ² = 1/N Σₙ (x[n] − μ)²
    x̂ = (x − μ) / √(σ² + ε)                          out = γ x̂ + β

x (N, D), γ and β (D,), so μ and σ² are (D,), one for each column  →  out (N, D).

Going backward, an entry of x moves the loss in three ways: through its own x̂, through μ, and through σ². So
its gradient has three terms. The last two take out of it what would shift or stretch a whole column, because
the layer undoes that at once.

Conventions: this is training mode, where the statistics are those of the batch. σ² is the biased variance,
divided by N. ε stands under the root. One row has no variance: with N = 1 the layer raises a `ValueError`.
"""


def batchnorm_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (N, D), gamma (D,), beta (D,) → out (N, D), cache."""
    ### BEGIN SOLUTION
    if len(x) == 1:
        raise ValueError(f"batch norm needs more than one row to normalise over, got x {tuple(x.shape)}")
    mu = x.mean(0)
    sigma2 = (x - mu).square().mean(0)
    rstd = 1 / (sigma2 + eps).sqrt()
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, (xhat, rstd, gamma)
    ### END SOLUTION


def batchnorm_backward(dout, cache):
    """dout (N, D) → dx (N, D), dgamma (D,), dbeta (D,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    dgamma = (dout * xhat).sum(0)
    dbeta = dout.sum(0)
    dxhat = dout * gamma
    shift, stretch = dxhat.mean(0), (dxhat * xhat).mean(0)
    dx = rstd * (dxhat - shift - xhat * stretch)
    return dx, dgamma, dbeta
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    NORMALISATIONS,
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    at,
    columns,
    drop,
    edge,
    edit,
    normal,
    refused,
    stability,
    standard,
    wrong,
)

OFFSET = "far from 0 the mean of x² minus μ² loses most of its digits; subtract μ first, then square."
ONE_ROW = "one row is its own mean and has no variance, so training on it must raise ValueError."

LESSON = Lesson(
    name="batchnorm",
    title="Batch normalisation",
    source="Ioffe and Szegedy, Batch Normalization (2015), algorithm 1 and section 3",
    requires=("mlp",),
    forbids=NORMALISATIONS,
    points=15,
    minutes=40,
    tasks=(
        Layer(
            "x[N,D] gamma[D] beta[D] -> out[N,D]",
            oracle=lambda x, gamma, beta, *, eps=1e-5: F.batch_norm(
                x, None, None, gamma, beta, True, 0.1, eps
            ),
            sizes=dict(N=5, D=3),
            draw=dict(x=normal(scale=2, shift=1)),
            bench=dict(N=128, D=64),
            probes=(
                at(N=16, eps=0.1),
                at(N=2, eps=0.5),
                at("more features than rows", N=4, D=9),
                edge("gamma zero and negative", x=normal(shift=-3), gamma=[-1.5, 0.0, 2.0]),
                edge(
                    "a column of variance 1e-6 and a constant one",
                    x=columns(spread=(1e-3, 0.0, 2.0), shift=2.0),
                ),
                stability("columns far from 0", OFFSET, N=8, x=normal(shift=1e6)),
                refused("one row", says=ONE_ROW, mentions=(), cause=Cause.NOT_REFUSED, N=1),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored", "upstream ignored in dgamma"),
        *standard("dbeta averaged", "dbeta summed over everything"),
        drop(" - shift", "the path through the mean is missing", Cause.MISSING_TERM),
        drop(" - xhat * stretch", "the path through the variance is missing", Cause.MISSING_TERM),
        edit(" - xhat * s", " + xhat * s", "the sign of the path through the variance", Cause.SIGN),
        edit(" - shift", " + shift", "the sign of the path through the mean", Cause.SIGN),
        drop(
            " - shift - xhat * stretch",
            "the statistics taken for constants",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_TERM,
        ),
        wrong("the mean inside the variance, but not outside", Cause.MISSING_TERM),
        edit("dxhat = dout * gamma", "dxhat = dout", "gamma not in dx", Cause.MISSING_TERM),
        edit("(x - mu).square().mean(0)", "x.var(0)", "unbiased variance", Cause.FORWARD_WRONG),
        edit("(sigma2 + eps).sqrt()", "(sigma2.sqrt() + eps)", "eps outside the root", Cause.FORWARD_WRONG),
        edit("(sigma2 + eps)", "sigma2", "eps forgotten", Cause.NOT_FINITE),
        edit("(sigma2 + eps)", "(sigma2 + 1e-5)", "eps of its own", Cause.FORWARD_WRONG),
        edit("mean(0)", "mean(1, keepdim=True)", "normalised over the features", Cause.WRONG_AXIS),
        edit("(dout * xhat).sum(0)", "(dout * xhat / rstd).sum(0)", "x for x̂ in dgamma", Cause.WRONG_OPERAND),
        edit("dx = rstd", "dx = len(dout) * rstd", "sum for mean inside dx", Cause.MISSING_BATCH_MEAN),
        edit(
            "(x - mu).square().mean(0)",
            "x.pow(2).mean(0) - mu**2",
            "variance from the squares",
            Cause.UNSTABLE,
        ),
        edit("if len(x) == 1", "if len(x) == 0", "one row accepted", Cause.NOT_REFUSED),
    ),
    why="x reaches the loss through its own x̂ and through both statistics of its column. Those paths take out of the gradient what would shift or stretch the column, since that is undone at once.",
    hints=(
        "Draw the graph: x goes into x − μ, into μ and into σ². Three arrows leave x, so dx has three terms.",
        "Find the gradient with respect to σ² first, then the one with respect to μ; both are sums over the batch. The share of σ² in μ's is zero.",
        "Write everything in terms of x̂: ∂σ²/∂x = 2 (x − μ) / N and (x − μ) / √(σ² + ε) = x̂. Most factors cancel.",
    ),
)
### END SPEC
