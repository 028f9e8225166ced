"""Log-sum-exp
===========

A smooth maximum over the last axis:

    out = log Σₖ e^(xₖ)      x (..., K)  →  out (...)

It lies between max x and max x + log K. One out depends on all K entries of its row, and the slope of the logarithm is shared among them:

    ∂out/∂xₖ = e^(xₖ) / Σⱼ e^(xⱼ) = e^(xₖ − out),    dxₖ = dout · e^(xₖ − out)

The K slopes are positive and sum to 1: the softmax. Larger entries get the larger share.

Convention: finite for entries of ±1000, where e^1000 overflows and the logarithm of e^(−1000) = 0 is −∞. A shift m of the whole row comes
back out unchanged, so choose m = max x, for every row its own:

    log Σₖ e^(xₖ) = m + log Σₖ e^(xₖ − m)
"""

import torch


def logsumexp_forward(x):
    """out = log Σ e^x over the last axis.  x (..., K) → out (...), cache."""
    ### BEGIN SOLUTION
    m = x.max(-1, keepdim=True).values
    out = m + torch.log(torch.exp(x - m).sum(-1, keepdim=True))
    return out.squeeze(-1), (x, out)
    ### END SOLUTION


def logsumexp_backward(dout, cache):
    """dout (...) → dx (..., K)."""
    ### BEGIN SOLUTION
    x, out = cache
    return dout.unsqueeze(-1) * torch.exp(x - out)
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable", "entries of ±1000 give a finite result: subtract each row's own maximum before exp and add it after log."
)


def oracle(x):
    return torch.logsumexp(x, -1)


def _naive_forward(x):
    return torch.log(torch.exp(x).sum(-1)), (x, torch.log(torch.exp(x).sum(-1, keepdim=True)))


def _recursive_forward(x):
    if x.dim() > 1:
        outs, caches = zip(*(_recursive_forward(row) for row in x), strict=True)
        return torch.stack(outs), list(caches)
    values = x.tolist()
    largest = max(values)
    powers = [math.exp(value - largest) for value in values]
    return torch.tensor(largest + math.log(sum(powers)), dtype=x.dtype), [power / sum(powers) for power in powers]


def _recursive_backward(dout, cache):
    if dout.dim() == 0:
        return dout * torch.tensor(cache, dtype=dout.dtype)
    return torch.stack([_recursive_backward(slope, saved) for slope, saved in zip(dout, cache, strict=True)])


def _shares_forward(x):
    m = torch.amax(x, dim=-1)
    powers = (x - m[..., None]).exp()
    total = powers.sum(dim=-1)
    return total.log() + m, {"shares": powers / total[..., None]}


def _shares_backward(dout, cache):
    return torch.einsum("...,...k->...k", dout, cache["shares"])


def _folded_forward(x):
    out = x[..., 0].clone()
    for k in range(1, x.shape[-1]):
        high, low = torch.maximum(out, x[..., k]), torch.minimum(out, x[..., k])
        out = high + torch.log1p(torch.exp(low - high))
    return out, lambda dout: torch.stack([dout * torch.exp(column - out) for column in x.unbind(-1)], -1)


def _folded_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="logsumexp",
    title="Log-sum-exp",
    source="Boyd and Vandenberghe, Convex Optimization (2004), section 3.1.5; Goodfellow et al., Deep Learning (2016), section 4.1",
    requires=("sine_chain",),
    forbids=("logsumexp", "logcumsumexp"),
    minutes=20,
    tasks=(
        Pair(
            "logsumexp",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("4 rows, 5 entries", x=normal(4, 5)),
                probe("batch of one", x=normal(1, 6)),
                probe("one axis", x=normal(5)),
                probe("three axes", x=normal(2, 3, 4)),
                probe("as many rows as entries", x=normal(4, 4)),
                probe("non-contiguous", x=transposed(normal(5, 3))),
                probe("one entry a row", x=normal(3, 1, shift=2)),
                probe("rows at 10, 0 and −10", x=literal([[10.0, 11.0], [0.0, 0.5], [-10.0, -8.0]])),
                probe("ties", x=literal([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 0.5, -1.0]])),
                probe("±1000 in one row", x=literal([[1000.0, -1000.0, 999.0], [0.5, -1000.0, 1.0]]), convention=LARGE),
                probe("rows at 1000 and −1000", x=literal([[1000.0, 1001.0], [-1000.0, -1002.0]]), convention=LARGE),
            ),
        ),
    ),
    mistakes=(
        mistake("overflows", "unstable", logsumexp_forward=_naive_forward),
        mistake("one maximum for all rows", "unstable", "x.max(-1, keepdim=True).values", "x.max()"),
        mistake("maximum not added back", "forward_wrong", "out = m + torch.log", "out = torch.log"),
        mistake("maximum subtracted, entries not", "forward_wrong", "torch.exp(x - m).sum", "torch.exp(x).sum"),
        mistake("mean for sum", "mean_for_sum", ".sum(-1, keepdim=True)", ".mean(-1, keepdim=True)"),
        mistake(
            "summed over the rows",
            "wrong_shape",
            "torch.exp(x - m).sum(-1, keepdim=True)",
            "torch.exp(x - m).sum(0, keepdim=True)",
        ),
        mistake("not divided by the sum", "wrong_operand", "torch.exp(x - out)", "torch.exp(x)"),
        mistake("upstream ignored", "ignores_upstream", "dout.unsqueeze(-1) * torch.exp(x - out)", "torch.exp(x - out)"),
        mistake("upstream along the rows", "crashed", "dout.unsqueeze(-1)", "dout"),
        mistake("shares of the column", "wrong_axis", "torch.exp(x - out)", "torch.exp(x) / torch.exp(x).sum(0)"),
        mistake("the same for every entry", "missing_term", "torch.exp(x - out)", "torch.ones_like(x)"),
        mistake(
            "all to the maximum",
            "wrong_operand",
            "torch.exp(x - out)",
            "(x == x.max(-1, keepdim=True).values)",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("sign", "sign", "torch.exp(x - out)", "-torch.exp(x - out)"),
    ),
    variants=(
        variant("python numbers, row by row", logsumexp_forward=_recursive_forward, logsumexp_backward=_recursive_backward),
        variant("the shares as cache", logsumexp_forward=_shares_forward, logsumexp_backward=_shares_backward),
        variant("two entries at a time", logsumexp_forward=_folded_forward, logsumexp_backward=_folded_backward),
    ),
    hints=(
        "Write u = Σ e^(xₖ), out = log u, and use the chain rule: ∂out/∂u, then ∂u/∂xₖ.",
        "dout has one axis less than x: every entry of a row shares the one dout of its row.",
        "e^(xₖ) / u is e^(xₖ − out), which cannot overflow. Keep x and out in the cache.",
    ),
)
### END SPEC
