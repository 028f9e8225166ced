"""Mean absolute error
===================

Squares let one outlier outvote all other entries. The mean absolute error counts every distance as it is:

    loss = 1/N Σ |p − y|      p, y of one shape with N entries  →  a 0-d tensor

    ∂loss/∂p = sign(p − y) / N

The gradient knows only on which side of the truth a prediction lies, never how far away.

Conventions: where p = y the absolute value has no slope; this course takes 0, the middle of all slopes that touch it there. N counts entries.
p and y must have one shape, else a `ValueError` names both shapes.
"""


def mae_forward(p, y):
    """Mean of |p − y|.  p, y of one shape → loss (), cache."""
    ### BEGIN SOLUTION
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    r = p - y
    return r.abs().mean(), r
    ### END SOLUTION


def mae_backward(dout, cache):
    """dout () → dp like p, 0 where p = y."""
    ### BEGIN SOLUTION
    r = cache
    return dout * r.sign() / r.numel()
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course.samples import distinct, literal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

AT_ZERO = Convention("ties", "|p − y| has no slope where p = y; the course takes 0 there, as torch does.")


def oracle(p, y):
    return torch.nn.functional.l1_loss(p, y)


def _summed_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    return (p - y).abs().sum(), p - y


def _summed_backward(dout, cache):
    return dout * cache.sign()


def _loops_forward(p, y):
    if p.shape != y.shape:
        raise ValueError("p is %s and y is %s" % (tuple(p.shape), tuple(y.shape)))
    pairs = list(zip(p.reshape(-1).tolist(), y.reshape(-1).tolist(), strict=True))
    loss = sum(abs(a - b) for a, b in pairs) / len(pairs)
    return torch.tensor(loss, dtype=p.dtype), (pairs, p.shape)


def _loops_backward(dout, cache):
    pairs, shape = cache
    slopes = [0.0 if a == b else (1.0 if a > b else -1.0) / len(pairs) for a, b in pairs]
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(shape)


def _masked_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"cannot compare {list(p.shape)} with {list(y.shape)}")
    above, below = p > y, p < y
    return (torch.maximum(p, y) - torch.minimum(p, y)).sum() / p.numel(), {"above": above, "below": below}


def _masked_backward(dout, cache):
    dp = torch.zeros(cache["above"].shape, dtype=dout.dtype)
    dp[cache["above"]] = 1
    dp[cache["below"]] = -1
    return dp * dout / dp.numel()


def _where_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)}, y {tuple(y.shape)}")
    r = p - y
    slope = torch.where(r == 0, torch.zeros_like(r), r / r.abs())
    return (slope * r).mean(), lambda dout: slope * (dout / slope.numel())


def _where_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="mae",
    title="Mean absolute error",
    source="Boyd, Vandenberghe, Convex Optimization (2004), section 6.1.1 (the l1-norm as a penalty)",
    requires=("mse",),
    forbids=("l1_loss",),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "mae",
            wrt=("p",),
            oracle=oracle,
            bench=probe("455 rows, 64 outputs", p=distinct(455, 64), y=distinct(455, 64, gap=0.31)),
            probes=(
                probe("4 rows, 3 outputs", p=distinct(4, 3), y=distinct(4, 3, gap=0.31)),
                probe("a column", p=distinct(6, 1), y=distinct(6, 1, gap=0.31)),
                probe("batch of one", p=distinct(1, 5), y=distinct(1, 5, gap=0.31)),
                probe("one axis", p=distinct(7), y=distinct(7, gap=0.31)),
                probe("three axes", p=distinct(2, 3, 4), y=distinct(2, 3, 4, gap=0.31)),
                probe("non-contiguous", p=transposed(distinct(3, 5)), y=distinct(5, 3, gap=0.31)),
                probe(
                    "distances of 1e-6 and 1e6",
                    p=literal([[1e-6, 1e6], [2.0, -3.0]]),
                    y=literal([[0.0, 0.0], [2.5, -3.5]]),
                ),
                probe("one entry", p=literal([0.25]), y=literal([1.5])),
                probe(
                    "some predictions perfect",
                    p=literal([[1.0, -2.0, 0.0], [0.5, 3.0, -1.0]]),
                    y=literal([[1.0, 2.0, 0.0], [0.5, -1.0, 1.0]]),
                    convention=AT_ZERO,
                ),
            ),
            refuses=(
                probe("p (5, 1) against y (5,)", p=distinct(5, 1), y=distinct(5)),
                probe("p (5,) against y (5, 1)", p=distinct(5), y=distinct(5, 1)),
                probe("p (4, 3) against y (3,)", p=distinct(4, 3), y=distinct(3)),
                probe("p (4, 3) against y (4, 1)", p=distinct(4, 3), y=distinct(4, 1)),
                probe("p (1, 3) against y (4, 3)", p=distinct(1, 3), y=distinct(4, 3)),
            ),
        ),
    ),
    mistakes=(
        mistake("broadcasts silently", "silent_broadcast", "p.shape != y.shape", "len(p) != len(y)"),
        mistake("gradient 1 where p = y", "ties", "r.sign()", "((r >= 0) * 2 - 1)"),
        mistake("0 / 0 where p = y", "not_finite", "r.sign()", "(r / r.abs())"),
        mistake("sign", "sign", "r = p - y", "r = y - p"),
        mistake("1/N missing", "missing_batch_mean", " / r.numel()", ""),
        mistake("divided by the rows only", "constant_factor", "r.numel()", "len(r)"),
        mistake("upstream ignored", "ignores_upstream", "dout * r.sign()", "r.sign()"),
        mistake("gradient of the squares", "forward_wrong", "r.abs().mean()", "(r**2).mean()"),
        mistake("sign forgotten", "extra_term", "r.sign()", "r"),
        mistake(
            "only the sign of dout", "nonlinear_in_upstream", "dout * r.sign()", "dout.sign() * r.sign()"
        ),
        mistake(
            "sum for mean, in both passes",
            "consistent_with_wrong_forward",
            mae_forward=_summed_forward,
            mae_backward=_summed_backward,
        ),
    ),
    variants=(
        variant("python numbers", mae_forward=_loops_forward, mae_backward=_loops_backward),
        variant("mask assignment", mae_forward=_masked_forward, mae_backward=_masked_backward),
        variant("where, and a closure as cache", mae_forward=_where_forward, mae_backward=_where_backward),
    ),
    hints=(
        "What is the slope of |r| to the right of 0, and to its left? Neither depends on how large r is.",
        "One tensor function returns 1, −1, and 0 exactly where the entry is 0.",
        "All N entries share the mean, and dout multiplies all of them.",
    ),
)
### END SPEC
