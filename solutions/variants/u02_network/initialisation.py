"""Initialisation: other right ways to write it, and whole functions that go wrong."""

import math

import torch

from autograd_check.course import variant


def _global_he(fan_in, fan_out, *, generator):
    return (2 / fan_in) ** 0.5 * torch.randn(fan_in, fan_out, dtype=torch.float64)


def _uniform_he(fan_in, fan_out, *, generator):
    return (24 / fan_in) ** 0.5 * (
        torch.rand(fan_in, fan_out, generator=generator, dtype=torch.float64) - 0.5
    )


def _loops_he(fan_in, fan_out, *, generator):
    w = torch.zeros(fan_in, fan_out, dtype=torch.float64)
    for i in range(fan_in):
        w[i] = torch.randn(fan_out, generator=generator, dtype=torch.float64) / math.sqrt(fan_in / 2)
    return w


def _loops_xavier(fan_in, fan_out, *, generator):
    a = math.sqrt(6) / math.sqrt(fan_in + fan_out)
    rows = [torch.rand(fan_out, generator=generator, dtype=torch.float64) for _ in range(fan_in)]
    return torch.stack([row * 2 * a - a for row in rows])


def _in_place_he(fan_in, fan_out, *, generator):
    return torch.empty(fan_in, fan_out, dtype=torch.float64).normal_(
        0, math.sqrt(2 / fan_in), generator=generator
    )


def _in_place_xavier(fan_in, fan_out, *, generator):
    a = math.sqrt(6 / (fan_in + fan_out))
    return torch.empty(fan_in, fan_out, dtype=torch.float64).uniform_(-a, a, generator=generator)


def _box_muller_he(fan_in, fan_out, *, generator):
    u = torch.rand(2, fan_in, fan_out, generator=generator, dtype=torch.float64)
    normal = torch.sqrt(-2 * torch.log(1 - u[0])) * torch.cos(2 * math.pi * u[1])
    return normal * (2 / fan_in) ** 0.5


def _transposed_xavier(fan_in, fan_out, *, generator):
    w = torch.rand((fan_out, fan_in), generator=generator, dtype=torch.float64)
    w -= 0.5
    w *= math.sqrt(24 / (fan_in + fan_out))
    return w.T


VARIANTS = (
    variant("row by row", he_normal=_loops_he, xavier_uniform=_loops_xavier),
    variant("filled in place", he_normal=_in_place_he, xavier_uniform=_in_place_xavier),
    variant("Box and Muller; a transposed view", he_normal=_box_muller_he, xavier_uniform=_transposed_xavier),
)
WRONG = (
    variant("uniform for normal", he_normal=_uniform_he),
    variant("generator ignored", he_normal=_global_he),
)
