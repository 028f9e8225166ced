"""Batch normalisation of images
=============================

A convolution slides one filter over the whole image, so all pixels of a channel are samples of the same
feature. Batch normalisation therefore takes its statistics over the batch and over all pixels, one mean and
one variance a channel:

    x̂[n, c, h, w] = (x[n, c, h, w] − μ[c]) / √(σ²[c] + ε)     out = γ[c] x̂ + β[c]

x (N, C, H, W), γ and β (C,)  →  out (N, C, H, W).

An entry of x reaches the loss as before, through its own x̂ and through μ and σ² of its channel; every mean
is now over the N H W entries that share them. γ[c] and β[c] meet all of those entries, too.

Conventions: training mode; biased variance, divided by N H W; ε under the root; x may be any view, contiguous
in memory or not.
"""


def batchnorm2d_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) → out (N, C, H, W), cache."""
    ### BEGIN SOLUTION
    gamma, beta = gamma[:, None, None], beta[:, None, None]
    mu = x.mean((0, 2, 3), keepdim=True)
    sigma2 = (x - mu).square().mean((0, 2, 3), keepdim=True)
    rstd = 1 / (sigma2 + eps).sqrt()
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, (xhat, rstd, gamma)
    ### END SOLUTION


def batchnorm2d_backward(dout, cache):
    """dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    dgamma = (dout * xhat).sum((0, 2, 3))
    dbeta = dout.sum((0, 2, 3))
    dxhat = dout * gamma
    shift = dxhat.mean((0, 2, 3), keepdim=True)
    stretch = (dxhat * xhat).mean((0, 2, 3), keepdim=True)
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
    stability,
    standard,
)

OFFSET = "far from 0 the mean of x² minus μ² loses most of its digits; subtract μ first, then square."
FAINT = [[[[1e-3, -1e-3]], [[2.0, 2.0]], [[0.5, -1.5]]], [[[-1e-3, 2e-3]], [[2.0, 2.0]], [[3.0, 0.25]]]]

LESSON = Lesson(
    name="batchnorm2d",
    title="Batch normalisation of images",
    source="Ioffe and Szegedy, Batch Normalization (2015), section 3.2",
    requires=("batchnorm",),
    forbids=NORMALISATIONS,
    points=10,
    minutes=20,
    tasks=(
        Layer(
            "x[N,C,H,W] gamma[C] beta[C] -> out[N,C,H,W]",
            oracle=lambda x, gamma, beta, *, eps=1e-5: F.batch_norm(
                x, None, None, gamma, beta, True, 0.1, eps
            ),
            sizes=dict(N=3, C=2, H=4, W=5),
            draw=dict(x=normal(scale=2, shift=1)),
            bench=dict(N=16, C=16, H=8, W=8),
            probes=(
                at("one image, eps 0.1", N=1, C=4, eps=0.1),
                at("one channel", C=1),
                at("one pixel", N=6, H=1, W=1),
                at("more channels than pixels", C=7, H=2, W=1),
                edge("gamma zero and negative", x=normal(shift=-2), gamma=[-1.5, 0.0, 2.0, -0.25]),
                edge("a channel of variance 1e-6 and a constant one", x=FAINT),
                stability("pixels far from 0", OFFSET, W=2, x=normal(shift=1e6)),
                *VIEWS,
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored in dgamma"),
        drop(" - shift", "the path through the mean is missing", Cause.MISSING_TERM),
        drop(" - xhat * stretch", "the path through the variance is missing", Cause.MISSING_TERM),
        edit(
            "- shift - xhat * stretch",
            "- (shift + xhat * stretch) * dout[0, 0].numel()",
            "divided by the batch, not by all entries",
            Cause.CONSTANT_FACTOR,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit(
            "square().mean((0, 2, 3)",
            "square().mean((0,)",
            "statistics over the batch only",
            Cause.WRONG_AXIS,
        ),
        edit("(0, 2, 3)", "(2, 3)", "statistics of each image", Cause.MISSING_REDUCTION),
        edit("(0, 2, 3)", "(1, 2, 3)", "statistics over the channels", Cause.WRONG_AXIS),
        edit("(x - mu).square().mean(", "x.var(", "unbiased variance", Cause.FORWARD_WRONG),
        edit("(sigma2 + eps).sqrt()", "(sigma2.sqrt() + eps)", "eps outside the root", Cause.FORWARD_WRONG),
        edit(
            "dout.sum((0, 2, 3))", "dout.sum(0)", "dbeta not summed over the pixels", Cause.MISSING_REDUCTION
        ),
        edit(
            "dx, dgamma",
            "dx, dgamma[:, None, None]",
            "gamma's shape kept for broadcasting",
            Cause.WRONG_SHAPE,
        ),
    ),
    why="The statistics of a channel run over images and pixels alike, so a channel is one column of N H W entries, and the gradient is that of batch norm.",
    hints=(
        "Which entries of x share one mean? How many are they?",
        "mean((0, 2, 3), keepdim=True) leaves a shape that broadcasts against x; gamma needs two more axes for that.",
        "Or permute the channels to the end and reshape: (N H W, C) is the batch norm that you have written.",
    ),
)
### END SPEC
