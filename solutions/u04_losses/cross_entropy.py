"""Softmax cross-entropy
=====================

Scores become probabilities by the softmax, and the loss is the surprise at the right class, averaged over the rows. For scores s (N, C) and
class indices y (N,):

    p[n, c] = e^s[n, c] / Σ_k e^s[n, k]      loss = −1/N Σ_n log p[n, y_n]      →  a 0-d tensor

    ∂loss/∂s[n, c] = (p[n, c] − [c = y_n]) / N

Every class is pushed down by its probability, and the right one is pulled up by 1: a row's gradients add up to 0.

Conventions: exact for scores of ±1000. e^1000 overflows, but the softmax does not change when a row's largest score is subtracted from the
row, and log p is then s minus the logarithm of a sum, never the logarithm of a 0. y holds integers and gets no gradient; y of another shape
than (N,) raises a `ValueError` that names both shapes.
"""

import torch


def cross_entropy_forward(scores, y):
    """Mean of −log softmax(scores)[y].  scores (N, C), y (N,) class indices → loss (), cache."""
    ### BEGIN SOLUTION
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)} need one class index a row, got y {tuple(y.shape)}")
    shifted = scores - scores.amax(1, keepdim=True)
    logp = shifted - shifted.exp().sum(1, keepdim=True).log()
    loss = -logp[torch.arange(len(y)), y].mean()
    return loss, (logp, y)
    ### END SOLUTION


def cross_entropy_backward(dout, cache):
    """dout () → dscores (N, C)."""
    ### BEGIN SOLUTION
    logp, y = cache
    dscores = logp.exp()
    dscores[torch.arange(len(y)), y] -= 1
    return dout * dscores / len(y)
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import integers, literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable",
    "at scores of ±1000 the loss and its gradient are exact; subtract each row's largest score, and never take log 0.",
)


def oracle(scores, y):
    return torch.nn.functional.cross_entropy(scores, y)


def _naive_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    p = scores.exp() / scores.exp().sum(1, keepdim=True)
    return -p[torch.arange(len(y)), y].log().mean(), (p.log(), y)


def _summed_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    logp = scores - torch.logsumexp(scores, 1, keepdim=True)
    return -logp[torch.arange(len(y)), y].sum(), (logp, y)


def _summed_backward(dout, cache):
    logp, y = cache
    return dout * (logp.exp() - torch.eye(logp.shape[1], dtype=logp.dtype)[y])


def _repeated_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    logp = scores - torch.logsumexp(scores, 1, keepdim=True)
    return -logp[:, y].mean(), (logp, y)


def _mutating_backward(dout, cache):
    logp, y = cache
    dscores = logp.exp_()
    dscores[torch.arange(len(y)), y] -= 1
    return dout * dscores / len(y)


def _loops_forward(scores, y):
    if y.dim() != 1 or len(y) != len(scores):
        raise ValueError(f"expected one index a row: scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    probabilities, total = [], 0.0
    for row, right in zip(scores.tolist(), y.tolist(), strict=True):
        top = max(row)
        powers = [math.exp(score - top) for score in row]
        total += math.log(sum(powers)) - (row[right] - top)
        probabilities.append([power / sum(powers) for power in powers])
    return torch.tensor(total / len(probabilities), dtype=scores.dtype), (probabilities, y.tolist())


def _loops_backward(dout, cache):
    probabilities, targets = cache
    rows = [
        [(p - (c == right)) / len(targets) for c, p in enumerate(row)]
        for row, right in zip(probabilities, targets, strict=True)
    ]
    return dout * torch.tensor(rows, dtype=dout.dtype)


def _onehot_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {list(scores.shape)}, y {list(y.shape)}")
    onehot = (torch.arange(scores.shape[1]) == y[:, None]).to(scores.dtype)
    return (torch.logsumexp(scores, 1) - (scores * onehot).sum(1)).mean(), {
        "scores": scores,
        "onehot": onehot,
    }


def _onehot_backward(dout, cache):
    p = torch.softmax(cache["scores"], dim=1)
    return (p - cache["onehot"]).mul(dout).div(p.shape[0])


def _chained_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"y {tuple(y.shape)} for scores {tuple(scores.shape)}")
    shifted = scores - scores.max(dim=1, keepdim=True)[0]
    powers = torch.exp(shifted)
    sums = powers.sum(dim=1, keepdim=True)
    loss = (torch.log(sums) - shifted.gather(1, y[:, None])).sum() / y.numel()

    def backward(dout):
        dloss = (dout / y.numel()).expand(len(y), 1)
        dscores = powers * (dloss / sums)
        return dscores.scatter_add(1, y[:, None], -dloss)

    return loss, backward


def _chained_backward(dout, cache):
    return cache(dout)


def _differences_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"one class index a row: scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    against = scores - scores[torch.arange(len(y)), y].unsqueeze(1)
    top = against.amax(1, keepdim=True)
    surprise = top.squeeze(1) + (against - top).exp().sum(1).log()
    return surprise.mean(), (against, surprise, y)


def _differences_backward(dout, cache):
    against, surprise, y = cache
    dscores = torch.exp(against - surprise.unsqueeze(1))
    for n in range(len(y)):
        dscores[n, y[n]] -= 1.0
    return [dscores * dout / len(y)]


LESSON = Lesson(
    name="cross_entropy",
    title="Softmax cross-entropy",
    source="Bishop, Pattern Recognition (2006), eq. 4.104, 4.108 and 4.109; Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.30",
    requires=("log_softmax", "bce_with_logits"),
    forbids=("cross_entropy", "cross_entropy_loss", "nll_loss", "nll_loss_nd"),
    minutes=20,
    tasks=(
        Pair(
            "cross_entropy",
            wrt=("scores",),
            oracle=oracle,
            bench=probe("455 rows, 10 classes", scores=normal(455, 10), y=integers(455, high=10)),
            probes=(
                probe("6 rows, 4 classes", scores=normal(6, 4), y=integers(6, high=4)),
                probe("3 rows, 7 classes", scores=normal(3, 7), y=integers(3, high=7)),
                probe("batch of one", scores=literal([[0.3, -0.4, 1.2]]), y=literal([1], torch.int64)),
                probe("two classes", scores=normal(5, 2), y=integers(5, high=2)),
                probe(
                    "one class in every row, two absent", scores=normal(7, 3), y=literal([2] * 7, torch.int64)
                ),
                probe("the last class absent", scores=normal(4, 5), y=literal([0, 3, 0, 2], torch.int64)),
                probe("as many rows as classes", scores=normal(4, 4), y=literal([3, 1, 1, 0], torch.int64)),
                probe("non-contiguous", scores=transposed(normal(5, 3)), y=integers(3, high=5)),
                probe(
                    "all scores equal",
                    scores=literal([[0.5, 0.5, 0.5], [-1.0, -1.0, -1.0]]),
                    y=literal([0, 2], torch.int64),
                ),
                probe(
                    "scores of ±1000, wrong",
                    scores=literal([[1000.0, 0.0, -1000.0], [-1000.0, -1000.0, 0.5], [0.5, 0.25, -0.5]]),
                    y=literal([2, 0, 1], torch.int64),
                    convention=LARGE,
                ),
                probe(
                    "scores of ±1000, right",
                    scores=literal([[1000.0, 0.0, -1000.0], [-1000.0, -1000.0, 0.5], [1000.0, 1000.0, 0.0]]),
                    y=literal([0, 2, 1], torch.int64),
                    convention=LARGE,
                ),
                probe(
                    "every score near -1000",
                    scores=literal([[-1000.0, -1001.0, -1000.5], [-999.0, -1000.0, -1003.0]]),
                    y=literal([1, 0], torch.int64),
                    convention=LARGE,
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
        mistake("e^1000 overflows", "unstable", cross_entropy_forward=_naive_forward),
        mistake("one maximum for all rows", "unstable", "scores.amax(1, keepdim=True)", "scores.max()"),
        mistake(
            "the right class forgotten", "missing_term", "    dscores[torch.arange(len(y)), y] -= 1\n", ""
        ),
        mistake(
            "the right class subtracted from every row",
            "missing_term",
            "dscores[torch.arange(len(y)), y] -= 1",
            "dscores[:, y] -= 1",
        ),
        mistake(
            "only the right class", "missing_term", "dscores = logp.exp()", "dscores = torch.zeros_like(logp)"
        ),
        mistake("1/N missing", "missing_batch_mean", "dout * dscores / len(y)", "dout * dscores"),
        mistake(
            "mean over all entries",
            "constant_factor",
            "dout * dscores / len(y)",
            "dout * dscores / dscores.numel()",
        ),
        mistake(
            "softmax down the columns",
            "wrong_axis",
            "dscores = logp.exp()",
            "dscores = logp.exp() / logp.exp().sum(0)",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "log-probabilities for probabilities",
            "wrong_operand",
            "dscores = logp.exp()",
            "dscores = logp.clone()",
        ),
        mistake("sign", "sign", "dout * dscores / len(y)", "-dout * dscores / len(y)"),
        mistake("upstream ignored", "ignores_upstream", "dout * dscores / len(y)", "dscores / len(y)"),
        mistake("every row with every target", "forward_wrong", cross_entropy_forward=_repeated_forward),
        mistake("the cache is overwritten", "stale_state", cross_entropy_backward=_mutating_backward),
        mistake(
            "sum for mean, in both passes",
            "consistent_with_wrong_forward",
            cross_entropy_forward=_summed_forward,
            cross_entropy_backward=_summed_backward,
        ),
    ),
    variants=(
        variant(
            "python numbers", cross_entropy_forward=_loops_forward, cross_entropy_backward=_loops_backward
        ),
        variant(
            "one-hot rows", cross_entropy_forward=_onehot_forward, cross_entropy_backward=_onehot_backward
        ),
        variant(
            "step by step, a closure as cache",
            cross_entropy_forward=_chained_forward,
            cross_entropy_backward=_chained_backward,
        ),
        variant(
            "differences to the right score",
            cross_entropy_forward=_differences_forward,
            cross_entropy_backward=_differences_backward,
        ),
    ),
    hints=(
        "Write −log p[n, y] as log Σ e^s − s[n, y]. What is the derivative of each part with respect to s[n, c]?",
        "The first part gives the softmax; the second touches one score a row. Which one?",
        "scores[torch.arange(N), y] is one entry of every row; scores[:, y] is a whole matrix.",
    ),
)
### END SPEC
