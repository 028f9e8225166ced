"""Warm-up and cosine decay
========================

At the start the optimiser's averages are still empty and a large lr does harm, at the end a small one lets
the network settle. The usual schedule climbs in a straight line and then falls along half a cosine:

    lr(t) = base_lr · t / warmup                          t < warmup
    lr(t) = base_lr · ½ (1 + cos(π s)),                   s = (t − warmup) / (total − warmup)

t counts steps from 0, so lr(0) = 0 with a warm-up and base_lr without one; lr(warmup) = base_lr, and
lr(total) = 0.

Conventions: step, warmup and total are ints, the result is a number. warmup may be 0; beyond total lr is 0.
"""

import math


def cosine_schedule(step, *, warmup, total, base_lr):
    """The learning rate at step 0, 1, 2, … → a number."""
    ### BEGIN SOLUTION
    if step < warmup:
        return base_lr * step / warmup
    share = min((step - warmup) / (total - warmup), 1)
    return base_lr * 0.5 * (1 + math.cos(math.pi * share))
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course import Benchmark, Cause, Lesson, Plain, edit
from autograd_check.course.samples import constant
from autograd_check.course.spec import Convention, probe

AFTER = Convention(
    Cause.BORDER, "beyond total the schedule has ended and lr stays 0; the cosine would climb again."
)


def torchs(step, *, warmup, total, base_lr):
    if step < warmup:
        return torch.tensor(base_lr * step / warmup, dtype=torch.float64)
    phase = torch.tensor((step - warmup) / (total - warmup), dtype=torch.float64).clamp(max=1)
    return base_lr * torch.cos(phase * torch.pi / 2).square() * (phase < 1)


def at_step(name, step, warmup, total, base_lr, convention=None):
    hyper = {"warmup": warmup, "total": total, "base_lr": base_lr}
    return probe(name, hyper=hyper, convention=convention, step=constant(step))


def _bench(lesson):
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=10**9)
    optimiser.step()
    return lambda: lesson["cosine_schedule"](300, warmup=100, total=1000, base_lr=0.1), schedule.step


LESSON = Lesson(
    name="cosine_schedule",
    title="Warm-up and cosine decay",
    source="Loshchilov, Hutter, SGDR (2017), eq. 5 (without restarts); Goyal et al. (2017), section 2.2",
    requires=("sgd",),
    forbids=("optim", "lr_scheduler"),
    points=5,
    minutes=10,
    tasks=(
        Plain(
            "cosine_schedule",
            oracle=torchs,
            tolerance=1e-9,
            absolute=1e-14,
            probes=(
                at_step("the very first step", 0, 10, 100, 0.1),
                at_step("the second step", 1, 10, 100, 0.1),
                at_step("half of the warm-up", 6, 12, 80, 3e-4),
                at_step("the last step of the warm-up", 9, 10, 50, 1.0),
                at_step("the end of the warm-up", 10, 10, 50, 0.3),
                at_step("right after the warm-up", 11, 10, 50, 0.3),
                at_step("a third of the decay", 30, 15, 60, 2.0),
                at_step("half of the decay", 40, 20, 60, 0.5),
                at_step("near the end", 50, 4, 60, 0.2),
                at_step("the last step", 8, 1, 9, 0.1),
                at_step("the end", 60, 20, 60, 0.5),
                at_step("no warm-up, first step", 0, 0, 30, 0.7),
                at_step("no warm-up, later", 13, 0, 30, 0.7),
                at_step("one step of warm-up, first", 0, 1, 9, 0.7),
                at_step("one step of warm-up, second", 1, 1, 9, 0.7),
                at_step("one step after the end", 61, 20, 60, 0.5, AFTER),
                at_step("long after the end", 130, 20, 60, 0.5, AFTER),
            ),
        ),
    ),
    benchmarks=(Benchmark("one step of the schedule", "a single number", _bench),),
    mistakes=(
        edit(
            "base_lr * step / warmup",
            "base_lr * (step + 1) / warmup",
            "warm-up counted from 1",
            Cause.FORWARD_WRONG,
        ),
        edit(
            "(step - warmup) / (total - warmup)",
            "step / total",
            "decay begins at step 0",
            Cause.FORWARD_WRONG,
        ),
        edit("(total - warmup)", "total", "warm-up not taken from the length", Cause.FORWARD_WRONG),
        edit("math.pi * share", "2 * math.pi * share", "a whole cosine", Cause.FORWARD_WRONG),
        edit("base_lr * 0.5 *", "base_lr *", "the half forgotten", Cause.CONSTANT_FACTOR),
        edit("(1 + math.cos", "(1 - math.cos", "upside down", Cause.SIGN),
        edit("math.pi * share", "180 * share", "degrees for radians", Cause.FORWARD_WRONG),
        edit("0.5 * (1 + math.cos(math.pi * share))", "(1 - share)", "linear decay", Cause.FORWARD_WRONG),
        edit("step / warmup", "(step // warmup)", "whole-number division", Cause.ZERO_GRADIENT),
        edit("if step < warmup:", "if step / warmup < 1:", "division by a warm-up of 0", Cause.CRASHED),
        edit(
            "min((step - warmup) / (total - warmup), 1)",
            "(step - warmup) / (total - warmup)",
            "climbs again after the end",
            Cause.BORDER,
        ),
    ),
    why="Half a wave of the cosine is flat at both ends: the rate leaves its peak slowly and reaches 0 slowly. The warm-up before it gives the optimiser's averages time to settle.",
    hints=(
        "Two cases: during the warm-up and after it. Which of them does step = warmup belong to, and does it matter?",
        "After the warm-up, how many steps remain in all? What share of them is over at this step?",
        "cos goes from 1 to −1 between 0 and π; shift and halve it to go from 1 to 0.",
    ),
)
### END SPEC
