"""Log-softmax
===========

The logarithm of the softmax, as losses need it, row by row:

    outₖ = xₖ − log Σⱼ e^(xⱼ)      x (..., K)  →  out (..., K), over the last axis

xₖ reaches outₖ directly, and every out of its row through the sum, whose slope is the softmax pₖ = e^(outₖ):

    dxₖ = doutₖ − pₖ Σⱼ doutⱼ

Convention: exact for entries of ±1000. The softmax of the smaller ones rounds to 0, and its logarithm is −∞; so never take the logarithm of
a softmax, but subtract log-sum-exp, with each row's own maximum taken out.
"""

import torch


def log_softmax_forward(x):
    """out = x − log Σ e^x over the last axis.  x (..., K) → out (..., K), cache."""
    ### BEGIN SOLUTION
    shifted = x - x.amax(-1, keepdim=True)
    e = torch.exp(shifted)
    total = e.sum(-1, keepdim=True)
    return shifted - torch.log(total), e / total
    ### END SOLUTION


def log_softmax_backward(dout, cache):
    """dout (..., K) → dx (..., K)."""
    ### BEGIN SOLUTION
    p = cache
    return dout - p * dout.sum(-1, keepdim=True)
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable",
    "entries of ±1000 give exact logarithms, such as −2000: subtract log-sum-exp, and take no logarithm of a softmax.",
)


def oracle(x):
    return torch.nn.functional.log_softmax(x, -1)


def _log_of_softmax_forward(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    p = e / e.sum(-1, keepdim=True)
    return torch.log(p), p


def _first_axis_forward(x):
    shifted = x - x.max(0, keepdim=True).values
    out = shifted - torch.log(torch.exp(shifted).sum(0, keepdim=True))
    return out, out


def _first_axis_backward(dout, cache):
    return dout - torch.exp(cache) * dout.sum(0, keepdim=True)


def _rows_forward(x):
    if x.dim() > 1:
        outs, caches = zip(*(_rows_forward(row) for row in x), strict=True)
        return torch.stack(outs), list(caches)
    values = x.tolist()
    total = max(values) + math.log(sum(math.exp(value - max(values)) for value in values))
    return torch.tensor([value - total for value in values], dtype=x.dtype), [
        math.exp(value - total) for value in values
    ]


def _rows_backward(dout, cache):
    if dout.dim() > 1:
        return torch.stack([_rows_backward(slope, saved) for slope, saved in zip(dout, cache, strict=True)])
    total = sum(dout.tolist())
    return torch.tensor(
        [slope - p * total for slope, p in zip(dout.tolist(), cache, strict=True)], dtype=dout.dtype
    )


def _jacobian_forward(x):
    total = torch.logsumexp(x, -1)[..., None]
    p = (x - total).exp()
    return x - total, torch.eye(x.shape[-1], dtype=x.dtype) - p.unsqueeze(-2)


def _jacobian_backward(dout, cache):
    return torch.einsum("...j,...jk->...k", dout, cache)


def _steps_forward(x):
    powers = (x - x.amax(-1, keepdim=True)).exp()
    total = powers.sum(-1, keepdim=True)

    def backward(dout):
        dtotal = -dout.sum(dim=-1, keepdim=True) / total
        dx = dtotal * powers
        dx += dout
        return dx

    return x - x.amax(-1, keepdim=True) - total.log(), backward


def _steps_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="log_softmax",
    title="Log-softmax",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.30; Bishop, Pattern Recognition (2006), eq. 4.109",
    requires=("softmax",),
    forbids=("log_softmax",),
    tasks=(
        Pair(
            "log_softmax",
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
        mistake("logarithm of a softmax", "unstable", log_softmax_forward=_log_of_softmax_forward),
        mistake("one maximum for all rows", "unstable", "x.amax(-1, keepdim=True)", "x.max()"),
        mistake("sum of dout forgotten", "nonlinear_in_upstream", "p * dout.sum(-1, keepdim=True)", "p"),
        mistake("dout not summed", "missing_term", "p * dout.sum(-1, keepdim=True)", "p * dout"),
        mistake(
            "slope of the sum forgotten",
            "missing_term",
            "dout - p * dout.sum(-1, keepdim=True)",
            "dout.clone()",
        ),
        mistake(
            "softmax's backward",
            "wrong_operand",
            "dout - p * dout.sum(-1, keepdim=True)",
            "p * (dout - (dout * p).sum(-1, keepdim=True))",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "out for the softmax",
            "wrong_operand",
            "(total), e / total",
            "(total), shifted - torch.log(total)",
        ),
        mistake("mean for sum", "mean_for_sum", "dout.sum(-1, keepdim=True)", "dout.mean(-1, keepdim=True)"),
        mistake(
            "summed over the rows", "wrong_axis", "dout.sum(-1, keepdim=True)", "dout.sum(0, keepdim=True)"
        ),
        mistake("summed over everything", "wrong_axis", "dout.sum(-1, keepdim=True)", "dout.sum()"),
        mistake("sign of the second term", "sign", "dout - p", "dout + p"),
        mistake("keepdim forgotten", "crashed", "dout.sum(-1, keepdim=True)", "dout.sum(-1)"),
        mistake(
            "upstream ignored",
            "ignores_upstream",
            "dout - p * dout.sum(-1, keepdim=True)",
            "1 - p * p.shape[-1]",
        ),
        mistake(
            "sign", "sign", "dout - p * dout.sum(-1, keepdim=True)", "p * dout.sum(-1, keepdim=True) - dout"
        ),
        mistake(
            "over the first axis",
            "consistent_with_wrong_forward",
            log_softmax_forward=_first_axis_forward,
            log_softmax_backward=_first_axis_backward,
        ),
        mistake("the logarithm forgotten", "forward_wrong", "torch.log(total)", "total"),
    ),
    variants=(
        variant("python numbers", log_softmax_forward=_rows_forward, log_softmax_backward=_rows_backward),
        variant(
            "the whole matrix", log_softmax_forward=_jacobian_forward, log_softmax_backward=_jacobian_backward
        ),
        variant(
            "step by step, a closure as cache",
            log_softmax_forward=_steps_forward,
            log_softmax_backward=_steps_backward,
        ),
    ),
    hints=(
        "outⱼ = xⱼ − L with L = log Σ e^x. You know the derivative of L with respect to xₖ from the lesson on log-sum-exp.",
        "xₖ gets doutₖ from its own out, and −doutⱼ ∂L/∂xₖ from every out j of the row, its own among them.",
        "The softmax is exp(out), or e^x over its sum: one of them is all the cache needs. Sum dout over the last axis with keepdim=True.",
    ),
)
### END SPEC
