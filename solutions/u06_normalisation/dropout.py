"""Dropout
=======

Units that always meet each other come to rely on each other. So while a network is trained, silence each unit with probability p, anew for every
sample; what is left must make do alone. To keep the expected value level, what survives is scaled up at once (*inverted* dropout):

    training      m ~ Bernoulli(1 − p), independently for every entry;    out = x · m / (1 − p)
    evaluation    out = x

x and out of any shape, 0 ≤ p < 1. E[out] = x in both modes, so evaluation needs no correction.

Given the mask, out is linear in x with slope m / (1 − p), and the backward pass must use the very mask that the forward drew.

Conventions: p is the probability that an entry is dropped. The randomness comes from the generator that is handed in, so that the same seed
drops the same entries; how you draw is up to you. x may hold zeros, and whether those were dropped matters to the gradient.
"""

import torch


def dropout_forward(x, *, p, train, generator):
    """x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    if not train:
        return x.clone(), None
    kept = torch.rand(x.shape, generator=generator) >= p
    scale = kept.to(x.dtype) / (1 - p)
    return x * scale, scale
    ### END SOLUTION


def dropout_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    scale = cache
    return dout if scale is None else dout * scale
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import away_from_zero, transposed
from autograd_check.course.spec import Benchmark, Lesson, Stochastic, mistake, probe, variant


def oracle(x):
    return x * 1.0


def half_zeros(*shape):
    """Entries of which about half are exactly 0, as a relu leaves them."""
    return lambda generator: torch.randn(shape, generator=generator, dtype=torch.float64).clamp(min=0)


def _trained(layer):
    x = torch.randn(128, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dout, leaf, generator = (
        x.flip(0).contiguous(),
        x.clone().requires_grad_(),
        torch.Generator().manual_seed(0),
    )

    def ours():
        _, cache = layer["dropout_forward"](x, p=0.3, train=True, generator=generator)
        return layer["dropout_backward"](dout, cache)

    def torchs():
        return torch.autograd.grad(torch.nn.functional.dropout(leaf, 0.3, True), leaf, dout)

    return ours, torchs


def _redrawn_forward(x, *, p, train, generator):
    if not train:
        return x.clone(), None
    kept = (torch.rand(x.shape, generator=generator) >= p).to(x.dtype)
    return x * kept / (1 - p), (p, generator)


def _redrawn_backward(dout, cache):
    if cache is None:
        return dout
    p, generator = cache
    return dout * (torch.rand(dout.shape, generator=generator) >= p).to(dout.dtype) / (1 - p)


def _seen_forward(x, *, p, train, generator):
    if not train:
        return x.clone(), None
    out = x * (torch.rand(x.shape, generator=generator) >= p).to(x.dtype) / (1 - p)
    return out, (out != 0).to(x.dtype) / (1 - p)


def _classic_forward(x, *, p, train, generator):
    if not train:
        return x * (1 - p), torch.full_like(x, 1 - p)
    kept = (torch.rand(x.shape, generator=generator) >= p).to(x.dtype)
    return x * kept, kept


def _plain_mask_forward(x, *, p, train, generator):
    if not train:
        return x.clone(), None
    kept = (torch.rand(x.shape, generator=generator) >= p).to(x.dtype)
    return x * kept / (1 - p), kept


def _bernoulli_forward(x, *, p, train, generator):
    if not train:
        return x, {"train": False}
    mask = torch.bernoulli(torch.full(x.shape, 1 - p, dtype=x.dtype), generator=generator)
    return mask * x / (1.0 - p), {"train": True, "mask": mask, "p": p}


def _bernoulli_backward(dout, cache):
    if not cache["train"]:
        return dout.clone()
    dx = dout.clone()
    dx *= cache["mask"]
    return dx / (1.0 - cache["p"])


def _loops_forward(x, *, p, train, generator):
    draws = torch.rand(x.numel(), generator=generator).tolist()
    factors = [0.0 if train and draw < p else 1 / (1 - p) if train else 1.0 for draw in draws]
    out = [value * factor for value, factor in zip(x.reshape(-1).tolist(), factors, strict=True)]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), factors


def _loops_backward(dout, cache):
    return torch.tensor(cache, dtype=dout.dtype).reshape(dout.shape) * dout


def _where_forward(x, *, p, train, generator):
    dropped = torch.empty(x.shape, dtype=torch.float64).uniform_(generator=generator) < (p if train else 0.0)
    keep = 1 - p if train else 1

    def backward(dout):
        dx = dout / keep
        dx[dropped] = 0
        return dx

    return torch.where(dropped, torch.zeros_like(x), x / keep), backward


def _where_backward(dout, cache):
    return cache(dout)


def _counted_forward(x, *, p, train, generator):
    count = x.numel()
    order = torch.randperm(count, generator=generator)
    extra = int(torch.rand((), generator=generator) < (count * p) % 1)
    mask = torch.ones(count, dtype=x.dtype)
    if train:
        mask = mask / (1 - p)
        mask[order[: int(count * p) + extra]] = 0
    return x * mask.reshape(x.shape), mask


def _counted_backward(dout, cache):
    return dout * cache.reshape(dout.shape)


LESSON = Lesson(
    name="dropout",
    title="Dropout",
    source="Srivastava, Hinton et al., Dropout (2014), section 4 and, for the inverted form, section 10",
    requires=("mlp",),
    forbids=("dropout", "native_dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"),
    points=10,
    minutes=15,
    tasks=(
        Stochastic(
            "dropout",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("6 rows, 7 features", x=away_from_zero(6, 7)),
                probe("batch of one", x=away_from_zero(1, 5)),
                probe("one axis", x=away_from_zero(9)),
                probe("four axes", x=away_from_zero(2, 3, 4, 2)),
                probe("non-contiguous", x=transposed(away_from_zero(5, 3))),
                probe("half of x is 0", x=half_zeros(12, 20)),
            ),
            bulk=probe("40 rows, 50 features", x=away_from_zero(40, 50)),
            bulks=(probe("6 images, 5 channels, 10 × 10", x=away_from_zero(6, 5, 10, 10)),),
            rates=(0.0, 0.1, 0.37, 0.5, 0.9),
        ),
    ),
    benchmarks=(Benchmark("forward+backward, training", "128 rows, 64 features", _trained),),
    mistakes=(
        mistake("not rescaled", "constant_factor", "kept.to(x.dtype) / (1 - p)", "kept.to(x.dtype)"),
        mistake("divided by p", "constant_factor", "/ (1 - p)", "/ max(p, 1e-3)"),
        mistake("p taken for the probability of keeping", "mask_inverted", ">= p", "< p"),
        mistake("p of its own", "wrong_distribution", ">= p", ">= 0.5"),
        mistake(
            "mask drawn again in the backward",
            "mask_redrawn",
            dropout_forward=_redrawn_forward,
            dropout_backward=_redrawn_backward,
        ),
        mistake(
            "mask forgotten in the backward",
            "mask_missing",
            "dout if scale is None else dout * scale",
            "dout.clone()",
        ),
        mistake(
            "rescaled, but not masked in the backward", "mask_missing", "dout * scale", "dout * scale.max()"
        ),
        mistake("the backward not rescaled", "constant_factor", dropout_forward=_plain_mask_forward),
        mistake("mask taken from where the output is not 0", "wrong_operand", dropout_forward=_seen_forward),
        mistake("drops in evaluation too", "forward_wrong", "if not train:", "if p is None:"),
        mistake(
            "scaled in evaluation, as before it was inverted",
            "constant_factor",
            dropout_forward=_classic_forward,
        ),
        mistake(
            "one mask for all rows",
            "wrong_distribution",
            "torch.rand(x.shape, generator",
            "torch.rand(x.shape[-1:], generator",
        ),
        mistake(
            "generator ignored",
            "nondeterministic",
            "torch.rand(x.shape, generator=generator)",
            "torch.rand(x.shape)",
        ),
        mistake(
            "a seed of its own",
            "wrong_distribution",
            "generator=generator)",
            "generator=torch.Generator().manual_seed(0))",
        ),
        mistake("upstream ignored", "ignores_upstream", "else dout * scale", "else scale.clone()"),
        mistake(
            "x overwritten", "mutates_input", "return x * scale, scale", "return x.mul_(scale).clone(), scale"
        ),
    ),
    variants=(
        variant(
            "torch.bernoulli, a dict",
            dropout_forward=_bernoulli_forward,
            dropout_backward=_bernoulli_backward,
        ),
        variant("python numbers", dropout_forward=_loops_forward, dropout_backward=_loops_backward),
        variant("where, and a closure", dropout_forward=_where_forward, dropout_backward=_where_backward),
        variant(
            "an exact number of entries", dropout_forward=_counted_forward, dropout_backward=_counted_backward
        ),
    ),
    hints=(
        "torch.rand draws uniformly from [0, 1). With which comparison is an entry kept with probability 1 − p?",
        "The mean of what is kept must stay x, and only a share of 1 − p is kept: by what must it be divided?",
        "Put mask and scale into the cache as one tensor; the backward multiplies dout by it, and has nothing to draw.",
    ),
)
### END SPEC
