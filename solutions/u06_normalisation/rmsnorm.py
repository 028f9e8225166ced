"""Root mean square normalisation
==============================

Is it the mean or the scale that makes layer normalisation work? The scale alone does nearly as well, and is
cheaper:

    r = √( 1/D Σ_d x[n, d]² + ε )     out = γ x / r

x (N, D), γ (D,): r has the shape (N,), one for each sample  →  out (N, D). There is no μ and no β. As in
layer norm, x may have more leading axes, (…, D).

With x̂ = x / r, an entry of x reaches the loss through its own x̂ and, since r is made of the whole row,
through every other x̂ of its row. γ is shared by all samples.

Conventions: ε stands under the root, beside the mean of the squares; x may be any view, contiguous in memory
or not.
"""


def rmsnorm_forward(x, gamma, *, eps=1e-5):
    """out = γ x / r.  x (…, D), gamma (D,) → out (…, D), cache."""
    ### BEGIN SOLUTION
    r = (x.square().mean(-1, keepdim=True) + eps).sqrt()
    xhat = x / r
    return gamma * xhat, (xhat, r, gamma)
    ### END SOLUTION


def rmsnorm_backward(dout, cache):
    """dout (…, D) → dx (…, D), dgamma (D,)."""
    ### BEGIN SOLUTION
    xhat, r, gamma = cache
    dgamma = (dout * xhat).reshape(-1, len(gamma)).sum(0)
    dxhat = dout * gamma
    stretch = (dxhat * xhat).mean(-1, keepdim=True)
    dx = (dxhat - xhat * stretch) / r
    return dx, dgamma
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
    standard,
    wrong,
)

TWO_AXES = "only x of two axes is taken so far; dgamma sums over all axes but the last"

LESSON = Lesson(
    name="rmsnorm",
    title="Root mean square normalisation",
    source="Zhang and Sennrich, Root Mean Square Layer Normalization (2019), eq. 4",
    requires=("layernorm",),
    forbids=NORMALISATIONS,
    points=10,
    minutes=15,
    tasks=(
        Layer(
            "x[...,D] gamma[D] -> out[...,D]",
            oracle=lambda x, gamma, *, eps=1e-5: F.rms_norm(x, gamma.shape, gamma, eps),
            sizes=dict(rest=(5,), D=4),
            draw=dict(x=normal(scale=2, shift=1)),
            bench=dict(rest=(128,), D=64),
            probes=(
                at("more features than rows", rest=(3,), D=7),
                at("two features, eps 0.1", D=2, eps=0.1),
                *VIEWS,
                edge("gamma zero and negative", x=normal(shift=-3), gamma=[-1.5, 0.0, 2.0, -0.25]),
                edge("a row of 1e-3, one of zeros", x=[[1e-3, -2e-3, 5e-4], [0.0] * 3, [0.5, 3.0, 0.25]]),
                reach("more axes than two", at(rest=(3, 2)), at(rest=(2, 3, 2)), says=TWO_AXES),
            ),
        ),
    ),
    mistakes=(
        *standard("dgamma of the last row only"),
        edit("gamma)).sum(0)", "gamma)).mean(0)", "dgamma averaged", Cause.EXTRA_BATCH_MEAN),
        drop(" - xhat * stretch", "the path through r is missing", Cause.MISSING_TERM),
        edit("xhat).mean(", "xhat).sum(", "sum for mean in the path through r", Cause.MEAN_FOR_SUM),
        edit("(dxhat - xhat", "(dxhat + xhat", "the sign of the path through r", Cause.SIGN),
        edit(
            "(dxhat * xhat)",
            "(dout * xhat)",
            "gamma not in the path through r",
            Cause.MISSING_TERM,
            by_fingerprint=UNSEEN_TERM,
        ),
        wrong("the mean subtracted as well, as in layer norm", Cause.MISSING_TERM),
        edit(
            "x.square().mean(", "x.var(correction=0, dim=", "centred, as in layer norm", Cause.FORWARD_WRONG
        ),
        edit(
            "(dxhat * xhat)",
            "(dxhat * xhat * r)",
            "x for x̂ in the path through r",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("dxhat = dout * gamma", "dxhat = dout", "gamma not in dx", Cause.MISSING_TERM),
        edit("x.square().mean(", "x.square().sum(", "norm for root mean square", Cause.MEAN_FOR_SUM),
        edit("+ eps).sqrt()", ").sqrt() + eps", "eps outside the root", Cause.FORWARD_WRONG),
        edit("x.square().mean(-1", "x.square().mean(0", "over the batch", Cause.WRONG_AXIS),
        drop(".reshape(-1, len(gamma))", "only the first axis summed", Cause.NOT_GENERAL),
    ),
    why="Only the scale of a row is removed, and not its mean, so one path less is left than in layer norm: the gradient loses its part along x̂.",
    hints=(
        "r depends on every entry of its row: ∂r/∂x[d] = x[d] / (D r).",
        "The quotient rule gives two terms; write both with x̂ = x / r and take 1/r out.",
        "Compare with layer norm: the term that removed a mean came from μ, and there is no μ here.",
    ),
)
### END SPEC
