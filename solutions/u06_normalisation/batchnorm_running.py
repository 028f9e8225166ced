"""Batch normalisation, trained and used
=====================================

A trained network must give one sample the same answer whatever else is in the batch. So batch normalisation
keeps running estimates of the mean and the variance while it is trained, and afterwards uses those instead of
the batch's own:

    training      normalise with the batch's μ and σ²; then    m ← (1 − momentum) m + momentum μ
                                                               v ← (1 − momentum) v + momentum N/(N − 1) σ²
    evaluation    x̂ = (x − m) / √(v + ε)                       m and v stay as they are

x (N, D), γ and β (D,)  →  out (N, D). The layer has a state, (m, v), that is handed from call to call:

    batchnorm_running_forward(x, gamma, beta, state, *, momentum, train, eps) → out, state, cache

Three values come back, the new state between the other two. The first state is None: m = 0, v = 1.

In evaluation m and v are constants, so that every entry of x reaches the loss through its own x̂ only.

Conventions, as in torch: the batch is normalised by its biased variance, but v estimates that of all data and
takes the unbiased one, N/(N − 1) σ². momentum is the weight of the new batch. Training on one row raises a
`ValueError`; evaluating one does not. The state is your own, any object: only what evaluation makes of it is
looked at.
"""

import torch


def batchnorm_running_forward(x, gamma, beta, state, *, momentum, train, eps):
    """x (N, D), gamma (D,), beta (D,), state None or what came before → out (N, D), state, cache."""
    ### BEGIN SOLUTION
    N, D = x.shape
    mean, var = state or (torch.zeros(D, dtype=x.dtype), torch.ones(D, dtype=x.dtype))
    if train and N == 1:
        raise ValueError(f"batch norm cannot be trained on one row, got x {tuple(x.shape)}")
    mu = x.mean(0) if train else mean
    sigma2 = (x - mu).square().mean(0) if train else var
    if train:
        mean = (1 - momentum) * mean + momentum * mu
        var = (1 - momentum) * var + momentum * N / (N - 1) * sigma2
    rstd = 1 / (sigma2 + eps).sqrt()
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, (mean, var), (xhat, rstd, gamma, train)
    ### END SOLUTION


def batchnorm_running_backward(dout, cache):
    """dout (N, D) → dx (N, D), dgamma (D,), dbeta (D,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma, train = cache
    dgamma = (dout * xhat).sum(0)
    dbeta = dout.sum(0)
    dxhat = dout * gamma
    dx = rstd * dxhat
    if train:
        dx = dx - rstd * (dxhat.mean(0) + xhat * (dxhat * xhat).mean(0))
    return dx, dgamma, dbeta
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    NORMALISATIONS,
    UNSEEN_TERM,
    Benchmark,
    Cause,
    Lesson,
    Stateful,
    columns,
    convention,
    edit,
    normal,
    refused,
    rival,
    run,
    wrong,
)

BIASED = "the running variance is to take the unbiased N/(N − 1) σ² of every batch; yours takes σ²."
REVERSED = (
    "momentum is to be the weight of the new batch, as in torch; yours is the weight of the old estimate."
)
ONE_ROW = "one row is its own mean and has no variance, so training on it must raise ValueError."
UNTRAINED = "before the first batch the running mean is 0 and the running variance 1."


def torchs(x, gamma, beta, state, *, momentum, train, eps):
    mean, var = (s.clone() for s in state or (x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])))
    return F.batch_norm(x, mean, var, gamma, beta, training=train, momentum=momentum, eps=eps), (mean, var)


def biased(x, gamma, beta, state, *, momentum, train, eps):
    out, (mean, var) = torchs(x, gamma, beta, state, momentum=momentum, train=train, eps=eps)
    return out, (mean, var - momentum * (x.var(0) - x.var(0, unbiased=False)).detach() if train else var)


def reversed_momentum(oracle):
    return lambda *args, momentum, **hyper: oracle(*args, momentum=1 - momentum, **hyper)


def _trained(layer):
    x = torch.randn(128, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gamma, beta, dout = x[0].clone(), x[1].clone(), x.flip(0).contiguous()
    hyper = {"momentum": 0.1, "train": True, "eps": 1e-5}
    leaves = [tensor.clone().requires_grad_() for tensor in (x, gamma, beta)]
    state = (torch.zeros(64, dtype=x.dtype), torch.ones(64, dtype=x.dtype))

    def ours():
        cache = layer["batchnorm_running_forward"](x, gamma, beta, state, **hyper)[2]
        return layer["batchnorm_running_backward"](dout, cache)

    def torchs():
        out = F.batch_norm(leaves[0], *state, leaves[1], leaves[2], training=True)
        return torch.autograd.grad(out, leaves, dout)

    return ours, torchs


LESSON = Lesson(
    name="batchnorm_running",
    title="Batch normalisation, trained and used",
    source="Ioffe, Szegedy, Batch Normalization (2015), algorithm 2; torch.nn.BatchNorm1d",
    requires=("batchnorm",),
    forbids=NORMALISATIONS,
    points=15,
    minutes=30,
    tasks=(
        Stateful(
            "x[N,D] gamma[D] beta[D] state -> out[N,D] state",
            oracle=torchs,
            sizes=dict(N=5, D=3),
            hyper=dict(momentum=0.1, eps=1e-5),
            draw=dict(x=normal(scale=2, shift=1)),
            calls=dict(t=dict(train=True), e=dict(train=False, N=4)),  # a run is a word: one letter a call
            probes=(
                run("teteet"),
                run("ttte", D=6, momentum=0.8, eps=0.1),
                run("te", "two rows, then one", N=2, momentum=0.3, eps=0.5, e=dict(N=1)),
                run("tte", N=9, D=2, momentum=1.0),
                run("te", momentum=0.0),
                run("te", "columns of variance 1e-6 and 0", x=columns(spread=(1e-3, 0.0, 2.0), shift=2.0)),
                convention("evaluated before it is trained", Cause.STALE_STATE, UNTRAINED, run="e"),
                refused("one row", says=ONE_ROW, mentions=(), cause=Cause.NOT_REFUSED, N=1, train=True),
            ),
            rivals=(
                rival(biased, Cause.BIASED_VARIANCE, BIASED),
                rival(reversed_momentum(torchs), Cause.MOMENTUM_REVERSED, REVERSED),
                rival(reversed_momentum(biased), Cause.MOMENTUM_REVERSED, f"{REVERSED} And {BIASED}"),
            ),
        ),
    ),
    benchmarks=(Benchmark("forward+backward, training", "128 rows, 64 features", _trained),),
    mistakes=(
        edit("N / (N - 1) * sigma2", "sigma2", "running variance biased", Cause.BIASED_VARIANCE),
        edit(
            "(x - mu).square().mean(0)",
            "x.var(0)",
            "batch normalised by the unbiased variance",
            Cause.FORWARD_WRONG,
        ),
        edit(
            "N, D = x.shape",
            "N, D = x.shape\n    momentum = 1 - momentum",
            "momentum on the wrong side",
            Cause.MOMENTUM_REVERSED,
        ),
        wrong("momentum on the wrong side and variance biased", Cause.MOMENTUM_REVERSED),
        edit(
            "(mean, var), (xhat",
            "state, (xhat",
            "the state is never updated",
            Cause.STALE_STATE,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit(
            "mean, var = state or",
            "mean, var = None or",
            "every batch starts afresh",
            Cause.STALE_STATE,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit(
            "    rstd =",
            "    if not train:\n        mean = (1 - momentum) * mean + momentum * x.mean(0)\n    rstd =",
            "estimates updated in evaluation too",
            Cause.STALE_STATE,
            by_fingerprint=UNSEEN_TERM,
        ),
        wrong("the batch's statistics in evaluation", Cause.FORWARD_WRONG),
        edit(
            "    rstd = ",
            "    mu, sigma2 = mean, var\n    rstd = ",
            "the running estimates in training",
            Cause.FORWARD_WRONG,
        ),
        edit(
            "    if train:\n        dx",
            "    if True:\n        dx",
            "the backward of training in evaluation",
            Cause.MISSING_TERM,
            by_fingerprint="the edit is in a condition, and other edits of that condition give the same numbers",
        ),
        edit(
            "    if train:\n        dx",
            "    if False:\n        dx",
            "the backward of evaluation in training",
            Cause.MISSING_TERM,
        ),
        edit(
            "torch.ones(D",
            "torch.zeros(D",
            "the variance starts at 0",
            Cause.STALE_STATE,
            by_fingerprint=UNSEEN_TERM,
        ),
        wrong("the first batch sets the estimates", Cause.STALE_STATE, by_fingerprint=UNSEEN_TERM),
        edit(
            "square().mean(0)", "square().mean(0) + eps", "eps in the running variance", Cause.FORWARD_WRONG
        ),
        edit("if train and N == 1:", "if N == 0:", "one row divides by zero", Cause.WRONG_ERROR),
        edit("if train and N == 1:", "if N == 1:", "one row refused in evaluation too", Cause.CRASHED),
    ),
    why="Training normalises by the batch, so the gradient goes through its statistics. In evaluation the statistics are constants, and the layer is a scale and a shift.",
    hints=(
        "Choose μ and σ² first, by train; from there on both modes normalise with the same line.",
        "In evaluation the statistics do not depend on x, so nothing flows back through them: of the three terms of dx only the first stays.",
        "The new estimates use x.mean(0) and x.var(0), which torch makes unbiased by itself; the normalisation uses x.var(0, unbiased=False).",
    ),
)
### END SPEC
