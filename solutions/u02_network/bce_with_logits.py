"""Binary cross-entropy with logits
================================

Sigmoid and cross-entropy belong together. Put p = σ(z) into the binary cross-entropy, and logarithm and exponential cancel:

    loss = 1/N Σ [ log(1 + e^z) − y z ]      z, y (N, 1)  →  a 0-d tensor

    ∂loss/∂z = (σ(z) − y) / N

Nothing needs to be clamped, and a network that is sure and wrong still gets a gradient. For large z the e^z overflows, so

    log(1 + e^z) = max(z, 0) + log(1 + e^(−|z|)),

which is what `torch.logaddexp(z, 0)`, the logarithm of a sum of exponentials, computes.

Conventions: exact at z = ±1000. z and y must have one shape: (N, 1) against (N,) would broadcast to N × N pairs without a word, so it
raises a `ValueError` that names both shapes. Here you may use `torch.sigmoid`.
"""

import torch


def bce_with_logits_forward(z, y):
    """Mean of log(1 + e^z) − y z.  z, y (N, 1) → loss (), cache."""
    ### BEGIN SOLUTION
    if z.shape != y.shape:
        raise ValueError(f"z {tuple(z.shape)} and y {tuple(y.shape)} must have the same shape")
    loss = (torch.logaddexp(z, torch.zeros_like(z)) - y * z).mean()
    return loss, (z, y)
    ### END SOLUTION


def bce_with_logits_backward(dout, cache):
    """dout () → dz (N, 1)."""
    ### BEGIN SOLUTION
    z, y = cache
    return dout * (torch.sigmoid(z) - y) / y.numel()
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.samples import labels, literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable", "at logits of ±1000 the loss is exactly 0 or 1000 and the gradient exact; never take log 0 or let e^z overflow."
)


def oracle(z, y):
    return torch.nn.functional.binary_cross_entropy_with_logits(z, y)


def _naive_forward(z, y):
    if z.shape != y.shape:
        raise ValueError(f"z {tuple(z.shape)} and y {tuple(y.shape)} must have the same shape")
    p = torch.sigmoid(z)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean(), (z, y)


def _summed_forward(z, y):
    if z.shape != y.shape:
        raise ValueError(f"z {tuple(z.shape)} and y {tuple(y.shape)} must have the same shape")
    return (z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())) - y * z).sum(), (z, y)


def _summed_backward(dout, cache):
    z, y = cache
    return dout * (torch.sigmoid(z) - y)


def _loops_forward(z, y):
    if z.shape != y.shape:
        raise ValueError(f"shapes differ: {tuple(z.shape)} and {tuple(y.shape)}")
    total, slopes = 0.0, []
    for logit, truth in zip(z.reshape(-1).tolist(), y.reshape(-1).tolist(), strict=True):
        decay = math.exp(-abs(logit))
        total += max(logit, 0.0) + math.log1p(decay) - truth * logit
        p = 1 / (1 + decay) if logit > 0 else decay / (1 + decay)
        slopes.append((p - truth) / z.numel())
    return torch.tensor(total / z.numel(), dtype=z.dtype), slopes


def _loops_backward(dout, cache):
    return dout * torch.tensor(cache, dtype=dout.dtype).reshape(-1, 1)


def _saved_forward(z, y):
    class Saved:
        logits, targets = z, y

    if z.size() != y.size():
        raise ValueError(f"z is {tuple(z.size())}, y is {tuple(y.size())}")
    each = torch.maximum(z, torch.zeros_like(z)) + torch.log1p(torch.exp(-z.abs())) - z * y
    return each.sum() / z.shape[0], Saved


def _saved_backward(dout, cache):
    dz = torch.sigmoid(cache.logits)
    dz -= cache.targets
    dz *= dout
    dz /= dz.shape[0]
    return dz


def _signed_forward(z, y):
    if z.shape != y.shape:
        raise ValueError(f"cannot compare {tuple(z.shape)} with {tuple(y.shape)}")
    signs = 1 - 2 * y
    wrong = z * signs
    out = torch.empty_like(wrong)
    far = wrong > 0
    out[far] = wrong[far] + torch.log1p(torch.exp(-wrong[far]))
    out[~far] = torch.log1p(torch.exp(wrong[~far]))
    return out.mean(), lambda dout: dout * signs / (1 + torch.exp(-wrong)) / len(z)


def _signed_backward(dout, cache):
    return cache(dout)


LESSON = Lesson(
    name="bce_with_logits",
    title="Binary cross-entropy with logits",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.20 to 6.26; Bishop, Pattern Recognition (2006), eq. 4.91",
    requires=("sigmoid", "bce"),
    forbids=("binary_cross_entropy_with_logits", "logsigmoid", "log_sigmoid", "softplus"),
    tasks=(
        Pair(
            "bce_with_logits",
            wrt=("z",),
            oracle=oracle,
            bench=probe("455 rows", z=normal(455, 1), y=labels(455, 1)),
            probes=(
                probe("5 rows", z=normal(5, 1, scale=2), y=labels(5, 1)),
                probe("batch of one", z=literal([[0.75]]), y=literal([[0.0]])),
                probe("eight rows, all of class 1", z=normal(8, 1), y=literal([[1.0]] * 8)),
                probe("non-contiguous", z=transposed(normal(1, 7)), y=transposed(labels(1, 7))),
                probe("logits of ±8", z=literal([[8.0], [-8.0], [6.0], [-6.0]]), y=literal([[0.0], [1.0], [1.0], [0.0]])),
                probe("logit zero", z=literal([[0.0], [0.0], [1.0]]), y=literal([[1.0], [0.0], [1.0]])),
                probe(
                    "logits of ±1000, wrong",
                    z=literal([[1000.0], [-1000.0], [0.5]]),
                    y=literal([[0.0], [1.0], [1.0]]),
                    convention=LARGE,
                ),
                probe(
                    "logits of ±1000, right",
                    z=literal([[1000.0], [-1000.0], [0.5]]),
                    y=literal([[1.0], [0.0], [0.0]]),
                    convention=LARGE,
                ),
            ),
            refuses=(
                probe("z (5, 1) against y (5,)", z=normal(5, 1), y=labels(5)),
                probe("z (5,) against y (5, 1)", z=normal(5), y=labels(5, 1)),
                probe("z (4, 3) against y (4, 1)", z=normal(4, 3), y=labels(4, 1)),
                probe("z (1, 1) against y (5, 1)", z=normal(1, 1), y=labels(5, 1)),
            ),
        ),
    ),
    mistakes=(
        mistake("broadcasts silently", "silent_broadcast", "z.shape != y.shape", "len(z) != len(y)"),
        mistake("log of a sigmoid", "unstable", bce_with_logits_forward=_naive_forward),
        mistake("e^z overflows", "unstable", "torch.logaddexp(z, torch.zeros_like(z))", "torch.log(1 + torch.exp(z))"),
        mistake("1/N missing", "missing_batch_mean", " / y.numel()", ""),
        mistake("logits for probabilities", "wrong_operand", "torch.sigmoid(z) - y", "z - y"),
        mistake(
            "slope of the sigmoid once more",
            "extra_term",
            "(torch.sigmoid(z) - y)",
            "(torch.sigmoid(z) - y) * torch.sigmoid(z) * (1 - torch.sigmoid(z))",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("logits clipped to ±5 in the slope", "unknown", "torch.sigmoid(z) - y", "torch.sigmoid(z.clamp(-5, 5)) - y"),
        mistake("sign", "sign", "torch.sigmoid(z) - y", "y - torch.sigmoid(z)"),
        mistake("upstream ignored", "ignores_upstream", "dout * (torch", "(torch"),
        mistake(
            "sum for mean, in both passes",
            "missing_batch_mean",
            bce_with_logits_forward=_summed_forward,
            bce_with_logits_backward=_summed_backward,
        ),
    ),
    variants=(
        variant("python numbers", bce_with_logits_forward=_loops_forward, bce_with_logits_backward=_loops_backward),
        variant("log1p, a class as cache", bce_with_logits_forward=_saved_forward, bce_with_logits_backward=_saved_backward),
        variant("by the sign of the error", bce_with_logits_forward=_signed_forward, bce_with_logits_backward=_signed_backward),
    ),
    hints=(
        "Write log σ(z) and log(1 − σ(z)) as functions of z alone, and collect the terms with y.",
        "The derivative of log(1 + e^z) is a function that you have written before.",
        "dz is how far the predicted probability is from the truth, shared among the N entries, times dout.",
    ),
)
### END SPEC
