"""Group normalisation
===================

Between one statistic for a whole sample (layer norm) and one for each channel of a sample (instance norm) lies a choice: split the C channels
into groups of neighbours, and normalise every group of every sample on its own.

    x (N, C, H, W)  →  (N, G, C/G, H, W): μ and σ² over the last three axes, one for each sample and group
    x̂ = (x − μ) / √(σ² + ε)     out = γ[c] x̂ + β[c]

γ and β (C,) stay one for each channel  →  out (N, C, H, W). The batch plays no part, so a batch of one is as good as any.

Backward, with g = γ ∂L/∂out, which differs from channel to channel inside a group, and with means over a group:

    ∂L/∂x = ( g − mean(g) − x̂ · mean(g x̂) ) / √(σ² + ε)

Conventions: groups divides C; biased variance; ε under the root; x may be any view, contiguous in memory or not.
"""

import torch


def groupnorm_forward(x, gamma, beta, *, groups, eps=1e-5):
    """out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) → out (N, C, H, W), cache."""
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    grouped = x.reshape(N, groups, -1)
    centred = grouped - grouped.mean(-1, keepdim=True)
    rstd = torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
    xhat = (centred * rstd).reshape(N, C, H, W)
    gamma, beta = gamma.reshape(-1, 1, 1), beta.reshape(-1, 1, 1)
    return torch.addcmul(beta, gamma, xhat), (xhat, rstd, gamma)
    ### END SOLUTION


def groupnorm_backward(dout, cache):
    """dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    dgamma = (dout * xhat).sum((0, 2, 3))
    dbeta = dout.sum((0, 2, 3))
    N, groups, _ = rstd.shape
    g = (dout * gamma).reshape(N, groups, -1)
    xhat = xhat.reshape(N, groups, -1)
    centred = g - g.mean(-1, keepdim=True)
    dx = centred.addcmul_(xhat, (g * xhat).mean(-1, keepdim=True), value=-1).mul_(rstd)
    return dx.reshape(dout.shape), dgamma, dbeta
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


def oracle(x, gamma, beta, *, groups, eps=1e-5):
    return torch.nn.functional.group_norm(x, groups, gamma, beta, eps)


def images(*scales):
    """Images (2, C, 3, 4) whose channels have these standard deviations around 0.5."""
    return lambda generator: (
        0.5
        + torch.randn(2, len(scales), 3, 4, generator=generator, dtype=torch.float64)
        * torch.tensor(scales, dtype=torch.float64).reshape(-1, 1, 1)
    )


def _outer_gamma_backward(dout, cache):
    xhat, rstd, gamma = cache
    dgamma, dbeta = (dout * xhat).sum((0, 2, 3)), dout.sum((0, 2, 3))
    N, groups, _ = rstd.shape
    g, hat = dout.reshape(N, groups, -1), xhat.reshape(N, groups, -1)
    dx = rstd * (g - g.mean(-1, keepdim=True) - hat * (g * hat).mean(-1, keepdim=True))
    return gamma * dx.reshape(dout.shape), dgamma, dbeta


def _strided_forward(x, gamma, beta, *, groups, eps=1e-5):
    N, C, H, W = x.shape
    grouped = x.reshape(N, C // groups, groups, H, W).transpose(1, 2).reshape(N, groups, -1)
    centred = grouped - grouped.mean(-1, keepdim=True)
    rstd = torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
    xhat = (centred * rstd).reshape(N, groups, C // groups, H, W).transpose(1, 2).reshape(N, C, H, W)
    gamma, beta = gamma[:, None, None], beta[:, None, None]
    return gamma * xhat + beta, (xhat, rstd, gamma)


def _batch_forward(x, gamma, beta, *, groups, eps=1e-5):
    N, C, H, W = x.shape
    grouped = x.reshape(N, groups, -1)
    centred = grouped - grouped.mean((0, 2), keepdim=True)
    rstd = torch.rsqrt(centred.square().mean((0, 2), keepdim=True) + eps).expand(N, groups, 1)
    xhat = (centred * rstd).reshape(N, C, H, W)
    gamma, beta = gamma[:, None, None], beta[:, None, None]
    return gamma * xhat + beta, (xhat, rstd, gamma)


def _loops_forward(x, gamma, beta, *, groups, eps=1e-5):
    out, saved = torch.empty_like(x), []
    size = x.shape[1] // groups
    for n in range(x.shape[0]):
        for k in range(groups):
            part = slice(k * size, (k + 1) * size)
            block = x[n, part]
            mean = block.mean()
            std = torch.sqrt(block.var(unbiased=False) + eps)
            hat = (block - mean) / std
            out[n, part] = gamma[part].reshape(-1, 1, 1) * hat + beta[part].reshape(-1, 1, 1)
            saved.append((n, part, hat, std))
    return out, (saved, gamma)


def _loops_backward(dout, cache):
    saved, gamma = cache
    dx, dgamma, dbeta = torch.empty_like(dout), torch.zeros_like(gamma), torch.zeros_like(gamma)
    for n, part, hat, std in saved:
        up = dout[n, part]
        dgamma[part] += (up * hat).sum((1, 2))
        dbeta[part] += up.sum((1, 2))
        g = up * gamma[part].reshape(-1, 1, 1)
        m = g.numel()
        dx[n, part] = (m * g - g.sum() - hat * (g * hat).sum()) / (m * std)
    return dx, dgamma, dbeta


def _five_axes_forward(x, gamma, beta, *, groups, eps=1e-5):
    n, c, h, w = x.size()
    blocks = x.contiguous().view(n, groups, c // groups, h, w)
    var, mean = torch.var_mean(blocks, dim=[2, 3, 4], keepdim=True, unbiased=False)
    hat = (blocks - mean) / (var + eps) ** 0.5
    out = hat.view(n, c, h, w) * gamma.view(1, c, 1, 1) + beta.view(1, c, 1, 1)
    return out, {"hat": hat, "mean": mean, "var": var, "x": blocks, "gamma": gamma, "eps": eps}


def _five_axes_backward(dout, cache):
    hat, x, eps = cache["hat"], cache["x"], cache["eps"]
    n, groups, size, h, w = hat.shape
    dout = dout.reshape(hat.shape)
    dims, m = [2, 3, 4], size * h * w
    dhat = dout * cache["gamma"].view(1, groups, size, 1, 1)
    centred = x - cache["mean"]
    dvar = (dhat * centred * -0.5 * (cache["var"] + eps) ** -1.5).sum(dims, keepdim=True)
    dmean = (-dhat / (cache["var"] + eps) ** 0.5).sum(dims, keepdim=True) + dvar * -2 * centred.mean(
        dims, keepdim=True
    )
    dx = dhat / (cache["var"] + eps) ** 0.5 + dvar * 2 * centred / m + dmean / m
    dgamma, dbeta = (dout * hat).sum([0, 3, 4]), dout.sum([0, 3, 4])
    return dx.reshape(n, groups * size, h, w), dgamma.reshape(-1), dbeta.reshape(-1)


def _members_forward(x, gamma, beta, *, groups, eps=1e-5):
    count, pixels = x.shape[1], x.shape[2] * x.shape[3]
    same = torch.arange(count) // (count // groups)
    share = (same[:, None] == same[None, :]).to(x.dtype) * groups / (count * pixels)

    def mean(t):
        return (t.sum((2, 3)) @ share)[:, :, None, None]

    centred = x - mean(x)
    scale = (mean(centred**2) + eps).sqrt()

    def backward(dout):
        hat = centred / scale
        g = dout * gamma.reshape(-1, 1, 1)
        dx = (g - mean(g) - hat * mean(g * hat)) / scale
        return dx, torch.einsum("nchw,nchw->c", dout, hat), torch.einsum("nchw->c", dout)

    return centred / scale * gamma.reshape(-1, 1, 1) + beta.reshape(-1, 1, 1), backward


def _members_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="groupnorm",
    title="Group normalisation",
    source="Wu and He, Group Normalization (2018), eq. 1, 2 and 7",
    requires=("batchnorm2d", "layernorm"),
    forbids=(
        "group_norm",
        "native_group_norm",
        "layer_norm",
        "native_layer_norm",
        "batch_norm",
        "native_batch_norm",
        "instance_norm",
    ),
    points=10,
    minutes=25,
    tasks=(
        Pair(
            "groupnorm",
            wrt=("x", "gamma", "beta"),
            oracle=oracle,
            probes=(
                probe(
                    "2 groups of 3 channels",
                    x=normal(3, 6, 4, 5, shift=1),
                    gamma=normal(6),
                    beta=normal(6),
                    hyper={"groups": 2},
                ),
                probe(
                    "all axes of one size",
                    x=normal(4, 4, 4, 4),
                    gamma=normal(4),
                    beta=normal(4),
                    hyper={"groups": 2},
                ),
                probe(
                    "one group, eps 0.1",
                    x=normal(2, 4, 5, 3),
                    gamma=normal(4),
                    beta=normal(4),
                    hyper={"groups": 1, "eps": 0.1},
                ),
                probe(
                    "as many groups as channels",
                    x=normal(2, 3, 4, 5),
                    gamma=normal(3),
                    beta=normal(3),
                    hyper={"groups": 3},
                ),
                probe(
                    "4 groups of 2, one image",
                    x=normal(1, 8, 2, 3),
                    gamma=normal(8),
                    beta=normal(8),
                    hyper={"groups": 4},
                ),
                probe(
                    "one channel", x=normal(3, 1, 4, 2), gamma=normal(1), beta=normal(1), hyper={"groups": 1}
                ),
                probe(
                    "one pixel, eps 0.5",
                    x=normal(4, 6, 1, 1),
                    gamma=normal(6),
                    beta=normal(6),
                    hyper={"groups": 2, "eps": 0.5},
                ),
                probe(
                    "gamma zero and negative",
                    x=normal(2, 4, 3, 5, shift=-2),
                    gamma=literal([-1.5, 0.0, 2.0, -0.25]),
                    beta=literal([0.5, -1.0, 0.0, 2.0]),
                    hyper={"groups": 2},
                ),
                probe(
                    "a group of variance 1e-6 and a constant one",
                    x=images(1e-3, 1e-3, 0.0, 0.0, 1.0, 2.0),
                    gamma=normal(6),
                    beta=normal(6),
                    hyper={"groups": 3},
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 4, 5, 3)),
                    gamma=transposed(normal(4)),
                    beta=normal(4),
                    hyper={"groups": 2},
                    convention=LAYOUT,
                ),
                probe(
                    "pixels far from 0",
                    x=normal(2, 4, 3, 2, shift=1e6),
                    gamma=normal(4),
                    beta=normal(4),
                    hyper={"groups": 2},
                    convention=OFFSET,
                ),
            ),
            bench=probe(
                "8 images, 16 channels in 4 groups, 8 by 8",
                x=normal(8, 16, 8, 8),
                gamma=normal(16),
                beta=normal(16),
                hyper={"groups": 4},
            ),
        ),
    ),
    mistakes=(
        mistake(
            "gamma outside the means",
            "wrong_operand",
            groupnorm_backward=_outer_gamma_backward,
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("gamma not in dx", "missing_term", "g = (dout * gamma)", "g = dout"),
        mistake("the path through the mean is missing", "missing_term", " - g.mean(-1, keepdim=True)", ""),
        mistake(
            "the path through the variance is missing",
            "missing_term",
            ".addcmul_(xhat, (g * xhat).mean(-1, keepdim=True), value=-1)",
            "",
        ),
        mistake(
            "every groups-th channel instead of neighbours",
            "wrong_axis",
            groupnorm_forward=_strided_forward,
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "statistics over the batch as well",
            "wrong_axis",
            groupnorm_forward=_batch_forward,
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("always one group", "forward_wrong", "x.reshape(N, groups, -1)", "x.reshape(N, 1, -1)"),
        mistake(
            "as many groups as channels, always",
            "forward_wrong",
            "x.reshape(N, groups, -1)",
            "x.reshape(N, C, -1)",
        ),
        mistake(
            "groups taken for their size",
            "forward_wrong",
            "x.reshape(N, groups, -1)",
            "x.reshape(N, C // groups, -1)",
        ),
        mistake(
            "unbiased variance",
            "forward_wrong",
            "centred.square().mean(-1, keepdim=True)",
            "grouped.var(-1, keepdim=True)",
        ),
        mistake(
            "eps outside the root",
            "forward_wrong",
            "torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)",
            "1 / (centred.square().mean(-1, keepdim=True).sqrt() + eps)",
        ),
        mistake(
            "dgamma not summed over the batch",
            "missing_reduction",
            "(dout * xhat).sum((0, 2, 3))",
            "(dout * xhat).sum((2, 3))",
        ),
        mistake("dbeta averaged", "mean_for_sum", "dout.sum((0, 2, 3))", "dout.mean((0, 2, 3))"),
    ),
    variants=(
        variant(
            "loops over samples and groups",
            groupnorm_forward=_loops_forward,
            groupnorm_backward=_loops_backward,
        ),
        variant(
            "five axes, every step of the graph",
            groupnorm_forward=_five_axes_forward,
            groupnorm_backward=_five_axes_backward,
        ),
        variant(
            "a matrix of group members",
            groupnorm_forward=_members_forward,
            groupnorm_backward=_members_backward,
        ),
    ),
    hints=(
        "reshape(N, groups, -1) puts every group of every sample into a row of its own, and rows you can normalise already.",
        "gamma and beta belong to channels, not to groups: apply them where the shape is (N, C, H, W).",
        "Going backward, first multiply by gamma, then reshape into groups, then average over the last axis, then reshape back.",
    ),
)
### END SPEC
