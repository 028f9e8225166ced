"""Layer normalisation
===================

Batch normalisation ties the samples of a batch together. Layer normalisation looks at one sample at a time,
and normalises over its features:

    μ = 1/D Σ_d x[n, d]        σ² = 1/D Σ_d (x[n, d] − μ)²
    x̂ = (x − μ) / √(σ² + ε)                                  out = γ x̂ + β

x (N, D), γ and β (D,): μ and σ² have the shape (N,), one for each sample  →  out (N, D). A sequence has more
leading axes, x (…, D), and each of its places is a sample.

The statistics now run along the last axis, while γ and β are shared by all samples. So the backward pass
averages over the last axis for x, and sums over all the others for γ and β. Note where γ stands: it differs
along the axis of the mean.

Conventions: biased variance, divided by D; ε under the root; x may be any view, contiguous in memory or not.
"""


def layernorm_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (…, D), gamma (D,), beta (D,) → out (…, D), cache."""
    ### BEGIN SOLUTION
    mu = x.mean(-1, keepdim=True)
    sigma2 = (x - mu).square().mean(-1, keepdim=True)
    rstd = 1 / (sigma2 + eps).sqrt()
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, (xhat, rstd, gamma)
    ### END SOLUTION


def layernorm_backward(dout, cache):
    """dout (…, D) → dx (…, D), dgamma (D,), dbeta (D,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    dgamma = (dout * xhat).reshape(-1, len(gamma)).sum(0)
    dbeta = dout.reshape(-1, len(gamma)).sum(0)
    dxhat = dout * gamma
    shift = dxhat.mean(-1, keepdim=True)
    stretch = (dxhat * xhat).mean(-1, keepdim=True)
    dx = rstd * (dxhat - shift - xhat * stretch)
    return dx, dgamma, dbeta
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    NORMALISATIONS,
    UNSEEN_TERM,
    VIEWS,
    Cause,
    Layer,
    Lesson,
    at,
    drop,
    edge,
    edit,
    normal,
    reach,
    stability,
    standard,
    transposed,
    wrong,
)

OFFSET = "far from 0 the mean of x² minus μ² loses most of its digits; subtract μ first, then square."
FAINT = [[1e-3, -2e-3, 5e-4, 1e-3], [2.0, 2.0, 2.0, 2.0], [0.5, -1.5, 3.0, 0.25]]


def torchs(x, gamma, beta, *, eps=1e-5):
    if len(gamma) == 1:
        raise ValueError("one feature is its own mean: the gradient is 0, and what is computed is rounding")
    return F.layer_norm(x, gamma.shape, gamma, beta, eps)


LESSON = Lesson(
    name="layernorm",
    title="Layer normalisation",
    source="Ba, Kiros and Hinton, Layer Normalization (2016), eq. 3 and 4",
    requires=("batchnorm",),
    forbids=NORMALISATIONS,
    points=10,
    minutes=25,
    tasks=(
        Layer(
            "x[...,D] gamma[D] beta[D] -> out[...,D]",
            oracle=torchs,
            sizes=dict(rest=(5,), D=4),
            draw=dict(x=normal(scale=2, shift=1)),
            bench=dict(rest=(128,), D=64),
            probes=(
                at("more features than rows, eps 0.1", rest=(3,), D=7, eps=0.1),
                at("two features, eps 0.5", D=2, eps=0.5),
                *VIEWS,
                edge("gamma zero and negative", x=normal(shift=-3), gamma=[-1.5, 0.0, 2.0, -0.25]),
                edge("a row of variance 1e-6 and a constant one", x=FAINT),
                stability("rows far from 0", OFFSET, D=8, x=normal(shift=1e6)),
                reach(
                    "more axes than two",
                    at("three axes", rest=(2, 3), x=transposed()),
                    at("four axes", rest=(2, 3, 2), x=transposed()),
                    says="only x of two axes is taken so far; average over the last axis, and sum over all the others",
                ),
            ),
        ),
    ),
    mistakes=(
        *standard(
            "upstream ignored",
            "dgamma of the last row only",
            "dgamma summed over everything",
            "dbeta averaged",
        ),
        wrong("over the batch, as batch norm does", Cause.WRONG_AXIS),
        wrong("gamma outside the means", Cause.WRONG_OPERAND, by_fingerprint=UNSEEN_TERM),
        edit("dxhat = dout * gamma", "dxhat = dout", "gamma not in dx", Cause.MISSING_TERM),
        drop(" - shift", "the path through the mean is missing", Cause.MISSING_TERM),
        edit(" - xhat * s", " + xhat * s", "the sign of the path through the variance", Cause.SIGN),
        drop(" - xhat * stretch", "the path through the variance is missing", Cause.MISSING_TERM),
        drop(".reshape(-1, len(gamma))", "only the first axis summed", Cause.NOT_GENERAL),
        edit("(x - mu).square().mean(", "x.var(", "unbiased variance", Cause.FORWARD_WRONG),
        edit("(sigma2 + eps).sqrt()", "(sigma2.sqrt() + eps)", "eps outside the root", Cause.FORWARD_WRONG),
        edit("dx = rstd * (", "dx = (", "1/σ missing in dx", Cause.MISSING_TERM),
    ),
    why="The three paths of batch norm, along the last axis: the mean and variance of a row are made of that row. gamma and beta serve all rows, so they collect over them.",
    hints=(
        "For one row this is batch norm of a column. What changes is which axis is averaged, and which is summed.",
        "Multiply dout by gamma before anything is averaged: along the last axis gamma is not a constant.",
        "dgamma and dbeta must be (D,) however many leading axes x has: make those one, then sum over it.",
    ),
)
### END SPEC
