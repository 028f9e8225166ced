"""Batch normalisation of images
=============================

A convolution slides one filter over the whole image, so all pixels of a channel are samples of the same feature. Batch normalisation
therefore takes its statistics over the batch and over all pixels, one mean and one variance a channel:

    x̂[n, c, h, w] = (x[n, c, h, w] − μ[c]) / √(σ²[c] + ε)     out = γ[c] x̂ + β[c]

x (N, C, H, W), γ and β (C,)  →  out (N, C, H, W). Every mean is over M = N H W entries, and

    ∂L/∂x = ( g − mean(g) − x̂ · mean(g x̂) ) / √(σ² + ε)     g = γ ∂L/∂out

is the formula that you know, with means over the axes 0, 2 and 3.

Conventions: training mode; biased variance, divided by M; ε under the root; x may be any view, contiguous in memory or not.
"""

import torch


def batchnorm2d_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) → out (N, C, H, W), cache."""
    ### BEGIN SOLUTION
    gamma, beta = gamma[:, None, None], beta[:, None, None]
    centred = x - x.mean((0, 2, 3), keepdim=True)
    rstd = torch.rsqrt(centred.square().mean((0, 2, 3), keepdim=True) + eps)
    xhat = centred * rstd
    return gamma * xhat + beta, (xhat, rstd, gamma)
    ### END SOLUTION


def batchnorm2d_backward(dout, cache):
    """dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    M = dout[:, 0].numel()
    dgamma = (dout * xhat).sum((0, 2, 3), keepdim=True)
    dbeta = dout.sum((0, 2, 3), keepdim=True)
    dx = gamma * rstd * (dout - dbeta / M - xhat * dgamma / M)
    return dx, dgamma.flatten(), dbeta.flatten()
    ### END SOLUTION


### BEGIN SPEC
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
    return torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


def channels(*scales):
    """Images (3, C, 2, 4) whose channels have these standard deviations around 0.5."""
    return lambda generator: (
        0.5
        + torch.randn(3, len(scales), 2, 4, generator=generator, dtype=torch.float64)
        * torch.tensor(scales, dtype=torch.float64).reshape(-1, 1, 1)
    )


def _rows_forward(x, gamma, beta, *, eps=1e-5):
    n, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(-1, c)
    mean, var = rows.mean(0), rows.var(0, unbiased=False)
    xhat = (rows - mean) / torch.sqrt(var + eps)
    out = (xhat * gamma + beta).reshape(n, h, w, c).permute(0, 3, 1, 2)
    return out, (xhat, gamma, var + eps, x.shape)


def _rows_backward(dout, cache):
    xhat, gamma, var, (n, c, h, w) = cache
    rows = dout.permute(0, 2, 3, 1).reshape(-1, c)
    dgamma, dbeta = (rows * xhat).sum(0), rows.sum(0)
    m = rows.shape[0]
    drows = gamma / (m * torch.sqrt(var)) * (m * rows - dbeta - xhat * dgamma)
    return drows.reshape(n, h, w, c).permute(0, 3, 1, 2), dgamma, dbeta


def _loop_forward(x, gamma, beta, *, eps=1e-5):
    out, saved = torch.zeros_like(x), []
    for c in range(x.shape[1]):
        image = x[:, c]
        centred = image - image.mean()
        std = ((centred**2).sum() / centred.numel() + eps) ** 0.5
        out[:, c] = gamma[c] * centred / std + beta[c]
        saved.append((centred, std, gamma[c]))
    return out, saved


def _loop_backward(dout, cache):
    dx, dgamma, dbeta = torch.zeros_like(dout), [], []
    for c, (centred, std, gamma) in enumerate(cache):
        g = dout[:, c] * gamma
        dvar = (g * centred).sum() * -0.5 / std**3
        dmean = -(g / std).sum() - 2 * dvar * centred.mean()
        dx[:, c] = g / std + (2 * dvar * centred + dmean) / centred.numel()
        dgamma.append((dout[:, c] * centred / std).sum())
        dbeta.append(dout[:, c].sum())
    return dx, torch.stack(dgamma), torch.stack(dbeta)


def _einsum_forward(x, gamma, beta, *, eps=1e-5):
    weight = 1 / (x.shape[0] * x.shape[2] * x.shape[3])
    z = x - weight * torch.einsum("nchw->c", x).reshape(1, -1, 1, 1)
    s = (weight * torch.einsum("nchw,nchw->c", z, z) + eps).pow(-0.5)

    def backward(dout):
        total = torch.einsum("nchw,nchw->c", dout, z) * s
        dbeta = torch.einsum("nchw->c", dout)
        dx = torch.einsum("nchw,c->nchw", dout, gamma * s) - (weight * gamma * s * dbeta)[None, :, None, None]
        return dx - torch.einsum("nchw,c->nchw", z, weight * gamma * s * s * total), total, dbeta

    return torch.einsum("nchw,c->nchw", z, gamma * s) + beta.view(1, -1, 1, 1), backward


def _einsum_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="batchnorm2d",
    title="Batch normalisation of images",
    source="Ioffe and Szegedy, Batch Normalization (2015), section 3.2",
    requires=("batchnorm",),
    forbids=(
        "batch_norm",
        "native_batch_norm",
        "layer_norm",
        "native_layer_norm",
        "instance_norm",
        "group_norm",
    ),
    points=10,
    minutes=20,
    tasks=(
        Pair(
            "batchnorm2d",
            wrt=("x", "gamma", "beta"),
            oracle=oracle,
            probes=(
                probe(
                    "2 images, 3 channels, 4 by 5",
                    x=normal(2, 3, 4, 5, scale=2, shift=1),
                    gamma=normal(3),
                    beta=normal(3),
                ),
                probe("all axes of one size", x=normal(4, 4, 4, 4), gamma=normal(4), beta=normal(4)),
                probe(
                    "one image, eps 0.1",
                    x=normal(1, 4, 5, 3),
                    gamma=normal(4),
                    beta=normal(4),
                    hyper={"eps": 0.1},
                ),
                probe("one channel", x=normal(4, 1, 2, 3), gamma=normal(1), beta=normal(1)),
                probe("one pixel", x=normal(6, 5, 1, 1), gamma=normal(5), beta=normal(5)),
                probe("more channels than pixels", x=normal(3, 7, 2, 1), gamma=normal(7), beta=normal(7)),
                probe(
                    "gamma zero and negative",
                    x=normal(3, 4, 2, 5, shift=-2),
                    gamma=literal([-1.5, 0.0, 2.0, -0.25]),
                    beta=literal([0.5, -1.0, 0.0, 2.0]),
                ),
                probe(
                    "a channel of variance 1e-6 and a constant one",
                    x=channels(1.0, 1e-3, 0.0),
                    gamma=normal(3),
                    beta=normal(3),
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 3, 5, 4)),
                    gamma=transposed(normal(3)),
                    beta=normal(3),
                    convention=LAYOUT,
                ),
                probe(
                    "pixels far from 0",
                    x=normal(2, 3, 4, 2, shift=1e6),
                    gamma=normal(3),
                    beta=normal(3),
                    convention=OFFSET,
                ),
            ),
            bench=probe(
                "16 images, 16 channels, 8 by 8", x=normal(16, 16, 8, 8), gamma=normal(16), beta=normal(16)
            ),
        ),
    ),
    mistakes=(
        mistake("the path through the mean is missing", "missing_term", " - dbeta / M", ""),
        mistake("the path through the variance is missing", "missing_term", " - xhat * dgamma / M", ""),
        mistake(
            "divided by the batch, not by all entries",
            "constant_factor",
            "M = dout[:, 0].numel()",
            "M = len(dout)",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "statistics over the batch only",
            "wrong_axis",
            "(0, 2, 3), keepdim=True) + eps",
            "(0,), keepdim=True) + eps",
        ),
        mistake("statistics of each image", "wrong_axis", "(0, 2, 3)", "(2, 3)"),
        mistake("statistics over the channels", "wrong_axis", "(0, 2, 3)", "(1, 2, 3)"),
        mistake(
            "unbiased variance",
            "forward_wrong",
            "centred.square().mean((0, 2, 3), keepdim=True)",
            "x.var((0, 2, 3), keepdim=True)",
        ),
        mistake(
            "eps outside the root",
            "forward_wrong",
            "rsqrt(centred.square().mean((0, 2, 3), keepdim=True) + eps)",
            "reciprocal(centred.square().mean((0, 2, 3), keepdim=True).sqrt() + eps)",
        ),
        mistake("dbeta not summed over the pixels", "missing_reduction", "dbeta.flatten()", "dout.sum(0)"),
        mistake("gamma's shape kept for broadcasting", "wrong_shape", "dgamma.flatten()", "dgamma"),
        mistake(
            "upstream ignored in dgamma",
            "ignores_upstream",
            "dgamma = (dout * xhat)",
            "dgamma = (xhat + 0 * dout)",
        ),
    ),
    variants=(
        variant("pixels as rows", batchnorm2d_forward=_rows_forward, batchnorm2d_backward=_rows_backward),
        variant("channel by channel", batchnorm2d_forward=_loop_forward, batchnorm2d_backward=_loop_backward),
        variant(
            "einsum, a closure", batchnorm2d_forward=_einsum_forward, batchnorm2d_backward=_einsum_backward
        ),
    ),
    hints=(
        "Which entries of x share one mean? How many are they?",
        "mean((0, 2, 3), keepdim=True) leaves a shape that broadcasts against x; gamma needs two more axes for that.",
        "Or permute the channels to the end and reshape: (N H W, C) is the batch norm that you have written.",
    ),
)
### END SPEC
