"""Group normalisation
===================

Between one statistic for a whole sample (layer norm) and one for each channel of a sample (instance norm)
lies a choice: split the C channels into groups of neighbours, and normalise every group of every sample on
its own.

    x (N, C, H, W)  →  (N, G, C/G, H, W): μ and σ² over the last three axes, one for each sample and group
    x̂ = (x − μ) / √(σ² + ε)     out = γ[c] x̂ + β[c]

γ and β (C,) stay one for each channel  →  out (N, C, H, W). The batch plays no part, so a batch of one is as
good as any.

Backwards the means are over a group, as in layer norm over a row. Mind where γ belongs: it differs from
channel to channel inside a group.

Conventions: groups divides C; biased variance; ε under the root; x may be any view, contiguous in memory or
not.
"""


def groupnorm_forward(x, gamma, beta, *, groups, eps=1e-5):
    """out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) → out (N, C, H, W), cache."""
    ### BEGIN SOLUTION
    gamma, beta = gamma[:, None, None], beta[:, None, None]
    rows = x.reshape(len(x), groups, -1)
    mu = rows.mean(-1, keepdim=True)
    sigma2 = (rows - mu).square().mean(-1, keepdim=True)
    rstd = 1 / (sigma2 + eps).sqrt()
    xhat = ((rows - mu) * rstd).reshape(x.shape)
    return gamma * xhat + beta, (xhat, rstd, gamma)
    ### END SOLUTION


def groupnorm_backward(dout, cache):
    """dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    dgamma = (dout * xhat).sum((0, 2, 3))
    dbeta = dout.sum((0, 2, 3))
    dxhat = (dout * gamma).reshape(*rstd.shape[:2], -1)
    xhat = xhat.reshape(dxhat.shape)
    shift = dxhat.mean(-1, keepdim=True)
    stretch = (dxhat * xhat).mean(-1, keepdim=True)
    dx = rstd * (dxhat - shift - xhat * stretch)
    return dx.reshape(dout.shape), dgamma, dbeta
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
    wrong,
)

OFFSET = "far from 0 the mean of x² minus μ² loses most of its digits; subtract μ first, then square."
FAINT = [[[[1e-3, -2e-3]], [[5e-4, 1e-3]], [[2.0, 2.0]], [[2.0, 2.0]], [[0.5, -1.5]], [[3.0, 0.25]]]]

LESSON = Lesson(
    name="groupnorm",
    title="Group normalisation",
    source="Wu and He, Group Normalization (2018), eq. 1, 2 and 7",
    requires=("batchnorm2d", "layernorm"),
    forbids=NORMALISATIONS,
    points=10,
    minutes=25,
    tasks=(
        Layer(
            "x[N,C,H,W] gamma[C] beta[C] -> out[N,C,H,W]",
            oracle=lambda x, gamma, beta, *, groups, eps=1e-5: F.group_norm(x, groups, gamma, beta, eps),
            sizes=dict(N=3, C=6, H=4, W=5),
            hyper=dict(groups=2),
            draw=dict(x=normal(shift=1)),
            bench=dict(N=8, C=16, H=8, W=8, groups=4),
            probes=(
                at("one group, eps 0.1", groups=1, eps=0.1, C=4),
                at("as many groups as channels", groups=3, C=3),
                at("4 groups of 2, one image", groups=4, N=1, C=8, H=2, W=3),
                at("one channel", groups=1, C=1, W=2),
                at("one pixel, eps 0.5", eps=0.5, N=4, H=1, W=1),
                *VIEWS,
                edge("gamma zero and negative", x=normal(shift=-2), gamma=[-1.5, 0.0, 2.0, -0.25]),
                edge("a group of variance 1e-6 and a constant one", groups=3, x=FAINT),
                stability("pixels far from 0", OFFSET, C=4, H=3, W=2, x=normal(shift=1e6)),
            ),
        ),
    ),
    mistakes=(
        wrong("gamma outside the means", Cause.WRONG_OPERAND, by_fingerprint=UNSEEN_TERM),
        edit("(dout * gamma)", "dout", "gamma not in dx", Cause.MISSING_TERM),
        drop(" - shift", "the path through the mean is missing", Cause.MISSING_TERM),
        drop(" - xhat * stretch", "the path through the variance is missing", Cause.MISSING_TERM),
        wrong("every groups-th channel instead of neighbours", Cause.WRONG_AXIS, by_fingerprint=UNSEEN_TERM),
        wrong("statistics over the batch as well", Cause.WRONG_AXIS, by_fingerprint=UNSEEN_TERM),
        edit("x), groups", "x), 1", "always one group", Cause.FORWARD_WRONG),
        edit("x), groups", "x), len(gamma)", "as many groups as channels, always", Cause.FORWARD_WRONG),
        edit("x), groups", "x), len(gamma) // groups", "groups taken for their size", Cause.FORWARD_WRONG),
        edit("(rows - mu).square().mean(", "rows.var(", "unbiased variance", Cause.FORWARD_WRONG),
        edit("(sigma2 + eps).sqrt()", "(sigma2.sqrt() + eps)", "eps outside the root", Cause.FORWARD_WRONG),
        edit("xhat).sum((0, 2", "xhat).sum((2", "dgamma not summed over the batch", Cause.MISSING_REDUCTION),
        edit("dout.sum((0, 2, 3))", "dout.mean((0, 2, 3))", "dbeta averaged", Cause.MEAN_FOR_SUM),
    ),
    why="The channels of a group share statistics, so a group is normalised as one row. gamma varies inside a group, so it is multiplied in before the means are taken.",
    hints=(
        "reshape(N, groups, -1) puts every group of every sample into a row of its own, and rows you can normalise already.",
        "gamma and beta belong to channels, not to groups: apply them where the shape is (N, C, H, W).",
        "Going backward, first multiply by gamma, then reshape into groups, then average over the last axis, then reshape back.",
    ),
)
### END SPEC
