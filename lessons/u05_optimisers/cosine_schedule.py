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
    raise NotImplementedError("cosine_schedule: The learning rate at step 0, 1, 2, … → a number.")

# When it is written: autograd-check check cosine_schedule
