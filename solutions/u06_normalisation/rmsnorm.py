"""Root mean square normalisation
==============================

Is it the mean or the scale that makes layer normalisation work? The scale alone does nearly as well, and is cheaper:

    r = √( 1/D Σ_d x[…, d]² + ε )     out = γ x / r

x (…, D) with any leading axes, γ (D,): r has the shape (…), one for each sample  →  out (…, D). There is no μ and no β.

With x̂ = x / r and g = γ ∂L/∂out, an entry of x reaches the loss through its own x̂ and through r:

    ∂L/∂x = ( g − x̂ · mean(g x̂) ) / r

with the mean over the last axis; ∂L/∂γ sums ∂L/∂out · x̂ over all the others.

Conventions: ε stands under the root, beside the mean of the squares; x may be any view, contiguous in memory or not.
"""

import torch


def rmsnorm_forward(x, gamma, *, eps=1e-5):
    """out = γ x / r.  x (…, D), gamma (D,) → out (…, D), cache."""
    ### BEGIN SOLUTION
    scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    xhat = x * scale
    return gamma * xhat, (xhat, scale, gamma)
    ### END SOLUTION


def rmsnorm_backward(dout, cache):
    """dout (…, D) → dx (…, D), dgamma (D,)."""
    ### BEGIN SOLUTION
    xhat, scale, gamma = cache
    g = dout * gamma
    dx = scale * (g - xhat * (g * xhat).mean(-1, keepdim=True))
    dgamma = (dout * xhat).flatten(0, -2).sum(0)
    return dx, dgamma
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LAYOUT = Convention(
    "layout",
    "x may be any view of memory, transposed for one; reshape takes every tensor, view only contiguous ones.",
)


def oracle(x, gamma, *, eps=1e-5):
    return torch.nn.functional.rms_norm(x, gamma.shape, gamma, eps)


def _layernorm_backward(dout, cache):
    xhat, scale, gamma = cache
    g = dout * gamma
    dx = scale * (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True))
    return dx, (dout * xhat).flatten(0, -2).sum(0)


def _quotient_forward(x, gamma, *, eps=1e-5):
    size = x.shape[-1]
    r = ((x**2).sum(-1, keepdim=True) / size + eps) ** 0.5
    return x / r * gamma, {"x": x, "r": r, "gamma": gamma}


def _quotient_backward(dout, cache):
    x, r, gamma = cache["x"], cache["r"], cache["gamma"]
    g = gamma * dout
    dr = -(g * x).sum(-1, keepdim=True) / r**2
    dx = g / r + dr * x / (r * x.shape[-1])
    dgamma = dout * x / r
    while dgamma.dim() > 1:
        dgamma = dgamma.sum(0)
    return dx, dgamma


def _numbers_forward(x, gamma, *, eps=1e-5):
    rows = x.reshape(-1, x.shape[-1]).tolist()
    rms = [math.sqrt(math.fsum(v * v for v in row) / len(row) + eps) for row in rows]
    out = [
        [v / r * g for v, g in zip(row, gamma.tolist(), strict=True)]
        for row, r in zip(rows, rms, strict=True)
    ]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), (rows, rms, gamma.tolist())


def _numbers_backward(dout, cache):
    rows, rms, gamma = cache
    size = len(gamma)
    dx, dgamma = [], [0.0] * size
    for up, row, r in zip(dout.reshape(-1, size).tolist(), rows, rms, strict=True):
        inner = math.fsum(u * g * v for u, g, v in zip(up, gamma, row, strict=True))
        dx.append([u * g / r - v * inner / (size * r**3) for u, g, v in zip(up, gamma, row, strict=True)])
        dgamma = [total + u * v / r for total, u, v in zip(dgamma, up, row, strict=True)]
    return torch.tensor(dx, dtype=dout.dtype).reshape(dout.shape), torch.tensor(dgamma, dtype=dout.dtype)


def _jacobian_forward(x, gamma, *, eps=1e-5):
    size = x.shape[-1]
    rms = torch.sqrt(torch.linalg.vector_norm(x, dim=-1) ** 2 / size + eps)
    hat = torch.einsum("...d,...->...d", x, 1 / rms)

    def backward(dout):
        jacobian = torch.eye(size, dtype=x.dtype) - hat[..., :, None] * hat[..., None, :] / size
        dx = torch.einsum("...ij,...j,...->...i", jacobian, dout * gamma, 1 / rms)
        return [dx, torch.einsum("nd,nd->d", dout.reshape(-1, size), hat.reshape(-1, size))]

    return gamma * hat, backward


def _jacobian_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="rmsnorm",
    title="Root mean square normalisation",
    source="Zhang and Sennrich, Root Mean Square Layer Normalization (2019), eq. 4",
    requires=("layernorm",),
    forbids=(
        "rms_norm",
        "layer_norm",
        "native_layer_norm",
        "batch_norm",
        "native_batch_norm",
        "group_norm",
        "instance_norm",
    ),
    points=10,
    minutes=15,
    tasks=(
        Pair(
            "rmsnorm",
            wrt=("x", "gamma"),
            oracle=oracle,
            probes=(
                probe("4 rows, 6 features", x=normal(4, 6, scale=2, shift=1), gamma=normal(6)),
                probe("as many rows as features", x=normal(5, 5), gamma=normal(5)),
                probe("three axes, eps 0.1", x=normal(2, 3, 5), gamma=normal(5), hyper={"eps": 0.1}),
                probe("four axes", x=normal(2, 3, 2, 7), gamma=normal(7)),
                probe("batch of one", x=normal(1, 4), gamma=normal(4)),
                probe("more rows than features", x=normal(9, 4), gamma=normal(4)),
                probe("two features, eps 0.5", x=normal(5, 2), gamma=normal(2), hyper={"eps": 0.5}),
                probe(
                    "gamma zero and negative",
                    x=normal(3, 4, shift=-3),
                    gamma=literal([-1.5, 0.0, 2.0, -0.25]),
                ),
                probe(
                    "a row of size 1e-3 and one of zeros",
                    x=literal([[1e-3, -2e-3, 5e-4, 1e-3], [0.0, 0.0, 0.0, 0.0], [0.5, -1.5, 3.0, 0.25]]),
                    gamma=literal([0.5, 1.5, -2.0, 1.0]),
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 4, 3)),
                    gamma=transposed(normal(4)),
                    convention=LAYOUT,
                ),
            ),
            bench=probe("128 rows, 64 features", x=normal(128, 64), gamma=normal(64)),
        ),
    ),
    mistakes=(
        mistake(
            "the path through r is missing", "missing_term", " - xhat * (g * xhat).mean(-1, keepdim=True)", ""
        ),
        mistake(
            "sum for mean in the path through r",
            "mean_for_sum",
            "(g * xhat).mean(-1, keepdim=True)",
            "(g * xhat).sum(-1, keepdim=True)",
        ),
        mistake("the sign of the path through r", "sign", "(g - xhat * (g", "(g + xhat * (g"),
        mistake(
            "gamma not in the path through r",
            "missing_term",
            "(g * xhat).mean",
            "(dout * xhat).mean",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "only the last row counted in dgamma",
            "overwritten",
            "(dout * xhat).flatten(0, -2).sum(0)",
            "(dout * xhat).flatten(0, -2)[-1]",
        ),
        mistake(
            "the mean subtracted as well, as in layer norm",
            "missing_term",
            rmsnorm_backward=_layernorm_backward,
        ),
        mistake(
            "centred, as in layer norm",
            "forward_wrong",
            "x.square().mean(-1, keepdim=True)",
            "x.var(-1, unbiased=False, keepdim=True)",
        ),
        mistake(
            "x for x̂ in the path through r",
            "wrong_operand",
            "(g * xhat).mean",
            "(g * xhat / scale).mean",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("gamma not in dx", "missing_term", "g = dout * gamma", "g = dout"),
        mistake("norm for root mean square", "mean_for_sum", "x.square().mean(", "x.square().sum("),
        mistake(
            "eps outside the root",
            "forward_wrong",
            "torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)",
            "1 / (x.square().mean(-1, keepdim=True).sqrt() + eps)",
        ),
        mistake(
            "over the batch",
            "wrong_axis",
            "x.square().mean(-1, keepdim=True)",
            "x.square().mean(0, keepdim=True)",
        ),
        mistake("only the first axis summed", "missing_reduction", ".flatten(0, -2).sum(0)", ".sum(0)"),
        mistake("dgamma averaged", "mean_for_sum", ".flatten(0, -2).sum(0)", ".flatten(0, -2).mean(0)"),
    ),
    variants=(
        variant("the quotient rule", rmsnorm_forward=_quotient_forward, rmsnorm_backward=_quotient_backward),
        variant("python numbers", rmsnorm_forward=_numbers_forward, rmsnorm_backward=_numbers_backward),
        variant(
            "the Jacobian as a matrix", rmsnorm_forward=_jacobian_forward, rmsnorm_backward=_jacobian_backward
        ),
    ),
    hints=(
        "r depends on every entry of its row: ∂r/∂x[d] = x[d] / (D r).",
        "The quotient rule gives two terms; write both with x̂ = x / r and take 1/r out.",
        "Compare with layer norm: the term that removed the mean of g came from μ, and there is no μ here.",
    ),
)
### END SPEC
