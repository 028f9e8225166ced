"""Huber loss
==========

Quadratic near the truth, so that it settles; linear far away, so that outliers do not take over. With r = p − y and a threshold δ > 0:

    loss = 1/N Σ h(r)      h(r) = ½ r²             where |r| ≤ δ
                           h(r) = δ (|r| − ½ δ)    elsewhere

p and y have one shape with N entries; the loss is a 0-d tensor. The constant −½ δ² joins the two branches at |r| = δ, and so do their
slopes. With c = r cut off at −δ and δ, both branches are one formula, and the gradient never grows beyond δ/N:

    h(r) = c (r − ½ c)      ∂loss/∂p = c / N

Conventions: δ is the keyword `delta`, 1 by default. N counts entries. p and y must have one shape, else a `ValueError` names both shapes.
"""


def huber_forward(p, y, *, delta=1.0):
    """Mean of h(p − y).  p, y of one shape → loss (), cache."""
    ### BEGIN SOLUTION
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    r = p - y
    c = r.clamp(-delta, delta)
    return (c * (r - 0.5 * c)).mean(), c
    ### END SOLUTION


def huber_backward(dout, cache):
    """dout () → dp like p."""
    ### BEGIN SOLUTION
    c = cache
    return dout * c / c.numel()
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course.samples import literal, normal, transposed, uniform
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(p, y, *, delta=1.0):
    return torch.nn.functional.huber_loss(p, y, delta=delta)


def _smooth_l1_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    r = p - y
    each = torch.where(r.abs() <= delta, 0.5 * r**2 / delta, r.abs() - 0.5 * delta)
    return each.mean(), (r, delta)


def _smooth_l1_backward(dout, cache):
    r, delta = cache
    return dout * (r / delta).clamp(-1, 1) / r.numel()


def _loops_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"shapes differ: {tuple(p.shape)} and {tuple(y.shape)}")
    distances = [a - b for a, b in zip(p.flatten().tolist(), y.flatten().tolist(), strict=True)]
    total = 0.0
    for r in distances:
        if abs(r) < delta:
            total += r * r / 2
        else:
            total += delta * abs(r) - delta * delta / 2
    return torch.tensor(total / len(distances), dtype=p.dtype), (distances, delta, p.shape)


def _loops_backward(dout, cache):
    distances, delta, shape = cache
    slopes = [max(-delta, min(delta, r)) / len(distances) for r in distances]
    return torch.tensor(slopes, dtype=dout.dtype).view(shape) * dout


def _masked_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"p is {tuple(p.shape)}, y is {tuple(y.shape)}")
    r = p - y
    near = r.abs() < delta
    each = torch.empty_like(r)
    each[near] = r[near].square() / 2
    each[~near] = delta * r[~near].abs() - delta**2 / 2
    return each.sum() / each.numel(), {"r": r, "near": near, "delta": delta}


def _masked_backward(dout, cache):
    dp = cache["delta"] * cache["r"].sign()
    dp[cache["near"]] = cache["r"][cache["near"]]
    dp *= dout / dp.numel()
    return (dp,)


def _where_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    r = p - y
    return torch.where(r.abs() <= delta, 0.5 * r**2, delta * (r.abs() - 0.5 * delta)).mean(), (r, delta)


def _where_backward(dout, cache):
    r, delta = cache
    return dout / r.numel() * torch.where(r.abs() <= delta, r, delta * r.sign())


def _split_forward(p, y, *, delta=1.0):
    if p.shape != y.shape:
        raise ValueError(f"the shapes {tuple(p.shape)} and {tuple(y.shape)} differ")
    r = p - y
    inner = torch.minimum(r.abs(), torch.full_like(r, delta))
    beyond = r.abs() - inner

    def backward(dout):
        return torch.copysign(inner, r) * dout / r.numel()

    return (inner * inner / 2 + delta * beyond).mean(), backward


def _split_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="huber",
    title="The Huber loss",
    source="Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35 (1964); Hastie, Tibshirani, Friedman, "
    "The Elements of Statistical Learning (2009), eq. 10.23",
    requires=("mse", "mae"),
    forbids=("huber_loss", "smooth_l1_loss"),
    tasks=(
        Pair(
            "huber",
            wrt=("p",),
            oracle=oracle,
            bench=probe("455 rows, 64 outputs", p=normal(455, 64, scale=2), y=normal(455, 64)),
            probes=(
                probe("4 rows, 3 outputs, delta not given", p=normal(4, 3, scale=2), y=normal(4, 3)),
                probe("delta 0.4", hyper={"delta": 0.4}, p=normal(5, 2), y=normal(5, 2)),
                probe("delta 2.5", hyper={"delta": 2.5}, p=normal(6, 3, scale=3), y=normal(6, 3)),
                probe("all near, delta 3", hyper={"delta": 3.0}, p=uniform(3, 4), y=uniform(3, 4)),
                probe("all far", p=uniform(2, 5, low=4, high=9), y=uniform(2, 5)),
                probe(
                    "all far below, delta 0.7",
                    hyper={"delta": 0.7},
                    p=uniform(2, 5),
                    y=uniform(2, 5, low=4, high=9),
                ),
                probe("batch of one", hyper={"delta": 0.8}, p=normal(1, 7, scale=2), y=normal(1, 7)),
                probe("one axis", hyper={"delta": 1.3}, p=normal(9, scale=2), y=normal(9)),
                probe("three axes", hyper={"delta": 0.6}, p=normal(2, 3, 4), y=normal(2, 3, 4)),
                probe("as many rows as outputs", p=normal(4, 4, scale=2), y=normal(4, 4)),
                probe(
                    "non-contiguous",
                    hyper={"delta": 0.9},
                    p=transposed(normal(3, 5, scale=2)),
                    y=normal(5, 3),
                ),
                probe(
                    "exactly at the joint",
                    hyper={"delta": 0.5},
                    p=literal([[1.5, -0.5, 0.0, 0.25], [1.0, 0.25, -2.0, 3.0]]),
                    y=literal([[1.0, 0.0, 0.0, 0.0], [1.0, -0.25, -1.5, -1.0]]),
                ),
            ),
            refuses=(
                probe("p (5, 1) against y (5,)", p=normal(5, 1), y=normal(5)),
                probe("p (5,) against y (5, 1)", p=normal(5), y=normal(5, 1)),
                probe("p (4, 3) against y (3,)", p=normal(4, 3), y=normal(3)),
                probe("p (4, 3) against y (4, 1)", p=normal(4, 3), y=normal(4, 1)),
                probe("p (1, 3) against y (4, 3)", p=normal(1, 3), y=normal(4, 3)),
            ),
        ),
    ),
    mistakes=(
        mistake("broadcasts silently", "silent_broadcast", "p.shape != y.shape", "len(p) != len(y)"),
        mistake(
            "never cut off",
            "mask_missing",
            ".mean(), c\n",
            ".mean(), r\n",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("delta always 1", "missing_term", ".mean(), c\n", ".mean(), r.clamp(-1, 1)\n"),
        mistake(
            "far branch without its sign",
            "sign",
            ".mean(), c\n",
            ".mean(), (r * 0 + delta).where(r.abs() > delta, r)\n",
        ),
        mistake(
            "far branch without delta",
            "missing_term",
            ".mean(), c\n",
            ".mean(), r.sign().where(r.abs() > delta, r)\n",
        ),
        mistake(
            "branches swapped",
            "mask_inverted",
            ".mean(), c\n",
            ".mean(), r.where(r.abs() > delta, delta * r.sign())\n",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "constant of the far branch missing",
            "forward_wrong",
            "(r - 0.5 * c)",
            "(r - 0.5 * c.where(c == r, 0 * c))",
        ),
        mistake("the half forgotten, in the backward", "constant_factor", "dout * c", "dout * 2 * c"),
        mistake("1/N missing", "missing_batch_mean", " / c.numel()", ""),
        mistake("upstream ignored", "ignores_upstream", "dout * c", "c"),
        mistake(
            "smooth l1: divided by delta in both passes",
            "consistent_with_wrong_forward",
            huber_forward=_smooth_l1_forward,
            huber_backward=_smooth_l1_backward,
        ),
    ),
    variants=(
        variant("python numbers", huber_forward=_loops_forward, huber_backward=_loops_backward),
        variant("mask assignment", huber_forward=_masked_forward, huber_backward=_masked_backward),
        variant("where, branch by branch", huber_forward=_where_forward, huber_backward=_where_backward),
        variant("near part and far part", huber_forward=_split_forward, huber_backward=_split_backward),
    ),
    hints=(
        "Differentiate the two branches one after the other. What are their slopes just below and just above |r| = δ?",
        "The far branch goes up on both sides, so its slope must know the sign of r.",
        "Put together, the slope is r that is not allowed to leave [−δ, δ]: there is a tensor function for that.",
    ),
)
### END SPEC
