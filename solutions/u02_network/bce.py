"""Binary cross-entropy
====================

How surprised is a prediction p by the truth y? For p the probability of class 1 and y either 0 or 1, averaged over all N entries:

    loss = −1/N Σ [ y log p + (1 − y) log(1 − p) ]      p, y (N, 1)  →  a 0-d tensor

    ∂loss/∂p = (p − y) / (p (1 − p)) / N

Conventions: log 0 is −∞, so p is first clamped to [1e-7, 1 − 1e-7]; where that changed p, the loss does not depend on p any more and
its gradient is 0. p and y must have one shape. (N, 1) against (N,) would broadcast to N × N pairs without a word, so it raises a
`ValueError` that names both shapes.
"""

import torch


def bce_forward(p, y):
    """Mean of −y log p − (1 − y) log(1 − p).  p, y (N, 1) → loss (), cache."""
    ### BEGIN SOLUTION
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    q = p.clamp(1e-7, 1 - 1e-7)
    loss = -(y * torch.log(q) + (1 - y) * torch.log(1 - q)).mean()
    return loss, (p, q, y)
    ### END SOLUTION


def bce_backward(dout, cache):
    """dout () → dp (N, 1), 0 where p was clamped."""
    ### BEGIN SOLUTION
    p, q, y = cache
    dq = dout * (q - y) / (q * (1 - q)) / y.numel()
    return dq * (p == q)
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import labels, literal, transposed, uniform
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

CLAMPED = Convention(
    "mask_missing", "p is clamped to [1e-7, 1 − 1e-7]: the loss stays finite at 0 and 1, and dp is 0 where p was clamped."
)


def oracle(p, y):
    return torch.nn.functional.binary_cross_entropy(p.clamp(1e-7, 1 - 1e-7), y)


def _loops_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"shapes differ: {tuple(p.shape)} and {tuple(y.shape)}")
    pairs = list(zip(p.reshape(-1).tolist(), y.reshape(-1).tolist(), strict=True))
    total = 0.0
    for probability, truth in pairs:
        clamped = min(max(probability, 1e-7), 1 - 1e-7)
        total -= truth * math.log(clamped) + (1 - truth) * math.log(1 - clamped)
    return torch.tensor(total / len(pairs), dtype=p.dtype), (pairs, p.shape)


def _loops_backward(dout, cache):
    pairs, shape = cache
    slopes = []
    for probability, truth in pairs:
        if 1e-7 <= probability <= 1 - 1e-7:
            slopes.append(((1 - truth) / (1 - probability) - truth / probability) / len(pairs))
        else:
            slopes.append(0.0)
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(shape)


def _masked_forward(p, y):
    if p.size() != y.size():
        raise ValueError(f"p is {tuple(p.size())}, y is {tuple(y.size())}")
    inside = (p >= 1e-7) & (p <= 1 - 1e-7)
    right = torch.where(y == 1, p, 1 - p).clamp(1e-7, 1 - 1e-7)
    return -right.log().sum() / len(right), {"p": p, "y": y, "inside": inside}


def _masked_backward(dout, cache):
    p, y, inside = cache["p"], cache["y"], cache["inside"]
    dp = torch.zeros_like(p)
    ones = inside & (y == 1)
    zeros = inside & (y == 0)
    dp[ones] = -1 / p[ones]
    dp[zeros] = 1 / (1 - p[zeros])
    dp *= dout / len(p)
    return dp


def _closure_forward(p, y):
    if p.shape != y.shape:
        raise ValueError("p %s and y %s do not match" % (tuple(p.shape), tuple(y.shape)))
    q = torch.minimum(torch.maximum(p, torch.full_like(p, 1e-7)), torch.full_like(p, 1 - 1e-7))

    def backward(dout):
        slope = -y / q + (1 - y) / (1 - q)
        return torch.where((p < 1e-7) | (p > 1 - 1e-7), torch.zeros_like(p), slope) * dout / q.numel()

    return -torch.mean(torch.xlogy(y, q) + (1 - y) * torch.log1p(-q)), backward


def _closure_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="bce",
    title="Binary cross-entropy",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 5.64 and section 6.2.2.2; Bishop, Pattern Recognition (2006), eq. 4.90",
    requires=("sigmoid",),
    forbids=("binary_cross_entropy",),
    tasks=(
        Pair(
            "bce",
            wrt=("p",),
            oracle=oracle,
            bench=probe("455 rows", p=uniform(455, 1, low=0.05, high=0.95), y=labels(455, 1)),
            probes=(
                probe("5 rows", p=uniform(5, 1, low=0.05, high=0.95), y=labels(5, 1)),
                probe("batch of one", p=literal([[0.3]]), y=literal([[1.0]])),
                probe("eight rows, all of class 0", p=uniform(8, 1, low=0.1, high=0.9), y=literal([[0.0]] * 8)),
                probe("non-contiguous", p=transposed(uniform(1, 7, low=0.1, high=0.9)), y=transposed(labels(1, 7))),
                probe("sure and wrong", p=literal([[0.999], [0.001], [0.6]]), y=literal([[0.0], [1.0], [1.0]])),
                probe(
                    "p beyond the clamp",
                    p=literal([[1.0], [0.0], [1e-9], [0.25], [1.0], [0.0]]),
                    y=literal([[1.0], [0.0], [1.0], [1.0], [0.0], [1.0]]),
                    convention=CLAMPED,
                ),
            ),
            refuses=(
                probe("p (5, 1) against y (5,)", p=uniform(5, 1, low=0.1, high=0.9), y=labels(5)),
                probe("p (5,) against y (5, 1)", p=uniform(5, low=0.1, high=0.9), y=labels(5, 1)),
                probe("p (4, 3) against y (4, 1)", p=uniform(4, 3, low=0.1, high=0.9), y=labels(4, 1)),
                probe("p (1, 1) against y (5, 1)", p=uniform(1, 1, low=0.1, high=0.9), y=labels(5, 1)),
            ),
        ),
    ),
    mistakes=(
        mistake("broadcasts silently", "silent_broadcast", "p.shape != y.shape", "len(p) != len(y)"),
        mistake("1/N missing", "missing_batch_mean", " / y.numel()", ""),
        mistake("sum for mean in the loss", "missing_batch_mean", ".mean()", ".sum()"),
        mistake("sign", "sign", "(q - y)", "(y - q)"),
        mistake(
            "class 1 only",
            "missing_term",
            "(q - y) / (q * (1 - q))",
            "-y / q",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("sign of class 0", "sign", "(q - y) / (q * (1 - q))", "(-y / q - (1 - y) / (1 - q))"),
        mistake("gradient where p was clamped", "mask_missing", "dq * (p == q)", "dq"),
        mistake("gradient of the logits", "extra_term", " / (q * (1 - q))", ""),
        mistake("upstream ignored", "ignores_upstream", "dout * (q - y)", "(q - y)"),
    ),
    variants=(
        variant("python numbers", bce_forward=_loops_forward, bce_backward=_loops_backward),
        variant("mask assignment", bce_forward=_masked_forward, bce_backward=_masked_backward),
        variant("a closure as cache", bce_forward=_closure_forward, bce_backward=_closure_backward),
    ),
    hints=(
        "Differentiate the loss of one entry with respect to its p; the two terms share a common denominator.",
        "The mean divides every entry's gradient by the number of entries, and the chain rule multiplies all of them by dout.",
        "Compare p before and after the clamp: where they differ, the loss did not see p.",
    ),
)
### END SPEC
