"""Dropout
=======

Units that always meet each other come to rely on each other. So while a network is trained, silence each unit
with probability p, anew for every sample; what is left must make do alone. To keep the expected value level,
what survives is scaled up at once (*inverted* dropout):

    training      m ~ Bernoulli(1 − p), independently for every entry;    out = x · m / (1 − p)
    evaluation    out = x

x and out of any shape, 0 ≤ p < 1. E[out] = x in both modes, so evaluation needs no correction.

Given the mask, out is linear in x with slope m / (1 − p), and the backward pass must use the very mask that
the forward drew.

Conventions: p is the probability that an entry is dropped. The randomness comes from the generator that is
handed in, so that the same seed drops the same entries; how you draw is up to you. x may hold zeros, and
whether those were dropped matters to the gradient.
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
from autograd_check.course import (
    DROPOUTS,
    ELEMENTWISE,
    Benchmark,
    Cause,
    Lesson,
    Stochastic,
    at,
    away_from_zero,
    drop,
    edit,
    half_zeros,
    standard,
    wrong,
)


def _trained(layer):
    x = torch.randn(128, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dout, leaf = x.flip(0).contiguous(), x.clone().requires_grad_()
    generator = torch.Generator().manual_seed(0)

    def ours():
        _, cache = layer["dropout_forward"](x, p=0.3, train=True, generator=generator)
        return layer["dropout_backward"](dout, cache)

    def torchs():
        return torch.autograd.grad(torch.nn.functional.dropout(leaf, 0.3, True), leaf, dout)

    return ours, torchs


LESSON = Lesson(
    name="dropout",
    title="Dropout",
    source="Srivastava, Hinton et al., Dropout (2014), section 4 and, for the inverted form, section 10",
    requires=("mlp",),
    forbids=DROPOUTS,
    points=10,
    minutes=15,
    tasks=(
        Stochastic(
            "x[...] -> out[...]",
            oracle=lambda x: x * 1.0,  # the layer without its noise
            sizes=dict(rest=(6, 7)),
            draw=dict(x=away_from_zero()),
            rates=(0.0, 0.1, 0.37, 0.5, 0.9),
            bulk=(dict(rest=(40, 50)), dict(rest=(6, 5, 10, 10))),
            probes=(*ELEMENTWISE, at("half of x is 0", rest=(12, 20), x=half_zeros())),
        ),
    ),
    benchmarks=(Benchmark("forward+backward, training", "128 rows, 64 features", _trained),),
    mistakes=(
        *standard("upstream ignored"),
        edit("kept.to(x.dtype) / (1 - p)", "kept.to(x.dtype)", "not rescaled", Cause.CONSTANT_FACTOR),
        edit("/ (1 - p)", "/ max(p, 1e-3)", "divided by p", Cause.CONSTANT_FACTOR),
        edit(">= p", "< p", "p taken for the probability of keeping", Cause.MASK_INVERTED),
        edit(">= p", ">= 0.5", "p of its own", Cause.WRONG_DISTRIBUTION),
        wrong("mask drawn again in the backward", Cause.MASK_REDRAWN),
        edit("else dout * scale", "else dout.clone()", "mask forgotten in the backward", Cause.MASK_MISSING),
        edit(
            "dout * scale",
            "dout * scale.max()",
            "rescaled, but not masked in the backward",
            Cause.MASK_MISSING,
        ),
        wrong("the backward not rescaled", Cause.CONSTANT_FACTOR),
        wrong("mask taken from where the output is not 0", Cause.WRONG_OPERAND),
        edit("if not train:", "if p is None:", "drops in evaluation too", Cause.FORWARD_WRONG),
        wrong("scaled in evaluation, as before it was inverted", Cause.CONSTANT_FACTOR),
        edit("rand(x.shape", "rand(x.shape[-1:]", "one mask for all rows", Cause.WRONG_DISTRIBUTION),
        drop(", generator=generator", "generator ignored", Cause.NONDETERMINISTIC),
        edit("=generator)", "=torch.Generator())", "a seed of its own", Cause.WRONG_DISTRIBUTION),
        edit("return x * scale,", "return x.mul_(scale).clone(),", "x overwritten", Cause.MUTATES_INPUT),
    ),
    why="The mask is a factor like any other, so the gradient is multiplied by the same one. Dividing by 1 − p keeps the expected output, so evaluation needs no other scale.",
    hints=(
        "torch.rand draws uniformly from [0, 1). With which comparison is an entry kept with probability 1 − p?",
        "The mean of what is kept must stay x, and only a share of 1 − p is kept: by what must it be divided?",
        "Put mask and scale into the cache as one tensor; the backward multiplies dout by it, and has nothing to draw.",
    ),
)
### END SPEC
