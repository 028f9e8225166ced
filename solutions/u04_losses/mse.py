"""Mean squared error
==================

How far is a prediction p from the truth y? The mean squared error averages the squares of all entries' distances:

    loss = 1/N Σ (p − y)²      p, y of one shape with N entries  →  a 0-d tensor

    ∂loss/∂p = 2 (p − y) / N

Conventions: N counts entries, not rows: for p (4, 3) it is 12. p and y must have one shape. (N, 1) against (N,) would broadcast to N × N
pairs without a word, so it raises a `ValueError` that names both shapes.
"""


def mse_forward(p, y):
    """Mean of (p − y)².  p, y of one shape → loss (), cache."""
    ### BEGIN SOLUTION
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    r = p - y
    return (r**2).mean(), r
    ### END SOLUTION


def mse_backward(dout, cache):
    """dout () → dp like p."""
    ### BEGIN SOLUTION
    r = cache
    return dout * 2 * r / r.numel()
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(p, y):
    return torch.nn.functional.mse_loss(p, y)


def _summed_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    return ((p - y) ** 2).sum(), p - y


def _summed_backward(dout, cache):
    return dout * 2 * cache


def _loops_forward(p, y):
    if list(p.shape) != list(y.shape):
        raise ValueError(f"shapes differ: {list(p.shape)} and {list(y.shape)}")
    differences = [a - b for a, b in zip(p.flatten().tolist(), y.flatten().tolist(), strict=True)]
    total = sum(d * d for d in differences)
    return torch.tensor(total / len(differences), dtype=p.dtype), (differences, p.shape)


def _loops_backward(dout, cache):
    differences, shape = cache
    slopes = [2 * d / len(differences) for d in differences]
    return torch.tensor(slopes, dtype=dout.dtype).reshape(shape) * dout


def _dotted_forward(p, y):
    if p.size() != y.size():
        raise ValueError(f"p is {tuple(p.size())}, y is {tuple(y.size())}")
    r = (p - y).reshape(-1)

    def backward(dout):
        return (r * (dout / len(r)) * 2).view(*p.shape)

    return torch.dot(r, r) / len(r), backward


def _dotted_backward(dout, cache):
    return cache(dout)


def _expanded_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"expected the shape {tuple(p.shape)} of p for y, got {tuple(y.shape)}")
    loss = torch.mean(p.square() - 2 * p * y + y.square())
    return loss, {"p": p, "y": y}


def _expanded_backward(dout, cache):
    dp = torch.zeros_like(cache["p"])
    dp += cache["p"]
    dp -= cache["y"]
    dp *= 2.0 / dp.numel()
    return [dp.mul_(dout)]


LESSON = Lesson(
    name="mse",
    title="Mean squared error",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 5.4; Bishop, Pattern Recognition (2006), eq. 1.2 (there a sum, halved)",
    requires=("linear",),
    forbids=("mse_loss",),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "mse",
            wrt=("p",),
            oracle=oracle,
            bench=probe("455 rows, 64 outputs", p=normal(455, 64), y=normal(455, 64)),
            probes=(
                probe("4 rows, 3 outputs", p=normal(4, 3), y=normal(4, 3)),
                probe("a column", p=normal(6, 1), y=normal(6, 1)),
                probe("batch of one", p=normal(1, 5), y=normal(1, 5)),
                probe("one axis", p=normal(7), y=normal(7)),
                probe("three axes", p=normal(2, 3, 4), y=normal(2, 3, 4)),
                probe("non-contiguous", p=transposed(normal(3, 5)), y=normal(5, 3)),
                probe(
                    "some predictions perfect",
                    p=literal([[1.0, -2.0], [0.5, 3.0]]),
                    y=literal([[1.0, 2.0], [0.5, -1.0]]),
                ),
                probe("far off", p=normal(3, 2, scale=1000), y=normal(3, 2)),
                probe("one entry", p=literal([[0.25]]), y=literal([[-1.5]])),
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
        mistake("2 forgotten", "constant_factor", "dout * 2 * r", "dout * r"),
        mistake("1/N missing", "missing_batch_mean", " / r.numel()", ""),
        mistake("divided by the rows only", "constant_factor", "r.numel()", "len(r)"),
        mistake("sign", "sign", "r = p - y", "r = y - p"),
        mistake("upstream ignored", "ignores_upstream", "dout * 2 * r", "2 * r"),
        mistake("absolute for squared", "forward_wrong", "(r**2).mean()", "r.abs().mean()"),
        mistake("root of the mean", "forward_wrong", "(r**2).mean()", "(r**2).mean().sqrt()"),
        mistake(
            "sum for mean, in both passes",
            "consistent_with_wrong_forward",
            mse_forward=_summed_forward,
            mse_backward=_summed_backward,
        ),
    ),
    variants=(
        variant("python numbers", mse_forward=_loops_forward, mse_backward=_loops_backward),
        variant(
            "a dot product, a closure as cache", mse_forward=_dotted_forward, mse_backward=_dotted_backward
        ),
        variant(
            "the square multiplied out, in-place assembly",
            mse_forward=_expanded_forward,
            mse_backward=_expanded_backward,
        ),
    ),
    hints=(
        "One entry of p occurs in one term of the sum only. What is the derivative of that term?",
        "The mean shares the loss among all entries. How many are there, and what does that do to each one's gradient?",
        "dout is one number: the loss may be a part of something larger, and the chain rule multiplies by it.",
    ),
)
### END SPEC
