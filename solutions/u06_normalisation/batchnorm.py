"""Batch normalisation
===================

Give every feature mean 0 and variance 1 over the batch, then let the network choose another scale γ and shift β:

    μ = 1/N Σₙ x[n]     σ² = 1/N Σₙ (x[n] − μ)²     x̂ = (x − μ) / √(σ² + ε)     out = γ x̂ + β

x (N, D), γ and β (D,), so μ and σ² are (D,), one for each column  →  out (N, D).

Going backward, an entry of x moves the loss in three ways: through its own x̂, through μ, and through σ². Let g be the gradient with respect to
x̂. Then, with means over the batch,

    ∂L/∂x = ( g − mean(g) − x̂ · mean(g x̂) ) / √(σ² + ε)

The last two terms take out of g what would shift or stretch a whole column, because that is undone at once.

Conventions: this is training mode, where the statistics are those of the batch. σ² is the biased variance, divided by N. ε stands under the root.
One row has no variance: with N = 1 the layer raises a `ValueError`.
"""

import torch


def batchnorm_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (N, D), gamma (D,), beta (D,) → out (N, D), cache."""
    ### BEGIN SOLUTION
    if len(x) == 1:
        raise ValueError(f"batch norm needs more than one row to normalise over, got x {tuple(x.shape)}")
    centred = x - x.mean(0)
    rstd = torch.rsqrt(centred.square().mean(0) + eps)
    xhat = centred * rstd
    return gamma * xhat + beta, (xhat, rstd, gamma)
    ### END SOLUTION


def batchnorm_backward(dout, cache):
    """dout (N, D) → dx (N, D), dgamma (D,), dbeta (D,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma = cache
    N = len(dout)
    dgamma = (dout * xhat).sum(0)
    dbeta = dout.sum(0)
    dx = gamma * rstd * (dout - dbeta / N - xhat * dgamma / N)
    return dx, dgamma, dbeta
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

OFFSET = Convention(
    "unstable", "far from 0 the mean of x² minus μ² loses most of its digits; subtract μ first, then square."
)
ONE_ROW = Convention(
    "not_refused", "one row is its own mean and has no variance, so training on it must raise ValueError."
)


def oracle(x, gamma, beta, *, eps=1e-5):
    return torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


def _swallowed_mean_backward(dout, cache):
    xhat, rstd, gamma = cache
    dxhat = dout * gamma
    dvar = -0.5 * (dxhat * xhat).sum(0) * rstd**2
    dx = dxhat * rstd + dvar * 2 * xhat / rstd / len(dout)
    return dx, (dout * xhat).sum(0), dout.sum(0)


def _staged_forward(x, gamma, beta, *, eps=1e-5):
    n, d = x.shape
    if n < 2:
        raise ValueError("batch norm cannot be trained on a single sample")
    mu = 1.0 / n * torch.sum(x, dim=0)
    xmu = x - mu
    var = 1.0 / n * torch.sum(xmu**2, dim=0)
    sqrtvar = torch.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    return gamma * xhat + beta, (xhat, gamma, xmu, ivar, sqrtvar, var, eps)


def _staged_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    n, d = dout.shape
    dbeta = torch.sum(dout, dim=0)
    dgamma = torch.sum(dout * xhat, dim=0)
    dxhat = dout * gamma
    divar = torch.sum(dxhat * xmu, dim=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 * 1.0 / torch.sqrt(var + eps) * dsqrtvar
    dsq = 1.0 / n * torch.ones((n, d), dtype=dout.dtype) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * torch.sum(dxmu1 + dxmu2, dim=0)
    dx2 = 1.0 / n * torch.ones((n, d), dtype=dout.dtype) * dmu
    return dx1 + dx2, dgamma, dbeta


def _columns_forward(x, gamma, beta, *, eps=1e-5):
    if x.shape[0] == 1:
        raise ValueError(f"one row: {tuple(x.shape)}")
    out, saved = torch.empty_like(x), []
    for d in range(x.shape[1]):
        column = x[:, d].tolist()
        mean = math.fsum(column) / len(column)
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in column) / len(column) + eps)
        hats = [(v - mean) / std for v in column]
        for n, hat in enumerate(hats):
            out[n, d] = gamma[d] * hat + beta[d]
        saved.append((hats, std, gamma[d].item()))
    return out, saved


def _columns_backward(dout, cache):
    dx, dgamma, dbeta = torch.empty_like(dout), [], []
    for d, (hats, std, gamma) in enumerate(cache):
        up = dout[:, d].tolist()
        count = len(up)
        dgamma.append(sum(u * h for u, h in zip(up, hats, strict=True)))
        dbeta.append(sum(up))
        for n in range(count):
            dx[n, d] = gamma / (count * std) * (count * up[n] - dbeta[d] - hats[n] * dgamma[d])
    return dx, torch.tensor(dgamma, dtype=dout.dtype), torch.tensor(dbeta, dtype=dout.dtype)


def _jacobian_forward(x, gamma, beta, *, eps=1e-5):
    if len(x) <= 1:
        raise ValueError("need at least two rows")
    var, mean = torch.var_mean(x, dim=0, unbiased=False, keepdim=True)
    xhat = (x - mean).div(var.add(eps).sqrt())

    def backward(dout):
        count = x.shape[0]
        h = xhat.T
        project = torch.eye(count, dtype=x.dtype) - (1 + h[:, :, None] * h[:, None, :]) / count
        dxhat = (dout * gamma).T
        dx = torch.einsum("dnm,dm->nd", project, dxhat) / (var + eps).sqrt()
        return dx, torch.einsum("nd,nd->d", dout, xhat), torch.einsum("nd->d", dout)

    return torch.addcmul(beta, xhat, gamma), backward


def _jacobian_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="batchnorm",
    title="Batch normalisation",
    source="Ioffe and Szegedy, Batch Normalization (2015), algorithm 1 and section 3",
    requires=("mlp",),
    forbids=(
        "batch_norm",
        "native_batch_norm",
        "layer_norm",
        "native_layer_norm",
        "instance_norm",
        "group_norm",
    ),
    points=15,
    minutes=40,
    tasks=(
        Pair(
            "batchnorm",
            wrt=("x", "gamma", "beta"),
            oracle=oracle,
            probes=(
                probe(
                    "5 rows, 3 features", x=normal(5, 3, scale=2, shift=1), gamma=normal(3), beta=normal(3)
                ),
                probe(
                    "16 rows, 4 features, eps 0.1",
                    x=normal(16, 4),
                    gamma=normal(4),
                    beta=normal(4),
                    hyper={"eps": 0.1},
                ),
                probe(
                    "two rows, eps 0.5", x=normal(2, 5), gamma=normal(5), beta=normal(5), hyper={"eps": 0.5}
                ),
                probe("more features than rows", x=normal(4, 9), gamma=normal(9), beta=normal(9)),
                probe("one feature", x=normal(6, 1), gamma=normal(1), beta=normal(1)),
                probe(
                    "non-contiguous", x=transposed(normal(4, 7)), gamma=transposed(normal(4)), beta=normal(4)
                ),
                probe(
                    "gamma zero and negative",
                    x=normal(5, 4, shift=-3),
                    gamma=literal([-1.5, 0.0, 2.0, -0.25]),
                    beta=literal([0.5, -1.0, 0.0, 2.0]),
                ),
                probe(
                    "a column of variance 1e-6 and a constant one",
                    x=literal(
                        [
                            [1e-3, 2.0, 0.5],
                            [-2e-3, 2.0, -1.5],
                            [5e-4, 2.0, 3.0],
                            [0.0, 2.0, 0.25],
                            [1e-3, 2.0, -2.0],
                        ]
                    ),
                    gamma=literal([0.5, 1.5, -2.0]),
                    beta=literal([1.0, -0.5, 0.25]),
                ),
                probe(
                    "columns far from 0",
                    x=normal(8, 3, shift=1e6),
                    gamma=normal(3),
                    beta=normal(3),
                    convention=OFFSET,
                ),
            ),
            refuses=(
                probe(
                    "one row",
                    x=normal(1, 3),
                    gamma=normal(3),
                    beta=normal(3),
                    mentions=(),
                    convention=ONE_ROW,
                ),
            ),
            bench=probe("128 rows, 64 features", x=normal(128, 64), gamma=normal(64), beta=normal(64)),
        ),
    ),
    mistakes=(
        mistake("the path through the mean is missing", "missing_term", " - dbeta / N", ""),
        mistake("the path through the variance is missing", "missing_term", " - xhat * dgamma / N", ""),
        mistake(
            "the sign of the path through the variance",
            "sign",
            " - xhat * dgamma / N",
            " + xhat * dgamma / N",
        ),
        mistake("the sign of the path through the mean", "sign", " - dbeta / N", " + dbeta / N"),
        mistake(
            "upstream ignored in dgamma",
            "ignores_upstream",
            "return dx, dgamma, dbeta",
            "return dx, xhat.sum(0), dbeta",
        ),
        mistake(
            "the statistics taken for constants",
            "missing_term",
            " - dbeta / N - xhat * dgamma / N",
            "",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "the mean inside the variance, but not outside",
            "missing_term",
            batchnorm_backward=_swallowed_mean_backward,
        ),
        mistake("gamma not in dx", "missing_term", "dx = gamma * rstd", "dx = rstd"),
        mistake("unbiased variance", "forward_wrong", ".square().mean(0)", ".square().sum(0) / (len(x) - 1)"),
        mistake(
            "eps outside the root",
            "forward_wrong",
            "torch.rsqrt(centred.square().mean(0) + eps)",
            "1 / (centred.square().mean(0).sqrt() + eps)",
        ),
        mistake("eps forgotten", "not_finite", ".mean(0) + eps", ".mean(0)"),
        mistake("eps of its own", "forward_wrong", ".mean(0) + eps", ".mean(0) + 1e-5"),
        mistake("normalised over the features", "wrong_axis", "mean(0)", "mean(1, keepdim=True)"),
        mistake(
            "x for x̂ in dgamma", "wrong_operand", "dgamma = (dout * xhat)", "dgamma = (dout * xhat / rstd)"
        ),
        mistake("dbeta averaged", "mean_for_sum", "return dx, dgamma, dbeta", "return dx, dgamma, dbeta / N"),
        mistake(
            "dbeta summed over the features",
            "wrong_axis",
            "return dx, dgamma, dbeta",
            "return dx, dgamma, dbeta * 0 + dout.sum()",
        ),
        mistake(
            "sum for mean inside dx",
            "missing_batch_mean",
            "(dout - dbeta / N - xhat * dgamma / N)",
            "(N * dout - dbeta - xhat * dgamma)",
        ),
        mistake(
            "upstream ignored",
            "ignores_upstream",
            "N = len(dout)",
            "N, dout = len(dout), torch.ones_like(dout)",
        ),
        mistake(
            "variance from the squares",
            "unstable",
            "centred.square().mean(0)",
            "(x.square().mean(0) - x.mean(0).square())",
        ),
        mistake("one row accepted", "not_refused", "if len(x) == 1", "if len(x) == 0"),
    ),
    variants=(
        variant(
            "every step of the graph", batchnorm_forward=_staged_forward, batchnorm_backward=_staged_backward
        ),
        variant(
            "column by column, python numbers",
            batchnorm_forward=_columns_forward,
            batchnorm_backward=_columns_backward,
        ),
        variant(
            "the Jacobian as a matrix",
            batchnorm_forward=_jacobian_forward,
            batchnorm_backward=_jacobian_backward,
        ),
    ),
    hints=(
        "Draw the graph: x goes into x − μ, into μ and into σ². Three arrows leave x, so dx has three terms.",
        "Find the gradient with respect to σ² first, then the one with respect to μ; both are sums over the batch. The share of σ² in μ's is zero.",
        "Write everything in terms of x̂: ∂σ²/∂x = 2 (x − μ) / N and (x − μ) / √(σ² + ε) = x̂. Most factors cancel.",
    ),
)
### END SPEC
