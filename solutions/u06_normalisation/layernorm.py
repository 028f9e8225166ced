"""Layer normalisation
===================

Batch normalisation ties the samples of a batch together. Layer normalisation looks at one sample at a time, and normalises over its features:

    μ = 1/D Σ_d x[…, d]     σ² = 1/D Σ_d (x[…, d] − μ)²     x̂ = (x − μ) / √(σ² + ε)     out = γ x̂ + β

x (…, D) with any leading axes, γ and β (D,): μ and σ² have the shape (…), one for each sample  →  out (…, D).

The statistics now run along the last axis, while γ and β are shared by all samples. So the backward pass averages over the last axis,

    ∂L/∂x = ( g − mean(g) − x̂ · mean(g x̂) ) / √(σ² + ε)     g = γ ∂L/∂out

and sums over all the others, ∂L/∂γ = Σ ∂L/∂out · x̂ and ∂L/∂β = Σ ∂L/∂out. Note where γ stands: it differs along the axis of the mean, so
it belongs inside.

Conventions: biased variance, divided by D; ε under the root; x may be any view, contiguous in memory or not.
"""

import torch


def layernorm_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (…, D), gamma (D,), beta (D,) → out (…, D), cache."""
    ### BEGIN SOLUTION
    centred = x - x.mean(-1, keepdim=True)
    rstd = torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
    xhat = centred * rstd
    return gamma * xhat + beta, (xhat, rstd, gamma)
    ### END SOLUTION


def layernorm_backward(dout, cache):
    """dout (…, D) → dx (…, D), dgamma (D,), dbeta (D,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    g = dout * gamma
    dx = rstd * (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True))
    dgamma = (dout * xhat).flatten(0, -2).sum(0)
    dbeta = dout.flatten(0, -2).sum(0)
    return dx, dgamma, dbeta
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

OFFSET = Convention(
    "unstable", "far from 0 the mean of x² minus μ² loses most of its digits; subtract μ first, then square."
)
LAYOUT = Convention(
    "layout",
    "x may be any view of memory, transposed for one; reshape takes every tensor, view only contiguous ones.",
)


def oracle(x, gamma, beta, *, eps=1e-5):
    return torch.nn.functional.layer_norm(x, gamma.shape, gamma, beta, eps)


def _outer_gamma_backward(dout, cache):
    xhat, rstd, gamma = cache
    dx = gamma * rstd * (dout - dout.mean(-1, keepdim=True) - xhat * (dout * xhat).mean(-1, keepdim=True))
    return dx, (dout * xhat).flatten(0, -2).sum(0), dout.flatten(0, -2).sum(0)


def _batch_forward(x, gamma, beta, *, eps=1e-5):
    rows = x.reshape(-1, x.shape[-1])
    centred = rows - rows.mean(0)
    rstd = torch.rsqrt(centred.square().mean(0) + eps)
    xhat = (centred * rstd).reshape(x.shape)
    return gamma * xhat + beta, (xhat, rstd, gamma)


def _staged_forward(x, gamma, beta, *, eps=1e-5):
    rows = x.reshape(-1, gamma.numel()).T
    mean = rows.sum(0) / rows.shape[0]
    variance = ((rows - mean) ** 2).sum(0) / rows.shape[0]
    std = (variance + eps).sqrt()
    hat = (rows - mean) / std
    return (gamma * hat.T + beta).reshape(x.shape), {"hat": hat, "std": std, "gamma": gamma, "shape": x.shape}


def _staged_backward(dout, cache):
    hat, std = cache["hat"], cache["std"]
    rows = dout.reshape(-1, dout.shape[-1])
    size = hat.shape[0]
    dhat = (rows * cache["gamma"]).T
    dstd = -(dhat * hat / std).sum(0)
    dvariance = dstd / (2 * std)
    dcentred = dhat / std + 2 * hat * std * dvariance / size
    dmean = -dcentred.sum(0)
    return (dcentred + dmean / size).T.reshape(cache["shape"]), (rows * hat.T).sum(0), rows.sum(0)


def _numbers_forward(x, gamma, beta, *, eps=1e-5):
    out, saved = [], []
    for row in x.reshape(-1, x.shape[-1]).tolist():
        mean = sum(row) / len(row)
        scale = 1 / math.sqrt(sum((v - mean) ** 2 for v in row) / len(row) + eps)
        hats = [(v - mean) * scale for v in row]
        saved.append((hats, scale))
        out.append([h * g + b for h, g, b in zip(hats, gamma.tolist(), beta.tolist(), strict=True)])
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), (saved, gamma.tolist())


def _numbers_backward(dout, cache):
    saved, gamma = cache
    size = len(gamma)
    dx, dgamma, dbeta = [], [0.0] * size, [0.0] * size
    for up, (hats, scale) in zip(dout.reshape(-1, size).tolist(), saved, strict=True):
        a = sum(u * g for u, g in zip(up, gamma, strict=True)) / size
        b = sum(u * g * h for u, g, h in zip(up, gamma, hats, strict=True)) / size
        dx.append([scale * (u * g - a - h * b) for u, g, h in zip(up, gamma, hats, strict=True)])
        for d in range(size):
            dgamma[d] += up[d] * hats[d]
            dbeta[d] += up[d]
    kind = dout.dtype
    return (
        torch.tensor(dx, dtype=kind).reshape(dout.shape),
        torch.tensor(dgamma, dtype=kind),
        torch.tensor(dbeta, dtype=kind),
    )


def _projected_forward(x, gamma, beta, *, eps=1e-5):
    size = x.shape[-1]
    centre = torch.eye(size, dtype=x.dtype) - 1 / size
    z = x @ centre
    std = ((z * z).sum(-1) / size + eps).sqrt().unsqueeze(-1)

    def backward(dout):
        g = dout * gamma / std
        h = z / std
        leading = list(range(dout.dim() - 1))
        dx = (g - h * ((g * h).sum(-1, keepdim=True) / size)) @ centre
        return dx, torch.sum(dout * h, leading), torch.sum(dout, leading)

    return z / std * gamma + beta, backward


def _projected_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="layernorm",
    title="Layer normalisation",
    source="Ba, Kiros and Hinton, Layer Normalization (2016), eq. 3 and 4",
    requires=("batchnorm",),
    forbids=(
        "layer_norm",
        "native_layer_norm",
        "batch_norm",
        "native_batch_norm",
        "rms_norm",
        "group_norm",
        "instance_norm",
    ),
    points=10,
    minutes=25,
    tasks=(
        Pair(
            "layernorm",
            wrt=("x", "gamma", "beta"),
            oracle=oracle,
            probes=(
                probe(
                    "4 rows, 6 features", x=normal(4, 6, scale=2, shift=1), gamma=normal(6), beta=normal(6)
                ),
                probe("as many rows as features", x=normal(5, 5), gamma=normal(5), beta=normal(5)),
                probe(
                    "three axes, eps 0.1",
                    x=normal(2, 3, 5),
                    gamma=normal(5),
                    beta=normal(5),
                    hyper={"eps": 0.1},
                ),
                probe("four axes", x=normal(2, 3, 2, 7), gamma=normal(7), beta=normal(7)),
                probe("batch of one", x=normal(1, 4), gamma=normal(4), beta=normal(4)),
                probe("more rows than features", x=normal(9, 4), gamma=normal(4), beta=normal(4)),
                probe(
                    "two features, eps 0.5",
                    x=normal(5, 2),
                    gamma=normal(2),
                    beta=normal(2),
                    hyper={"eps": 0.5},
                ),
                probe(
                    "gamma zero and negative",
                    x=normal(3, 4, shift=-3),
                    gamma=literal([-1.5, 0.0, 2.0, -0.25]),
                    beta=literal([0.5, -1.0, 0.0, 2.0]),
                ),
                probe(
                    "a row of variance 1e-6 and a constant one",
                    x=literal([[1e-3, -2e-3, 5e-4, 1e-3], [2.0, 2.0, 2.0, 2.0], [0.5, -1.5, 3.0, 0.25]]),
                    gamma=literal([0.5, 1.5, -2.0, 1.0]),
                    beta=literal([1.0, -0.5, 0.25, 0.0]),
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 4, 3)),
                    gamma=transposed(normal(4)),
                    beta=normal(4),
                    convention=LAYOUT,
                ),
                probe(
                    "rows far from 0",
                    x=normal(3, 8, shift=1e6),
                    gamma=normal(8),
                    beta=normal(8),
                    convention=OFFSET,
                ),
            ),
            bench=probe("128 rows, 64 features", x=normal(128, 64), gamma=normal(64), beta=normal(64)),
        ),
    ),
    mistakes=(
        mistake("over the batch, as batch norm does", "wrong_axis", layernorm_forward=_batch_forward),
        mistake(
            "gamma outside the means",
            "wrong_operand",
            layernorm_backward=_outer_gamma_backward,
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("gamma not in dx", "missing_term", "g = dout * gamma", "g = dout"),
        mistake("the path through the mean is missing", "missing_term", " - g.mean(-1, keepdim=True)", ""),
        mistake(
            "the sign of the path through the variance",
            "sign",
            " - xhat * (g * xhat)",
            " + xhat * (g * xhat)",
        ),
        mistake(
            "only the last row counted in dgamma",
            "overwritten",
            "(dout * xhat).flatten(0, -2).sum(0)",
            "(dout * xhat).flatten(0, -2)[-1]",
        ),
        mistake(
            "the path through the variance is missing",
            "missing_term",
            " - xhat * (g * xhat).mean(-1, keepdim=True)",
            "",
        ),
        mistake(
            "dgamma summed over the features",
            "wrong_axis",
            "dgamma = (dout * xhat).flatten(0, -2).sum(0)",
            "dgamma = (dout * xhat).sum() + 0 * gamma",
        ),
        mistake(
            "dbeta averaged over the samples",
            "mean_for_sum",
            "dbeta = dout.flatten(0, -2).sum(0)",
            "dbeta = dout.flatten(0, -2).mean(0)",
        ),
        mistake("only the first axis summed", "missing_reduction", ".flatten(0, -2).sum(0)", ".sum(0)"),
        mistake(
            "unbiased variance",
            "forward_wrong",
            "centred.square().mean(-1, keepdim=True)",
            "x.var(-1, keepdim=True)",
        ),
        mistake(
            "eps outside the root",
            "forward_wrong",
            "torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)",
            "1 / (centred.square().mean(-1, keepdim=True).sqrt() + eps)",
        ),
        mistake("1/σ missing in dx", "missing_term", "dx = rstd * (", "dx = ("),
        mistake(
            "upstream ignored",
            "ignores_upstream",
            "g = dout * gamma",
            "dout = torch.ones_like(dout); g = dout * gamma",
        ),
    ),
    variants=(
        variant(
            "every step of the graph, transposed",
            layernorm_forward=_staged_forward,
            layernorm_backward=_staged_backward,
        ),
        variant("python numbers", layernorm_forward=_numbers_forward, layernorm_backward=_numbers_backward),
        variant(
            "centring as a matrix",
            layernorm_forward=_projected_forward,
            layernorm_backward=_projected_backward,
        ),
    ),
    hints=(
        "For one row this is batch norm of a column. What changes is which axis is averaged, and which is summed.",
        "Multiply dout by gamma before anything is averaged: along the last axis gamma is not a constant.",
        "dgamma and dbeta must be (D,) however many leading axes x has: flatten those into one, then sum over it.",
    ),
)
### END SPEC
