"""Kullback–Leibler divergence
===========================

How much does a model lose that believes p where the truth is the distribution q? The model gives logarithms, logp (N, C); q (N, C) holds
probabilities, a row for each sample:

    loss = 1/N Σ_n Σ_c q[n, c] (log q[n, c] − logp[n, c])      →  a 0-d tensor

    ∂loss/∂logp = −q / N

Distillation, label smoothing and variational inference end in this loss. With one-hot q it is the cross-entropy.

Conventions: 0 · log 0 = 0, its limit, so a class that never occurs costs nothing. N is the number of rows: classes are summed over. q gets no
gradient. logp and q must have one shape, else a `ValueError` names both shapes.
"""

import torch


def kl_divergence_forward(logp, q):
    """Σ q (log q − logp) / N.  logp, q (N, C) → loss (), cache."""
    ### BEGIN SOLUTION
    if logp.shape != q.shape:
        raise ValueError(f"logp {tuple(logp.shape)} and q {tuple(q.shape)} must have the same shape")
    loss = (torch.xlogy(q, q) - q * logp).sum() / len(q)
    return loss, q
    ### END SOLUTION


def kl_divergence_backward(dout, cache):
    """dout () → dlogp (N, C)."""
    ### BEGIN SOLUTION
    q = cache
    return -dout * q / len(q)
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import literal, normal, transposed, uniform
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

ZERO = Convention(
    "not_finite",
    "0 · log 0 is 0, its limit, but 0 times −∞ is nan; keep log q away from the entries where q is 0.",
)


def oracle(logp, q):
    return torch.nn.functional.kl_div(logp, q, reduction="batchmean")


def _distributions(*shape):
    """Rows that add up to 1, without zeros."""

    def draw(generator):
        return torch.softmax(normal(*shape)(generator), -1)

    return draw


def _log_distributions(*shape):
    return lambda generator: _distributions(*shape)(generator).log()


def _reversed_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"logp {tuple(logp.shape)}, q {tuple(q.shape)}")
    return (logp.exp() * (logp - q.log())).sum() / len(q), q


def _entry_mean_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"logp {tuple(logp.shape)}, q {tuple(q.shape)}")
    return (torch.xlogy(q, q) - q * logp).mean(), q


def _entry_mean_backward(dout, cache):
    return -dout * cache / cache.numel()


def _loops_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"shapes differ: {tuple(logp.shape)} and {tuple(q.shape)}")
    total = 0.0
    for beliefs, truth in zip(logp.tolist(), q.tolist(), strict=True):
        for belief, share in zip(beliefs, truth, strict=True):
            if share > 0:
                total += share * (math.log(share) - belief)
    return torch.tensor(total / len(q), dtype=logp.dtype), q.tolist()


def _loops_backward(dout, cache):
    return torch.tensor([[-share / len(cache) for share in row] for row in cache], dtype=dout.dtype) * dout


def _masked_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"logp is {list(logp.shape)}, q is {list(q.shape)}")
    occurs = q != 0
    terms = torch.zeros_like(logp)
    terms[occurs] = q[occurs] * (torch.log(q[occurs]) - logp[occurs])
    return terms.sum(1).mean(), {"q": q, "occurs": occurs}


def _masked_backward(dout, cache):
    dlogp = torch.zeros_like(cache["q"])
    dlogp[cache["occurs"]] = -cache["q"][cache["occurs"]]
    dlogp *= dout
    dlogp /= dlogp.shape[0]
    return dlogp


def _entropy_forward(logp, q):
    if logp.shape != q.shape:
        raise ValueError(f"logp {tuple(logp.shape)} does not match q {tuple(q.shape)}")
    safe = torch.where(q > 0, q, torch.ones_like(q))
    entropy = -torch.einsum("nc,nc->", q, safe.log())
    crossed = -torch.einsum("nc,nc->", q, logp)
    return (crossed - entropy) / q.shape[0], lambda dout: q * (-dout / q.shape[0])


def _entropy_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="kl_divergence",
    title="The Kullback–Leibler divergence",
    source="Kullback, Leibler, On information and sufficiency (1951); Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 3.50",
    requires=("cross_entropy",),
    forbids=("kl_div",),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "kl_divergence",
            wrt=("logp",),
            oracle=oracle,
            bench=probe("455 rows, 10 classes", logp=_log_distributions(455, 10), q=_distributions(455, 10)),
            probes=(
                probe("5 rows, 3 classes", logp=_log_distributions(5, 3), q=_distributions(5, 3)),
                probe("2 rows, 7 classes", logp=_log_distributions(2, 7), q=_distributions(2, 7)),
                probe("batch of one", logp=_log_distributions(1, 4), q=_distributions(1, 4)),
                probe("as many rows as classes", logp=_log_distributions(4, 4), q=_distributions(4, 4)),
                probe(
                    "non-contiguous",
                    logp=transposed(_log_distributions(5, 3)),
                    q=transposed(_distributions(5, 3)),
                ),
                probe("rows that do not add up to 1", logp=normal(4, 6), q=uniform(4, 6, low=0.1, high=2.0)),
                probe(
                    "one-hot rows, and a class that never occurs",
                    logp=literal([[-0.5, -1.5, -2.0], [-1.0, -0.75, -3.0], [-0.25, -2.0, -4.0]]),
                    q=literal([[0.0, 1.0, 0.0], [0.25, 0.75, 0.0], [1.0, 0.0, 0.0]]),
                    convention=ZERO,
                ),
            ),
            refuses=(
                probe("logp (5, 3) against q (3,)", logp=normal(5, 3), q=uniform(3)),
                probe("logp (5, 3) against q (5, 1)", logp=normal(5, 3), q=uniform(5, 1)),
                probe("logp (1, 3) against q (5, 3)", logp=normal(1, 3), q=uniform(5, 3)),
            ),
        ),
    ),
    mistakes=(
        mistake("broadcasts silently", "silent_broadcast", "logp.shape != q.shape", "logp.dim() == 0"),
        mistake("0 times log 0", "not_finite", "torch.xlogy(q, q)", "q * q.log()"),
        mistake("entropy of q left out", "forward_wrong", "torch.xlogy(q, q) - q * logp", "-q * logp"),
        mistake("divided by the entries", "constant_factor", "-dout * q / len(q)", "-dout * q / q.numel()"),
        mistake("1/N missing", "missing_batch_mean", "-dout * q / len(q)", "-dout * q"),
        mistake("sign", "sign", "-dout * q", "dout * q"),
        mistake("upstream ignored", "ignores_upstream", "-dout * q", "-q"),
        mistake("p and q exchanged", "forward_wrong", kl_divergence_forward=_reversed_forward),
        mistake(
            "mean over entries, in both passes",
            "consistent_with_wrong_forward",
            kl_divergence_forward=_entry_mean_forward,
            kl_divergence_backward=_entry_mean_backward,
        ),
    ),
    variants=(
        variant(
            "python numbers", kl_divergence_forward=_loops_forward, kl_divergence_backward=_loops_backward
        ),
        variant(
            "mask assignment", kl_divergence_forward=_masked_forward, kl_divergence_backward=_masked_backward
        ),
        variant(
            "cross-entropy minus entropy",
            kl_divergence_forward=_entropy_forward,
            kl_divergence_backward=_entropy_backward,
        ),
    ),
    hints=(
        "Only one of the two terms contains logp, and it is linear in it.",
        "log q is −∞ where q is 0. `torch.where` and masks help, and there is a function for x log y with this very limit.",
        "The sum runs over classes and rows, the division is by rows only; dout multiplies.",
    ),
)
### END SPEC
