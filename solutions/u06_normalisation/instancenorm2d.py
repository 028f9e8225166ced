"""Instance normalisation
======================

Every channel of every image on its own: what is bright or dark, strong or faint in this image is taken out, and only the pattern remains.
Style transfer, where the contrast of the content image should not matter, made it known.

    μ, σ² over the pixels: (N, C)     x̂ = (x − μ) / √(σ² + ε)     out = γ[c] x̂ + β[c]

x (N, C, H, W), γ and β (C,)  →  out (N, C, H, W). With means over the H W pixels,

    ∂L/∂x = ( g − mean(g) − x̂ · mean(g x̂) ) / √(σ² + ε)     g = γ ∂L/∂out

while γ and β are shared by all images, so that their gradients sum over the batch as well as over the pixels.

Conventions: biased variance, divided by H W; ε under the root; x may be any view, contiguous in memory or not.
"""

import torch


def instancenorm2d_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) → out (N, C, H, W), cache."""
    ### BEGIN SOLUTION
    gamma, beta = gamma[:, None, None], beta[:, None, None]
    centred = x - x.mean((2, 3), keepdim=True)
    rstd = torch.rsqrt(centred.square().mean((2, 3), keepdim=True) + eps)
    xhat = centred * rstd
    return gamma * xhat + beta, (xhat, rstd, gamma)
    ### END SOLUTION


def instancenorm2d_backward(dout, cache):
    """dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    M = dout[0, 0].numel()
    shifts = dout.sum((2, 3), keepdim=True)
    scales = (dout * xhat).sum((2, 3), keepdim=True)
    dx = gamma * rstd * (dout - shifts / M - xhat * scales / M)
    return dx, scales.sum(0).flatten(), shifts.sum(0).flatten()
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
    return torch.nn.functional.instance_norm(x, weight=gamma, bias=beta, eps=eps)


def channels(*scales):
    """Images (2, C, 3, 4) whose channels have these standard deviations around 0.5."""
    return lambda generator: (
        0.5
        + torch.randn(2, len(scales), 3, 4, generator=generator, dtype=torch.float64)
        * torch.tensor(scales, dtype=torch.float64).reshape(-1, 1, 1)
    )


def _rows_forward(x, gamma, beta, *, eps=1e-5):
    n, c, h, w = x.shape
    rows = x.reshape(n * c, h * w)
    std = torch.sqrt(rows.var(1, unbiased=False, keepdim=True) + eps)
    hat = (rows - rows.mean(1, keepdim=True)) / std
    scale = gamma.repeat(n).unsqueeze(1)
    return (hat * scale + beta.repeat(n).unsqueeze(1)).reshape(x.shape), (hat, std, scale, x.shape)


def _rows_backward(dout, cache):
    hat, std, scale, (n, c, h, w) = cache
    rows = dout.reshape(n * c, h * w)
    g = rows * scale
    dx = (g - g.mean(1, keepdim=True) - hat * (g * hat).mean(1, keepdim=True)) / std
    return (
        dx.reshape(n, c, h, w),
        (rows * hat).reshape(n, c, -1).sum((0, 2)),
        rows.reshape(n, c, -1).sum((0, 2)),
    )


def _loops_forward(x, gamma, beta, *, eps=1e-5):
    out, hats = torch.zeros_like(x), torch.zeros_like(x)
    stds = torch.zeros(x.shape[:2], dtype=x.dtype)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            image = x[n, c] - x[n, c].mean()
            stds[n, c] = torch.sqrt((image * image).mean() + eps)
            hats[n, c] = image / stds[n, c]
            out[n, c] = gamma[c] * hats[n, c] + beta[c]
    return out, {"hats": hats, "stds": stds, "gamma": gamma}


def _loops_backward(dout, cache):
    hats, stds, gamma = cache["hats"], cache["stds"], cache["gamma"]
    dx, dgamma, dbeta = torch.zeros_like(dout), torch.zeros_like(gamma), torch.zeros_like(gamma)
    for n in range(dout.shape[0]):
        for c in range(dout.shape[1]):
            dgamma[c] += torch.sum(dout[n, c] * hats[n, c])
            dbeta[c] += torch.sum(dout[n, c])
            g = dout[n, c] * gamma[c]
            dx[n, c] = (g - g.mean() - hats[n, c] * (g * hats[n, c]).mean()) / stds[n, c]
    return [dx, dgamma, dbeta]


def _graph_forward(x, gamma, beta, *, eps=1e-5):
    m = x.shape[2] * x.shape[3]
    centred = x - torch.einsum("nchw->nc", x)[..., None, None] / m
    variance = torch.einsum("nchw,nchw->nc", centred, centred)[..., None, None] / m
    inverse = (variance + eps) ** -0.5

    def backward(dout):
        dhat = torch.einsum("nchw,c->nchw", dout, gamma)
        dvariance = -0.5 * inverse**3 * (dhat * centred).sum((2, 3), keepdim=True)
        dcentred = dhat * inverse + dvariance * 2 / m * centred
        hat = centred * inverse
        return (
            dcentred - dcentred.mean((2, 3), keepdim=True),
            torch.einsum("nchw,nchw->c", dout, hat),
            dout.sum((0, 2, 3)),
        )

    return torch.einsum("nchw,c->nchw", centred * inverse, gamma) + beta.reshape(1, -1, 1, 1), backward


def _graph_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="instancenorm2d",
    title="Instance normalisation",
    source="Ulyanov, Vedaldi and Lempitsky, Instance Normalization (2016), eq. 4",
    requires=("groupnorm",),
    forbids=(
        "instance_norm",
        "group_norm",
        "native_group_norm",
        "layer_norm",
        "native_layer_norm",
        "batch_norm",
        "native_batch_norm",
    ),
    points=10,
    minutes=15,
    tasks=(
        Pair(
            "instancenorm2d",
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
                probe("one channel", x=normal(4, 1, 3, 5), gamma=normal(1), beta=normal(1)),
                probe("one row of pixels", x=normal(3, 2, 1, 6), gamma=normal(2), beta=normal(2)),
                probe(
                    "more images than pixels",
                    x=normal(7, 5, 2, 2),
                    gamma=normal(5),
                    beta=normal(5),
                    hyper={"eps": 0.5},
                ),
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
        mistake("the path through the mean is missing", "missing_term", " - shifts / M", ""),
        mistake("the path through the variance is missing", "missing_term", " - xhat * scales / M", ""),
        mistake(
            "statistics over the batch as well",
            "wrong_axis",
            "mean((2, 3), keepdim=True)",
            "mean((0, 2, 3), keepdim=True)",
        ),
        mistake(
            "statistics over the channels as well",
            "wrong_axis",
            "mean((2, 3), keepdim=True)",
            "mean((1, 2, 3), keepdim=True)",
        ),
        mistake(
            "dgamma not summed over the batch",
            "missing_reduction",
            "scales.sum(0).flatten()",
            "scales[:, :, 0, 0]",
        ),
        mistake("dbeta averaged over the batch", "extra_batch_mean", "shifts.sum(0)", "shifts.mean(0)"),
        mistake("gamma not in dx", "missing_term", "dx = gamma * rstd", "dx = rstd"),
        mistake(
            "divided by the batch as well",
            "constant_factor",
            "M = dout[0, 0].numel()",
            "M = dout[:, 0].numel()",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "unbiased variance",
            "forward_wrong",
            "centred.square().mean((2, 3), keepdim=True)",
            "x.var((2, 3), keepdim=True)",
        ),
        mistake(
            "eps outside the root",
            "forward_wrong",
            "torch.rsqrt(centred.square().mean((2, 3), keepdim=True) + eps)",
            "1 / (centred.square().mean((2, 3), keepdim=True).sqrt() + eps)",
        ),
        mistake(
            "upstream ignored in dgamma",
            "ignores_upstream",
            "return dx, scales.sum(0)",
            "return dx, xhat.sum((0, 2, 3)) + 0 * scales.sum(0)",
        ),
    ),
    variants=(
        variant(
            "one row a channel", instancenorm2d_forward=_rows_forward, instancenorm2d_backward=_rows_backward
        ),
        variant("loops", instancenorm2d_forward=_loops_forward, instancenorm2d_backward=_loops_backward),
        variant(
            "every step of the graph, einsum",
            instancenorm2d_forward=_graph_forward,
            instancenorm2d_backward=_graph_backward,
        ),
    ),
    hints=(
        "It is group norm with as many groups as channels. Which axes are left to average over?",
        "dx needs two sums over the pixels of one image; dgamma and dbeta need the same two sums, added up over the images.",
        "gamma is constant over the pixels of a channel, so here it may stand outside the means.",
    ),
)
### END SPEC
