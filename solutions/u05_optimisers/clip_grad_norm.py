"""Clipping the gradient's norm
============================

One bad batch can have a gradient a thousand times as long as usual, and one step along it ruins the network.
Clipping keeps the direction and shortens the step. Over all gradients of a network, taken together as one
long vector g:

    ‖g‖ = √(Σ over all tensors, Σ over all entries, g²)

    every gradient ← gradient · min(1, max_norm / ‖g‖)

All tensors are scaled by one factor; each for itself would turn the direction.

Conventions: grads is a list of tensors; a new list of the same length comes back, and nothing is changed in
place. Gradients shorter than max_norm, zeros among them, come back as they are. The clipped norm is max_norm
exactly (torch divides by ‖g‖ + 1e-6, which is a little less).
"""


def clip_grad_norm(grads, *, max_norm):
    """grads [tensor, …] → new grads [tensor, …] of norm max_norm at most."""
    ### BEGIN SOLUTION
    norm = sum((g**2).sum() for g in grads).sqrt()
    scale = (max_norm / norm).clamp(max=1)
    return [scale * g for g in grads]
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course import (
    Benchmark,
    Cause,
    Lesson,
    Plain,
    at,
    convention,
    drop,
    edit,
    nest,
    normal,
    transposed,
    wrong,
)

EXACT = "the clipped norm is max_norm itself: add nothing to the norm."
LONG = normal(scale=1e8)
"""Gradients so long that a 1e-6 added to their norm, as torch does, makes no difference that could be seen."""


def torchs(grads, *, max_norm):
    norm = torch.linalg.vector_norm(torch.cat([g.reshape(-1) for g in grads]))
    return [torch.where(norm > max_norm, g * (max_norm / norm), g) for g in grads]


def _bench(lesson):
    generator = torch.Generator().manual_seed(0)
    shapes = ((64, 32), (32,), (32, 10), (10,))
    grads = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    params = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
    for param, grad in zip(params, grads, strict=True):
        param.grad = grad.clone()
    torchs_own = torch.nn.utils.clip_grad_norm_
    return lambda: lesson["clip_grad_norm"](grads, max_norm=1.0), lambda: torchs_own(params, 1.0)


LESSON = Lesson(
    name="clip_grad_norm",
    title="Clipping the gradient's norm",
    source="Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks (2013), algorithm 1",
    requires=("sgd",),
    forbids=("clip_grad_norm_", "clip_grads_with_norm_"),
    points=5,
    minutes=10,
    tasks=(
        Plain(
            "grads -> clipped",
            oracle=torchs,
            probes=(
                at(
                    "three tensors, far too long",
                    max_norm=2e7,
                    grads=nest(LONG.of(4, 3), LONG.of(3), LONG.of(2, 3, 2)),
                ),
                at(
                    "short enough",
                    max_norm=100.0,
                    grads=nest(normal().of(3, 5), normal().of(5), normal().of(1)),
                ),
                at(
                    "one long, one short",
                    max_norm=1e6,
                    grads=nest(LONG.of(6, 2), normal(scale=1e-3).of(2), normal(scale=1e6).of(5)),
                ),
                at("each short enough, but not all together", max_norm=5e7, grads=nest(*[[3e7, 0.0]] * 5)),
                at("one tensor", max_norm=1e5, grads=nest(LONG.of(7))),
                at("single numbers", max_norm=1e8, grads=nest(3e8, -4e8)),
                at("large entries, allowed", max_norm=1e12, grads=nest(LONG.of(3, 2), normal().of(4))),
                at("non-contiguous", max_norm=3e7, grads=nest(transposed(LONG).of(4, 3), LONG.of(4))),
                at("exactly as long as allowed", max_norm=5e8, grads=nest([3e8, 0.0], [4e8])),
                at("all zero", max_norm=1.0, grads=nest([[0.0, 0.0]], [0.0])),
                convention(
                    "a norm of 1 cut to 0.1",
                    Cause.CONSTANT_FACTOR,
                    EXACT,
                    within=1e-4,
                    max_norm=0.1,
                    grads=nest([0.6, 0.0], [[0.8]]),
                ),
            ),
        ),
    ),
    benchmarks=(Benchmark("clip", "(64, 32) (32,) (32, 10) (10,)", _bench),),
    mistakes=(
        wrong("each tensor for itself", Cause.FORWARD_WRONG),
        drop(".clamp(max=1)", "short gradients made longer", Cause.CONSTANT_FACTOR),
        drop(".sqrt()", "root forgotten", Cause.CONSTANT_FACTOR),
        edit(
            "(g**2).sum() for g in grads).sqrt()",
            "g.norm() for g in grads)",
            "norms added up",
            Cause.CONSTANT_FACTOR,
        ),
        wrong("entries clipped", Cause.FORWARD_WRONG),
        edit(
            "sum((g**2).sum() for g in grads).sqrt()",
            "max(g.abs().max() for g in grads)",
            "largest entry for the norm",
            Cause.CONSTANT_FACTOR,
        ),
        edit("max_norm / norm", "1 / norm", "max_norm forgotten", Cause.CONSTANT_FACTOR),
        edit("(g**2).sum()", "(g**2).mean()", "mean for sum", Cause.CONSTANT_FACTOR),
        edit("max_norm / norm", "max_norm / (norm + 1e-6)", "torch's 1e-6", Cause.CONSTANT_FACTOR),
        wrong("in place", Cause.MUTATES_INPUT),
    ),
    why="One factor for all, min(1, max_norm / norm), shortens the step and keeps its direction. Clipping entry by entry would turn it.",
    hints=(
        "The squared norm of the long vector is a sum of squared norms, one for each tensor.",
        "One factor for all. What must it be when the gradients are short enough already?",
        "With a norm of 0 the quotient is infinite; min(1, ∞) is 1.",
    ),
)
### END SPEC
