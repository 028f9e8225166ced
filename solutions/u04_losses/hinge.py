"""Multiclass hinge loss
=====================

The support vector machine's loss: the score of the right class should beat every other score by a margin of 1, and what is missing is paid for.
For scores s (N, C) and the class indices y (N,):

    loss = 1/N Σ_n Σ_{c ≠ y_n} max(0, m_nc)      m_nc = s[n, c] − s[n, y_n] + 1      →  a 0-d tensor

A wrong class with m > 0 is pushed down, with slope 1/N. The right class is pulled up once for each of them.

Conventions: the sum runs over the wrong classes only, the mean over the N rows only (not over classes). A margin m of exactly 0 has gradient 0.
y holds integers and gets no gradient; y of another shape than (N,) raises a `ValueError` that names both shapes.
"""

import torch


def hinge_forward(scores, y):
    """Mean over rows of Σ max(0, s_c − s_y + 1).  scores (N, C), y (N,) class indices → loss (), cache."""
    ### BEGIN SOLUTION
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)} need one class index a row, got y {tuple(y.shape)}")
    right = scores.gather(1, y[:, None])
    margins = (scores - right + 1).clamp(min=0).scatter(1, y[:, None], 0)
    return margins.sum() / len(y), (margins, y)
    ### END SOLUTION


def hinge_backward(dout, cache):
    """dout () → dscores (N, C)."""
    ### BEGIN SOLUTION
    margins, y = cache
    pushed = (margins > 0) * (dout / len(y))
    return pushed.scatter(1, y[:, None], -pushed.sum(1, keepdim=True))
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import integers, literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

AT_ZERO = Convention(
    "ties", "max(0, m) has no slope at m = 0; the course takes 0 there, so count a class only where m > 0."
)


def _pushed_at_zero_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)} need one class index a row, got y {tuple(y.shape)}")
    m = scores - scores.gather(1, y[:, None]) + 1
    return m.clamp(min=0).scatter(1, y[:, None], 0).sum() / len(y), (m, y)


def _pushed_at_zero_backward(dout, cache):
    m, y = cache
    pushed = ((m >= 0) * (dout / len(y))).scatter(1, y[:, None], 0)
    return pushed.scatter(1, y[:, None], -pushed.sum(1, keepdim=True))


def oracle(scores, y):
    return torch.nn.functional.multi_margin_loss(scores, y) * scores.shape[1]


def _worst_class_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    rows = torch.arange(len(y))
    margins = (scores - scores[rows, y][:, None] + 1).clamp(min=0)
    margins[rows, y] = 0
    largest = margins == margins.max(1, keepdim=True).values
    margins = margins * largest
    return margins.sum() / len(y), (margins, y)


def _class_mean_forward(scores, y):
    loss, cache = _counted_forward(scores, y)
    return loss / scores.shape[1], cache


def _class_mean_backward(dout, cache):
    return _counted_backward(dout, cache) / cache[0].shape[1]


def _loops_forward(scores, y):
    if y.dim() != 1 or len(y) != len(scores):
        raise ValueError(f"expected one index a row: scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    total = torch.zeros((), dtype=scores.dtype)
    broken = []
    for n, right in enumerate(y.tolist()):
        for c in range(scores.shape[1]):
            margin = scores[n, c] - scores[n, right] + 1
            if c != right and margin > 0:
                total = total + margin
                broken.append((n, c, right))
    return total / len(y), (broken, scores.shape)


def _loops_backward(dout, cache):
    broken, shape = cache
    dscores = torch.zeros(shape, dtype=dout.dtype)
    for n, wrong, right in broken:
        dscores[n, wrong] += 1
        dscores[n, right] -= 1
    return dscores.div_(shape[0]).mul_(dout)


def _counted_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {list(scores.shape)}, y {list(y.shape)}")
    onehot = torch.zeros_like(scores).scatter_(1, y.reshape(-1, 1), 1.0)
    right = (scores * onehot).sum(1, keepdim=True)
    margins = torch.relu(scores - right + 1 - onehot)
    return margins.sum(1).mean(), (margins, onehot)


def _counted_backward(dout, cache):
    margins, onehot = cache
    broken = torch.where(margins > 0, torch.ones_like(margins), torch.zeros_like(margins)) * (1 - onehot)
    return (broken - onehot * broken.sum(1, keepdim=True)) * (dout / len(margins))


def _gathered_forward(scores, y):
    if tuple(y.shape) != (scores.shape[0],):
        raise ValueError(f"y {tuple(y.shape)} does not fit scores {tuple(scores.shape)}")
    margins = scores - scores.gather(1, y.unsqueeze(1)) + 1.0
    wrong = torch.ones_like(scores, dtype=torch.bool)
    wrong[torch.arange(len(y)), y] = False
    active = wrong & (margins > 0)
    return margins[active].sum() / len(y), {"active": active, "y": y}


def _gathered_backward(dout, cache):
    active, y = cache["active"], cache["y"]
    dscores = active.to(dout.dtype) * dout / len(y)
    return dscores.scatter_add(1, y.unsqueeze(1), -dscores.sum(1, keepdim=True))


LESSON = Lesson(
    name="hinge",
    title="The multiclass hinge loss",
    source="Weston and Watkins, Support vector machines for multi-class pattern recognition (1999); Stanford CS231n, Linear classification",
    requires=("linear", "relu"),
    forbids=("multi_margin_loss", "multilabel_margin_loss", "hinge_embedding_loss"),
    tasks=(
        Pair(
            "hinge",
            wrt=("scores",),
            oracle=oracle,
            bench=probe("455 rows, 10 classes", scores=normal(455, 10), y=integers(455, high=10)),
            probes=(
                probe("6 rows, 4 classes", scores=normal(6, 4, scale=1.5), y=integers(6, high=4)),
                probe("3 rows, 7 classes", scores=normal(3, 7), y=integers(3, high=7)),
                probe("batch of one", scores=literal([[0.3, -0.4, 1.2]]), y=literal([1], torch.int64)),
                probe("two classes", scores=normal(5, 2), y=integers(5, high=2)),
                probe(
                    "one class in every row, two absent", scores=normal(7, 3), y=literal([2] * 7, torch.int64)
                ),
                probe("the last class absent", scores=normal(4, 5), y=literal([0, 3, 0, 2], torch.int64)),
                probe("as many rows as classes", scores=normal(4, 4), y=integers(4, high=4)),
                probe("non-contiguous", scores=transposed(normal(5, 3)), y=integers(3, high=5)),
                probe(
                    "every margin kept",
                    scores=literal([[5.0, 1.0, 2.0], [0.0, -3.0, 4.0]]),
                    y=literal([0, 2], torch.int64),
                ),
                probe(
                    "every margin broken",
                    scores=literal([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]]),
                    y=literal([0, 3], torch.int64),
                ),
                probe(
                    "margins of 1/2048",
                    scores=literal([[1.0, 2.0**-11, 4.0], [0.5, -3.0, 1.5 - 2.0**-11]]),
                    y=literal([0, 2], torch.int64),
                ),
                probe(
                    "scores of 1000",
                    scores=literal([[1000.0, -1000.0, 0.5], [-1000.0, 1000.0, 999.75]]),
                    y=literal([1, 1], torch.int64),
                ),
                probe(
                    "margins of exactly 0",
                    scores=literal([[1.0, 0.0, -1.0, 0.5], [2.0, 3.0, 2.0, 2.0]]),
                    y=literal([0, 1], torch.int64),
                    convention=AT_ZERO,
                ),
            ),
            refuses=(
                probe("scores (5, 3) with y (5, 1)", scores=normal(5, 3), y=integers(5, 1, high=3)),
                probe("scores (5, 3) with y (1,)", scores=normal(5, 3), y=integers(1, high=3)),
                probe("scores (5, 3) with y (4,)", scores=normal(5, 3), y=integers(4, high=3)),
            ),
        ),
    ),
    mistakes=(
        mistake("broadcasts silently", "silent_broadcast", "y.shape != scores.shape[:1]", "y.dim() != 1"),
        mistake(
            "the right class is never pulled up",
            "missing_term",
            "pushed.scatter(1, y[:, None], -pushed.sum(1, keepdim=True))",
            "pushed",
        ),
        mistake(
            "the right class is pulled up once only",
            "overwritten",
            "-pushed.sum(1, keepdim=True)",
            "(pushed.sum(1, keepdim=True) != 0) * (-dout / len(y))",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "the right class counts itself",
            "forward_wrong",
            ".clamp(min=0).scatter(1, y[:, None], 0)",
            ".clamp(min=0)",
        ),
        mistake(
            "margin of exactly 0 pushed",
            "ties",
            hinge_forward=_pushed_at_zero_forward,
            hinge_backward=_pushed_at_zero_backward,
        ),
        mistake(
            "every clamped margin pushed",
            "mask_missing",
            "(margins > 0)",
            "(margins >= 0)",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("margin left out", "forward_wrong", "- right + 1)", "- right)"),
        mistake("1/N missing", "missing_batch_mean", "(dout / len(y))", "dout"),
        mistake(
            "mean over classes as well", "constant_factor", "(dout / len(y))", "(dout / margins.numel())"
        ),
        mistake(
            "scaled by the margin",
            "wrong_operand",
            "(margins > 0)",
            "margins",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("upstream ignored", "ignores_upstream", "(dout / len(y))", "(1 / len(y))"),
        mistake("sign", "sign", "(dout / len(y))", "(-dout / len(y))"),
        mistake("only the worst class", "consistent_with_wrong_forward", hinge_forward=_worst_class_forward),
        mistake(
            "mean over classes, in both passes",
            "consistent_with_wrong_forward",
            hinge_forward=_class_mean_forward,
            hinge_backward=_class_mean_backward,
        ),
    ),
    variants=(
        variant("loops", hinge_forward=_loops_forward, hinge_backward=_loops_backward),
        variant("one-hot rows", hinge_forward=_counted_forward, hinge_backward=_counted_backward),
        variant("gather and scatter", hinge_forward=_gathered_forward, hinge_backward=_gathered_backward),
    ),
    hints=(
        "Take one row and one wrong class. Which two scores does its term contain, and with which signs?",
        "The score of the right class occurs in the term of every wrong class. How many of those terms are not 0?",
        "Build a mask of the broken margins; the entry of the right class is minus the number of ones in its row.",
    ),
)
### END SPEC
