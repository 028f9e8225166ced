"""Batch normalisation, trained and used
=====================================

A trained network must give one sample the same answer whatever else is in the batch. So batch normalisation keeps running estimates of the
mean and the variance while it is trained, and afterwards uses those instead of the batch's own:

    training      normalise with the batch's μ and σ²; then    m ← (1 − momentum) m + momentum μ
                                                               v ← (1 − momentum) v + momentum N/(N − 1) σ²
    evaluation    x̂ = (x − m) / √(v + ε)                       m and v stay as they are

x (N, D), γ and β (D,)  →  out (N, D). The layer has a state, (m, v), that is handed from call to call:

    batchnorm_running_forward(x, gamma, beta, state, *, momentum, train, eps) → out, state, cache

Three values come back, the new state between the other two. The first state is None and stands for m = 0, v = 1.

In evaluation m and v are constants, so that every entry of x reaches the loss through its own x̂ only: ∂L/∂x = γ ∂L/∂out / √(v + ε).

Conventions, as in torch: the batch is normalised by its biased variance, but v estimates that of all data and takes the unbiased one, N/(N − 1) σ².
momentum is the weight of the new batch. Training on one row raises a `ValueError`; evaluating one does not. The state is your own, any object:
only what evaluation makes of it is looked at.
"""

import torch


def batchnorm_running_forward(x, gamma, beta, state, *, momentum, train, eps):
    """x (N, D), gamma (D,), beta (D,), state None or what the call before returned → out (N, D), state, cache."""
    ### BEGIN SOLUTION
    N, D = x.shape
    mean, var = state or (torch.zeros(D, dtype=x.dtype), torch.ones(D, dtype=x.dtype))
    if train and N == 1:
        raise ValueError(f"batch norm cannot be trained on one row, got x {tuple(x.shape)}")
    mu = x.mean(0) if train else mean
    centred = x - mu
    sigma2 = centred.square().mean(0) if train else var
    if train:
        mean = (1 - momentum) * mean + momentum * mu
        var = (1 - momentum) * var + momentum * N / (N - 1) * sigma2
    rstd = torch.rsqrt(sigma2 + eps)
    xhat = centred * rstd
    return gamma * xhat + beta, (mean, var), (xhat, rstd, gamma, train)
    ### END SOLUTION


def batchnorm_running_backward(dout, cache):
    """dout (N, D) → dx (N, D), dgamma (D,), dbeta (D,)."""
    ### BEGIN SOLUTION
    xhat, rstd, gamma, train = cache
    N = len(dout)
    dgamma = (dout * xhat).sum(0)
    dbeta = dout.sum(0)
    dx = gamma * rstd * dout
    if train:
        dx = dx - gamma * rstd * (dbeta + xhat * dgamma) / N
    return dx, dgamma, dbeta
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import (
    Benchmark,
    Convention,
    Lesson,
    Rival,
    Run,
    Stateful,
    mistake,
    probe,
    variant,
)

BIASED = Convention(
    "biased_variance",
    "the running variance is to take the unbiased N/(N − 1) σ² of every batch; yours takes σ².",
)
REVERSED = Convention(
    "momentum_reversed",
    "momentum is to be the weight of the new batch, as in torch; yours is the weight of the old estimate.",
)
BOTH = Convention("momentum_reversed", f"{REVERSED.says} And {BIASED.says}")
ONE_ROW = Convention(
    "not_refused", "one row is its own mean and has no variance, so training on it must raise ValueError."
)
UNTRAINED = Convention(
    "stale_state", "before the first batch the running mean is 0 and the running variance 1."
)


def oracle(x, gamma, beta, state, *, momentum, train, eps):
    size = x.shape[1]
    mean, var = state or (torch.zeros(size, dtype=x.dtype), torch.ones(size, dtype=x.dtype))
    mean, var = mean.clone(), var.clone()
    out = torch.nn.functional.batch_norm(
        x, mean, var, gamma, beta, training=train, momentum=momentum, eps=eps
    )
    return out, (mean, var)


def biased(x, gamma, beta, state, *, momentum, train, eps):
    out, (mean, var) = oracle(x, gamma, beta, state, momentum=momentum, train=train, eps=eps)
    if train:
        var = var - momentum * (x.var(0) - x.var(0, unbiased=False)).detach()
    return out, (mean, var)


def reversed_momentum(x, gamma, beta, state, *, momentum, train, eps):
    return oracle(x, gamma, beta, state, momentum=1 - momentum, train=train, eps=eps)


def reversed_and_biased(x, gamma, beta, state, *, momentum, train, eps):
    return biased(x, gamma, beta, state, momentum=1 - momentum, train=train, eps=eps)


def calls(name, modes, rows, features, *, momentum=0.1, eps=1e-5, **hyper):
    """A run whose modes are written as letters: t trains on `rows` rows, e evaluates one row fewer."""
    made = []
    for number, mode in enumerate(modes, 1):
        train = mode == "t"
        made.append(
            probe(
                f"call {number}, {'training' if train else 'evaluation'}",
                x=normal(rows if train else rows - 1, features, scale=2, shift=1),
                gamma=normal(features),
                beta=normal(features),
                hyper={"momentum": momentum, "train": train, "eps": eps},
            )
        )
    return Run(name, tuple(made))


def one(name, train, **given):
    """A probe with momentum 0.1 and eps 1e-5."""
    return probe(name, hyper={"momentum": 0.1, "train": train, "eps": 1e-5}, **given)


def _trained(layer):
    x = torch.randn(128, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gamma, beta, dout = x[0].clone(), x[1].clone(), x.flip(0).contiguous()
    hyper = {"momentum": 0.1, "train": True, "eps": 1e-5}
    leaves = [tensor.clone().requires_grad_() for tensor in (x, gamma, beta)]
    state = (torch.zeros(64, dtype=x.dtype), torch.ones(64, dtype=x.dtype))

    def ours():
        return layer["batchnorm_running_backward"](
            dout, layer["batchnorm_running_forward"](x, gamma, beta, state, **hyper)[2]
        )

    def torchs():
        out = torch.nn.functional.batch_norm(leaves[0], *state, leaves[1], leaves[2], training=True)
        return torch.autograd.grad(out, leaves, dout)

    return ours, torchs


def _batch_in_evaluation_forward(x, gamma, beta, state, *, momentum, train, eps):
    mean, var = state or (0.0, 1.0)
    mu, sigma2 = x.mean(0), x.var(0, unbiased=False)
    if train and len(x) > 1:
        mean = (1 - momentum) * mean + momentum * mu
        var = (1 - momentum) * var + momentum * x.var(0)
    rstd = (sigma2 + eps) ** -0.5
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, (mean, var), (xhat, rstd, gamma, True)


def _other_house_forward(x, gamma, beta, state, *, momentum, train, eps):
    state = state or {"mean": torch.zeros_like(gamma), "var": torch.ones_like(gamma)}
    if not train:
        rstd = (state["var"] + eps) ** -0.5
        xhat = (x - state["mean"]) * rstd
        return gamma * xhat + beta, state, (xhat, rstd, gamma, train)
    if len(x) == 1:
        raise ValueError("one row")
    mu, sigma2 = x.mean(0), x.var(0, unbiased=False)
    state = {
        "mean": momentum * state["mean"] + (1 - momentum) * mu,
        "var": momentum * state["var"] + (1 - momentum) * sigma2,
    }
    rstd = (sigma2 + eps) ** -0.5
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, state, (xhat, rstd, gamma, train)


def _first_batch_forward(x, gamma, beta, state, *, momentum, train, eps):
    mean, var = state or (x.mean(0), x.var(0, unbiased=False))
    mu, sigma2 = mean, var
    if train:
        if len(x) == 1:
            raise ValueError("one row")
        mu, sigma2 = x.mean(0), x.var(0, unbiased=False)
        mean = (1 - momentum) * mean + momentum * mu
        var = (1 - momentum) * var + momentum * x.var(0)
    rstd = (sigma2 + eps) ** -0.5
    xhat = (x - mu) * rstd
    return gamma * xhat + beta, (mean, var), (xhat, rstd, gamma, train)


def _dict_forward(x, gamma, beta, state, *, momentum, train, eps):
    state = dict(state or {"running_mean": x.new_zeros(x.shape[1]), "running_var": x.new_ones(x.shape[1])})
    if not train:
        std = (state["running_var"] + eps).sqrt()
        xhat = (x - state["running_mean"]) / std
        return gamma * xhat + beta, state, {"mode": "test", "xhat": xhat, "std": std, "gamma": gamma}
    if x.shape[0] < 2:
        raise ValueError("more than one row is needed")
    mean = x.mean(0)
    var = ((x - mean) ** 2).mean(0)
    std = torch.sqrt(var + eps)
    xhat = (x - mean) / std
    state["running_mean"] = state["running_mean"] + momentum * (mean - state["running_mean"])
    state["running_var"] = torch.lerp(state["running_var"], x.var(0), momentum)
    return gamma * xhat + beta, state, {"mode": "train", "xhat": xhat, "std": std, "gamma": gamma}


def _dict_backward(dout, cache):
    g = dout * cache["gamma"]
    xhat = cache["xhat"]
    if cache["mode"] == "train":
        g = g - g.mean(0) - xhat * (g * xhat).mean(0)
    return g / cache["std"], torch.einsum("nd,nd->d", dout, xhat), dout.sum(dim=0)


def _object_forward(x, gamma, beta, state, *, momentum, train, eps):
    class Running:
        def __init__(self, mean, var):
            self.mean, self.var = mean, var

        def updated(self, batch):
            keep = 1 - momentum
            return Running(
                keep * self.mean + momentum * batch.mean(0), keep * self.var + momentum * batch.var(0)
            )

    running = state if state is not None else Running(torch.zeros_like(gamma), torch.ones_like(gamma))
    if train:
        if len(x) == 1:
            raise ValueError("one row has no variance")
        running = running.updated(x)
        mean, var = x.mean(0), x.var(0, unbiased=False)
    else:
        mean, var = running.mean, running.var

    def backward(dout):
        s = torch.sqrt(var + eps)
        z = (x - mean) / s
        dz = dout * gamma
        if not train:
            return dz / s, (dout * z).sum(0), dout.sum(0)
        ds = -(dz * (x - mean)).sum(0) / s**2
        dcentred = dz / s + ds / s * (x - mean) / len(x)
        return dcentred - dcentred.sum(0) / len(x), (dout * z).sum(0), dout.sum(0)

    return (gamma * (x - mean) / torch.sqrt(var + eps) + beta, running), backward


def _object_backward(dout, cache):
    return cache(dout)


def _in_place_forward(x, gamma, beta, state, *, momentum, train, eps):
    if state is None:
        state = [torch.zeros(x.shape[1], dtype=torch.float64), torch.ones(x.shape[1], dtype=torch.float64)]
    mean, var = state
    if train:
        if x.shape[0] == 1:
            raise ValueError(f"x has shape {tuple(x.shape)}")
        sigma2, mu = torch.var_mean(x, 0, unbiased=False)
        mean.mul_(1 - momentum).add_(momentum * mu)
        var.mul_(1 - momentum).add_(momentum * sigma2 * len(x) / (len(x) - 1))
    else:
        mu, sigma2 = mean.to(x.dtype), var.to(x.dtype)
    inverse = 1 / torch.sqrt(sigma2 + eps)
    xhat = (x - mu) * inverse
    return xhat * gamma + beta, {"state": state, "xhat": xhat, "scale": gamma * inverse, "train": train}


def _in_place_backward(dout, cache):
    xhat, n = cache["xhat"], dout.shape[0]
    dgamma, dbeta = torch.sum(dout * xhat, 0), torch.sum(dout, 0)
    inner = n * dout - dbeta - xhat * dgamma if cache["train"] else n * dout
    return cache["scale"] / n * inner, dgamma, dbeta


LESSON = Lesson(
    name="batchnorm_running",
    title="Batch normalisation, trained and used",
    source="Ioffe and Szegedy, Batch Normalization (2015), algorithm 2; torch.nn.BatchNorm1d for the weights of the estimates",
    requires=("batchnorm",),
    forbids=(
        "batch_norm",
        "native_batch_norm",
        "layer_norm",
        "native_layer_norm",
        "instance_norm",
        "group_norm",
    ),
    points=15,
    minutes=30,
    tasks=(
        Stateful(
            "batchnorm_running",
            wrt=("x", "gamma", "beta"),
            oracle=oracle,
            runs=(
                calls("momentum 0.1", "teteet", 5, 3),
                calls("momentum 0.8, eps 0.1", "ttte", 4, 6, momentum=0.8, eps=0.1),
                calls("two rows, then one", "te", 2, 3, momentum=0.3, eps=0.5),
                calls("momentum 1", "tte", 9, 2, momentum=1.0),
                calls("momentum 0", "te", 6, 4, momentum=0.0),
                Run(
                    "a column of variance 1e-6 and a constant one",
                    tuple(
                        one(
                            name,
                            train,
                            x=literal(
                                [
                                    [1e-3, 2.0, 0.5],
                                    [-2e-3, 2.0, -1.5],
                                    [5e-4, 2.0, 3.0],
                                    [0.0, 2.0, 0.25],
                                    [1e-3, 2.0, -2.0],
                                ]
                            ),
                            gamma=literal([0.5, 0.0, -2.0]),
                            beta=literal([1.0, -0.5, 0.25]),
                        )
                        for name, train in (("training", True), ("evaluation", False))
                    ),
                ),
                Run(
                    "non-contiguous",
                    tuple(
                        one(
                            name,
                            train,
                            x=transposed(normal(4, 7)),
                            gamma=transposed(normal(4)),
                            beta=normal(4),
                        )
                        for name, train in (("training", True), ("evaluation", False))
                    ),
                ),
                Run(
                    "evaluated before it is trained",
                    (
                        probe(
                            "call 1, evaluation",
                            x=normal(4, 3),
                            gamma=normal(3),
                            beta=normal(3),
                            hyper={"momentum": 0.1, "train": False, "eps": 1e-5},
                            convention=UNTRAINED,
                        ),
                    ),
                ),
            ),
            rivals=(
                Rival(BIASED, biased),
                Rival(REVERSED, reversed_momentum),
                Rival(BOTH, reversed_and_biased),
            ),
            refuses=(
                probe(
                    "training on one row",
                    x=normal(1, 3),
                    gamma=normal(3),
                    beta=normal(3),
                    hyper={"momentum": 0.1, "train": True, "eps": 1e-5},
                    mentions=(),
                    convention=ONE_ROW,
                ),
            ),
        ),
    ),
    benchmarks=(Benchmark("forward+backward, training", "128 rows, 64 features", _trained),),
    mistakes=(
        mistake(
            "running variance biased",
            "biased_variance",
            "momentum * N / (N - 1) * sigma2",
            "momentum * sigma2",
        ),
        mistake(
            "batch normalised by the unbiased variance",
            "forward_wrong",
            "centred.square().mean(0)",
            "x.var(0)",
        ),
        mistake(
            "momentum on the wrong side",
            "momentum_reversed",
            "N, D = x.shape",
            "N, D = x.shape\n    momentum = 1 - momentum",
        ),
        mistake(
            "momentum on the wrong side and variance biased",
            "momentum_reversed",
            batchnorm_running_forward=_other_house_forward,
        ),
        mistake(
            "the state is never updated",
            "stale_state",
            "(mean, var), (xhat",
            "state, (xhat",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "every batch starts afresh",
            "stale_state",
            "mean, var = state or",
            "mean, var = None or",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "estimates updated in evaluation too",
            "stale_state",
            "    rstd =",
            "    if not train:\n        mean = (1 - momentum) * mean + momentum * x.mean(0)\n    rstd =",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "the batch's statistics in evaluation",
            "forward_wrong",
            batchnorm_running_forward=_batch_in_evaluation_forward,
        ),
        mistake(
            "the running estimates in training",
            "forward_wrong",
            "    rstd = ",
            "    centred, sigma2 = x - mean, var\n    rstd = ",
        ),
        mistake(
            "the backward of training in evaluation",
            "missing_term",
            "    if train:\n        dx",
            "    if True:\n        dx",
            by_fingerprint="the edit is in a condition, and other edits of that condition give the same numbers",
        ),
        mistake(
            "the backward of evaluation in training",
            "missing_term",
            "    if train:\n        dx",
            "    if False:\n        dx",
        ),
        mistake(
            "the variance starts at 0",
            "stale_state",
            "torch.ones(D",
            "torch.zeros(D",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "the first batch sets the estimates",
            "stale_state",
            batchnorm_running_forward=_first_batch_forward,
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake(
            "eps in the running variance",
            "forward_wrong",
            "centred.square().mean(0)",
            "centred.square().mean(0) + eps",
        ),
        mistake("one row divides by zero", "wrong_error", "if train and N == 1:", "if N == 0:"),
        mistake("one row refused in evaluation too", "crashed", "if train and N == 1:", "if N == 1:"),
    ),
    variants=(
        variant(
            "a dict as state",
            batchnorm_running_forward=_dict_forward,
            batchnorm_running_backward=_dict_backward,
        ),
        variant(
            "an object as state, ((out, state), cache)",
            batchnorm_running_forward=_object_forward,
            batchnorm_running_backward=_object_backward,
        ),
        variant(
            "in place, the state in the cache",
            batchnorm_running_forward=_in_place_forward,
            batchnorm_running_backward=_in_place_backward,
        ),
    ),
    hints=(
        "Choose μ and σ² first, by train; from there on both modes normalise with the same line.",
        "In evaluation the statistics do not depend on x, so nothing flows back through them: of the three terms of dx only the first stays.",
        "The new estimates use x.mean(0) and x.var(0), which torch makes unbiased by itself; the normalisation uses x.var(0, unbiased=False).",
    ),
)
### END SPEC
