"""Softmax
=======

K scores become K probabilities, row by row:

    pₖ = e^(xₖ) / Σⱼ e^(xⱼ)      x (..., K)  →  p (..., K), over the last axis

Every p depends on every x of its row: raising one score lowers the share of all others. So the derivative is a matrix, with
∂pⱼ/∂xₖ = pⱼ (δⱼₖ − pₖ), where δⱼₖ is 1 if j = k and 0 otherwise. Summed against dout it never has to be written down:

    dxₖ = Σⱼ doutⱼ pⱼ (δⱼₖ − pₖ) = pₖ (doutₖ − Σⱼ doutⱼ pⱼ)

Along a row dx sums to 0, for a shift of all K scores changes nothing. Convention: exact for entries of ±1000, where e^1000 overflows;
subtract each row's own maximum first, which changes nothing either.
"""

import torch


def softmax_forward(x):
    """p = e^x / Σ e^x over the last axis.  x (..., K) → p (..., K), cache."""
    ### BEGIN SOLUTION
    e = torch.exp(x - x.amax(-1, keepdim=True))
    p = e / e.sum(-1, keepdim=True)
    return p, p
    ### END SOLUTION


def softmax_backward(dout, cache):
    """dout (..., K) → dx (..., K)."""
    ### BEGIN SOLUTION
    p = cache
    return p * (dout - (dout * p).sum(-1, keepdim=True))
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable",
    "entries of ±1000 give exact probabilities: subtract each row's own maximum before the exponential.",
)


def oracle(x):
    return torch.nn.functional.softmax(x, -1)


def _first_axis_forward(x):
    e = torch.exp(x - x.max(0, keepdim=True).values)
    p = e / e.sum(0, keepdim=True)
    return p, p


def _first_axis_backward(dout, cache):
    return cache * (dout - (dout * cache).sum(0, keepdim=True))


def _rows_forward(x):
    if x.dim() > 1:
        ps, caches = zip(*(_rows_forward(row) for row in x), strict=True)
        return torch.stack(ps), list(caches)
    powers = [math.exp(value - max(x.tolist())) for value in x.tolist()]
    p = [power / sum(powers) for power in powers]
    return torch.tensor(p, dtype=x.dtype), p


def _rows_backward(dout, cache):
    if dout.dim() > 1:
        return torch.stack([_rows_backward(slope, saved) for slope, saved in zip(dout, cache, strict=True)])
    dx = torch.zeros_like(dout)
    for k in range(len(cache)):
        for j in range(len(cache)):
            dx[k] += dout[j] * cache[j] * ((j == k) - cache[k])
    return dx


def _jacobian_forward(x):
    p = torch.exp(x - torch.logsumexp(x, dim=-1, keepdim=True))
    return p, {"jacobian": torch.diag_embed(p) - torch.einsum("...j,...k->...jk", p, p)}


def _jacobian_backward(dout, cache):
    return torch.einsum("...j,...jk->...k", dout, cache["jacobian"])


def _quotient_forward(x):
    powers = (x - x.amax(-1, keepdim=True)).exp()
    total = powers.sum(-1, keepdim=True)

    def backward(dout):
        dpowers = dout / total
        dtotal = -(dout * powers / total**2).sum(-1, keepdim=True)
        return (dpowers + dtotal) * powers

    return powers / total, backward


def _quotient_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="softmax",
    title="Softmax",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.29; Bishop, Pattern Recognition (2006), eq. 4.104 and 4.106",
    requires=("sigmoid", "logsumexp"),
    forbids=("softmax", "log_softmax", "softmin"),
    minutes=20,
    tasks=(
        Pair(
            "softmax",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("4 rows, 5 classes", x=normal(4, 5)),
                probe("batch of one", x=normal(1, 6)),
                probe("one axis", x=normal(5)),
                probe("three axes", x=normal(2, 3, 4)),
                probe("as many rows as classes", x=normal(4, 4)),
                probe("two classes", x=normal(6, 2)),
                probe("non-contiguous", x=transposed(normal(5, 3))),
                probe("rows at 10, 0 and −10", x=literal([[10.0, 11.0], [0.0, 0.5], [-10.0, -8.0]])),
                probe("ties", x=literal([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 0.5, -1.0]])),
                probe(
                    "±1000 in one row",
                    x=literal([[1000.0, 999.0, -1000.0], [0.5, -1000.0, 1.0]]),
                    convention=LARGE,
                ),
                probe(
                    "rows at 1000 and −1000",
                    x=literal([[1000.0, 1001.0], [-1000.0, -1002.0]]),
                    convention=LARGE,
                ),
            ),
            bench=probe("256 × 256", x=normal(256, 256)),
        ),
    ),
    mistakes=(
        mistake("overflows", "unstable", "torch.exp(x - x.amax(-1, keepdim=True))", "torch.exp(x)"),
        mistake("one maximum for all rows", "unstable", "x.amax(-1, keepdim=True)", "x.max()"),
        mistake(
            "the diagonal only",
            "missing_term",
            "p * (dout - (dout * p).sum(-1, keepdim=True))",
            "dout * p * (1 - p)",
        ),
        mistake(
            "the other classes forgotten", "missing_term", "(dout - (dout * p).sum(-1, keepdim=True))", "dout"
        ),
        mistake(
            "mean for sum",
            "mean_for_sum",
            "(dout * p).sum(-1, keepdim=True)",
            "(dout * p).mean(-1, keepdim=True)",
        ),
        mistake(
            "summed over the rows",
            "wrong_axis",
            "(dout * p).sum(-1, keepdim=True)",
            "(dout * p).sum(0, keepdim=True)",
        ),
        mistake(
            "summed over everything", "wrong_axis", "(dout * p).sum(-1, keepdim=True)", "(dout * p).sum()"
        ),
        mistake("dout summed without its weights", "missing_term", "(dout * p).sum", "dout.sum"),
        mistake("sign of the second term", "sign", "(dout - (dout * p)", "(dout + (dout * p)"),
        mistake("keepdim forgotten", "crashed", "(dout * p).sum(-1, keepdim=True)", "(dout * p).sum(-1)"),
        mistake("upstream ignored", "ignores_upstream", "dout - (dout * p)", "1 - (1 * p)"),
        mistake(
            "sign",
            "sign",
            "p * (dout - (dout * p).sum(-1, keepdim=True))",
            "p * ((dout * p).sum(-1, keepdim=True) - dout)",
        ),
        mistake(
            "over the first axis",
            "consistent_with_wrong_forward",
            softmax_forward=_first_axis_forward,
            softmax_backward=_first_axis_backward,
        ),
        mistake("normalised over everything", "wrong_axis", "e / e.sum(-1, keepdim=True)", "e / e.sum()"),
    ),
    variants=(
        variant(
            "python numbers and the double sum",
            softmax_forward=_rows_forward,
            softmax_backward=_rows_backward,
        ),
        variant("the whole matrix", softmax_forward=_jacobian_forward, softmax_backward=_jacobian_backward),
        variant(
            "the quotient rule, a closure as cache",
            softmax_forward=_quotient_forward,
            softmax_backward=_quotient_backward,
        ),
    ),
    hints=(
        "Take three classes and write p₀ down. It depends on x₀ through the numerator and on all of x through the denominator.",
        "∂pⱼ/∂xₖ is pⱼ (1 − pⱼ) for j = k, and −pⱼ pₖ for j ≠ k. dxₖ collects dout from all j of its row.",
        "The sum Σⱼ doutⱼ pⱼ is one number for each row: compute it once, with keepdim=True so that it fits the row again.",
    ),
)
### END SPEC
