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

from autograd_check.course import Benchmark, Cause, Lesson, Plain, at, convention, edit

AFTER = "beyond total the schedule has ended and lr stays 0; the cosine would climb again."


def torchs(step, *, warmup, total, base_lr):
    if step < warmup:
        return torch.tensor(base_lr * step / warmup, dtype=torch.float64)
    phase = torch.tensor((step - warmup) / (total - warmup), dtype=torch.float64).clamp(max=1)
    return base_lr * torch.cos(phase * torch.pi / 2).square() * (phase < 1)


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
            "step -> lr[]",
            oracle=torchs,
            tolerance=1e-9,
            absolute=1e-14,
            probes=(
                at("the very first step", step=0, warmup=10, total=100, base_lr=0.1),
                at("the second step", step=1, warmup=10, total=100, base_lr=0.1),
                at("half of the warm-up", step=6, warmup=12, total=80, base_lr=3e-4),
                at("the last step of the warm-up", step=9, warmup=10, total=50, base_lr=1.0),
                at("the end of the warm-up", step=10, warmup=10, total=50, base_lr=0.3),
                at("right after the warm-up", step=11, warmup=10, total=50, base_lr=0.3),
                at("a third of the decay", step=30, warmup=15, total=60, base_lr=2.0),
                at("half of the decay", step=40, warmup=20, total=60, base_lr=0.5),
                at("near the end", step=50, warmup=4, total=60, base_lr=0.2),
                at("the last step", step=8, warmup=1, total=9, base_lr=0.1),
                at("the end", step=60, warmup=20, total=60, base_lr=0.5),
                at("no warm-up, first step", step=0, warmup=0, total=30, base_lr=0.7),
                at("no warm-up, later", step=13, warmup=0, total=30, base_lr=0.7),
                at("one step of warm-up, first", step=0, warmup=1, total=9, base_lr=0.7),
                at("one step of warm-up, second", step=1, warmup=1, total=9, base_lr=0.7),
                convention(
                    "one step after the end", Cause.BORDER, AFTER, step=61, warmup=20, total=60, base_lr=0.5
                ),
                convention(
                    "long after the end", Cause.BORDER, AFTER, step=130, warmup=20, total=60, base_lr=0.5
                ),
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
