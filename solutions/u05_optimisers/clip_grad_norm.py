"""Clipping the gradient's norm
============================

One bad batch can have a gradient a thousand times as long as usual, and one step along it ruins the network. Clipping keeps the direction and
shortens the step. Over all gradients of a network, taken together as one long vector g:

    ‖g‖ = √(Σ over all tensors, Σ over all entries, g²)

    every gradient ← gradient · min(1, max_norm / ‖g‖)

All tensors are scaled by one factor; each for itself would turn the direction.

Conventions: grads is a list of tensors; a new list of the same length comes back, and nothing is changed in place. Gradients shorter than
max_norm, zeros among them, come back as they are. The clipped norm is max_norm exactly (torch divides by ‖g‖ + 1e-6, which is a little less).
"""

import torch


def clip_grad_norm(grads, *, max_norm):
    """grads [tensor, …] → new grads [tensor, …] of norm max_norm at most."""
    ### BEGIN SOLUTION
    norm = torch.stack([g.square().sum() for g in grads]).sum().sqrt()
    scale = (max_norm / norm).clamp(max=1)
    return [scale * g for g in grads]
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import Cause, drop, edit, wrong
from autograd_check.course.samples import literal, normal, sequence, transposed
from autograd_check.course.spec import Benchmark, Convention, Lesson, Plain, probe

EXACT = Convention(
    "constant_factor",
    "the clipped norm is max_norm itself: divide by the norm, and add nothing to it.",
    within=1e-4,
)
LARGE = 1e8
"""Gradients so long that a 1e-6 added to their norm, as torch does, makes no difference that could be seen."""


def oracle(grads, *, max_norm):
    norm = torch.linalg.vector_norm(torch.cat([g.reshape(-1) for g in grads]))
    return [torch.where(norm > max_norm, g * (max_norm / norm), g) for g in grads]


def _bench(lesson):
    generator = torch.Generator().manual_seed(0)
    grads = [
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((64, 32), (32,), (32, 10), (10,))
    ]
    params = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
    for param, grad in zip(params, grads, strict=True):
        param.grad = grad.clone()
    return lambda: lesson["clip_grad_norm"](grads, max_norm=1.0), lambda: torch.nn.utils.clip_grad_norm_(
        params, 1.0
    )


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
            "clip_grad_norm",
            oracle=oracle,
            probes=(
                probe(
                    "three tensors, far too long",
                    hyper={"max_norm": 2e7},
                    grads=sequence(
                        normal(4, 3, scale=LARGE), normal(3, scale=LARGE), normal(2, 3, 2, scale=LARGE)
                    ),
                ),
                probe(
                    "short enough",
                    hyper={"max_norm": 100.0},
                    grads=sequence(normal(3, 5), normal(5), normal(1)),
                ),
                probe(
                    "one long, one short",
                    hyper={"max_norm": 1e6},
                    grads=sequence(normal(6, 2, scale=LARGE), normal(2, scale=1e-3), normal(5, scale=1e6)),
                ),
                probe(
                    "each short enough, but not all together",
                    hyper={"max_norm": 5e7},
                    grads=sequence(*[literal([3e7, 0.0])] * 5),
                ),
                probe("one tensor", hyper={"max_norm": 1e5}, grads=sequence(normal(7, scale=LARGE))),
                probe("single numbers", hyper={"max_norm": 1e8}, grads=sequence(literal(3e8), literal(-4e8))),
                probe(
                    "large entries, allowed",
                    hyper={"max_norm": 1e12},
                    grads=sequence(normal(3, 2, scale=LARGE), normal(4)),
                ),
                probe(
                    "non-contiguous",
                    hyper={"max_norm": 3e7},
                    grads=sequence(transposed(normal(3, 4, scale=LARGE)), normal(4, scale=LARGE)),
                ),
                probe(
                    "exactly as long as allowed",
                    hyper={"max_norm": 5e8},
                    grads=sequence(literal([3e8, 0.0]), literal([4e8])),
                ),
                probe(
                    "all zero", hyper={"max_norm": 1.0}, grads=sequence(literal([[0.0, 0.0]]), literal([0.0]))
                ),
                probe(
                    "a norm of 1 cut to 0.1",
                    hyper={"max_norm": 0.1},
                    grads=sequence(literal([0.6, 0.0]), literal([[0.8]])),
                    convention=EXACT,
                ),
            ),
        ),
    ),
    benchmarks=(Benchmark("clip", "(64, 32) (32,) (32, 10) (10,)", _bench),),
    mistakes=(
        wrong("each tensor for itself", Cause.FORWARD_WRONG),
        drop(".clamp(max=1)", "short gradients made longer", Cause.FORWARD_WRONG),
        edit(".sum().sqrt()", ".sum()", "root forgotten", Cause.FORWARD_WRONG),
        edit("g.square().sum() for", "g.square().sum().sqrt() for", "norms added up", Cause.FORWARD_WRONG),
        wrong("entries clipped", Cause.FORWARD_WRONG),
        edit(
            "[g.square().sum() for g in grads]).sum().sqrt()",
            "[g.abs().max() for g in grads]).max()",
            "largest entry for the norm",
            Cause.FORWARD_WRONG,
        ),
        edit("max_norm / norm", "1 / norm", "max_norm forgotten", Cause.FORWARD_WRONG),
        edit("g.square().sum() for", "g.square().mean() for", "mean for sum", Cause.FORWARD_WRONG),
        edit("max_norm / norm", "max_norm / (norm + 1e-6)", "torch's 1e-6", Cause.CONSTANT_FACTOR),
        wrong("in place", Cause.MUTATES_INPUT),
    ),
    hints=(
        "The squared norm of the long vector is a sum of squared norms, one for each tensor.",
        "One factor for all. What must it be when the gradients are short enough already?",
        "With a norm of 0 the quotient is infinite; min(1, ∞) is 1.",
    ),
)
### END SPEC
