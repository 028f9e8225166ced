"""Instance normalisation
======================

Every channel of every image on its own: what is bright or dark, strong or faint in this image is taken out,
and only the pattern remains. Style transfer, where the contrast of the content image should not matter, made
it known.

    μ, σ² over the pixels: (N, C)     x̂ = (x − μ) / √(σ² + ε)     out = γ[c] x̂ + β[c]

x (N, C, H, W), γ and β (C,)  →  out (N, C, H, W).

Backwards the means of x's gradient are over the H W pixels of one channel of one image, while γ and β are
shared by all images: what is averaged and what is summed runs over different axes.

Conventions: biased variance, divided by H W; ε under the root; x may be any view, contiguous in memory or
not.
"""


def instancenorm2d_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) → out (N, C, H, W), cache."""
    ### BEGIN SOLUTION
    mu = x.mean((2, 3), keepdim=True)
    sigma2 = (x - mu).square().mean((2, 3), keepdim=True)
    rstd = 1 / (sigma2 + eps).sqrt()
    xhat = (x - mu) * rstd
    return gamma[:, None, None] * xhat + beta[:, None, None], (xhat, rstd, gamma)
    ### END SOLUTION


def instancenorm2d_backward(dout, cache):
    """dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    dgamma = (dout * xhat).sum((0, 2, 3))
    dbeta = dout.sum((0, 2, 3))
    dxhat = dout * gamma[:, None, None]
    shift, stretch = dxhat.mean((2, 3), keepdim=True), (dxhat * xhat).mean((2, 3), keepdim=True)
    return rstd * (dxhat - shift - xhat * stretch), dgamma, dbeta
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
FAINT = [[[[1e-3, -1e-3, 1e-3, -2e-3]], [[2.0, 2.0, 2.0, 2.0]], [[0.5, -1.5, 3.0, 0.25]]]]

LESSON = Lesson(
    name="instancenorm2d",
    title="Instance normalisation",
    source="Ulyanov, Vedaldi and Lempitsky, Instance Normalization (2016), eq. 4",
    requires=("groupnorm",),
    forbids=NORMALISATIONS,
    points=10,
    minutes=15,
    tasks=(
        Layer(
            "x[N,C,H,W] gamma[C] beta[C] -> out[N,C,H,W]",
            oracle=lambda x, gamma, beta, *, eps=1e-5: F.instance_norm(x, None, None, gamma, beta, eps=eps),
            sizes=dict(N=4, C=2, H=3, W=5),
            draw=dict(x=normal(scale=2, shift=1)),
            bench=dict(N=16, C=16, H=8, W=8),
            probes=(
                at("one image, eps 0.1", N=1, C=4, eps=0.1),
                at("one channel", C=1),
                at("one row of pixels", H=1),
                at("more images than pixels", N=7, H=2, W=2, eps=0.5),
                *VIEWS,
                edge("gamma zero and negative", x=normal(shift=-2), gamma=[-1.5, 0.0, 2.0, -0.25]),
                edge("a channel of variance 1e-6 and a constant one", x=FAINT),
                stability("pixels far from 0", OFFSET, W=2, x=normal(shift=1e6)),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored in dgamma", "dbeta divided by N"),
        drop(" - shift", "the path through the mean is missing", Cause.MISSING_TERM),
        drop(" - xhat * stretch", "the path through the variance is missing", Cause.MISSING_TERM),
        edit("mean((2, 3)", "mean((0, 2, 3)", "statistics over the batch as well", Cause.WRONG_AXIS),
        edit("mean((2, 3)", "mean((1, 2, 3)", "statistics over the channels as well", Cause.WRONG_AXIS),
        edit(
            "xhat).sum((0, 2, 3))",
            "xhat).sum((2, 3))",
            "dgamma not summed over the batch",
            Cause.MISSING_REDUCTION,
        ),
        edit("dxhat = dout * gamma[:, None, None]", "dxhat = dout", "gamma not in dx", Cause.MISSING_TERM),
        edit(
            "- shift - xhat * stretch",
            "- (shift + xhat * stretch) / len(dout)",
            "divided by the batch as well",
            Cause.CONSTANT_FACTOR,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("(x - mu).square().mean(", "x.var(", "unbiased variance", Cause.FORWARD_WRONG),
        edit("(sigma2 + eps).sqrt()", "(sigma2.sqrt() + eps)", "eps outside the root", Cause.FORWARD_WRONG),
    ),
    why="Every channel of every image is a row of its own. The statistics run over its pixels, and gamma, which is constant there, stands outside the means.",
    hints=(
        "It is group norm with as many groups as channels. Which axes are left to average over?",
        "dx needs two means over the pixels of one image; dgamma and dbeta need sums over the pixels of all images.",
        "gamma is constant over the pixels of a channel, so here it may stand outside the means.",
    ),
)
### END SPEC
