"""Warm-up and cosine decay: other right ways to write it."""

import math

import torch

from autograd_check.course import variant


def _tensors(step, *, warmup, total, base_lr):
    t = torch.tensor(float(step), dtype=torch.float64)
    climb = t / max(warmup, 1)
    fall = (1 + torch.cos(torch.pi * ((t - warmup) / (total - warmup)).clamp(0, 1))) / 2
    return base_lr * (climb if step < warmup else fall)


def _squared(step, *, warmup, total, base_lr):
    if warmup > step:
        return step * (base_lr / warmup)
    if step >= total:
        return 0.0
    return base_lr * math.cos(math.pi / 2 * (step - warmup) / (total - warmup)) ** 2


def _sine(step, *, warmup, total, base_lr):
    climbing = step < warmup
    left = max(total - step, 0) / (total - warmup)
    return base_lr * (step / warmup if climbing else (1 - math.cos(math.pi * left)) / 2)


VARIANTS = (
    variant("tensors", cosine_schedule=_tensors),
    variant("the square of a cosine", cosine_schedule=_squared),
    variant("seen from the end", cosine_schedule=_sine),
)
