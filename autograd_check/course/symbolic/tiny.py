"""A lesson's oracle at the smallest shape that still shows the structure: drawn values, for a formula that fits a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.course.spec import Layer
from autograd_check.errors import CourseError
from autograd_check.verify.tensors import map_tensors

SIZES = (2, 3, 4)


@dataclass(frozen=True)
class TinyPoint:
    """Primals with every axis cut to `size` entries at most, and what the oracle gives for them."""

    primals: Mapping[str, Any]
    hyper: Mapping[str, Any]
    out: Any


def tiny_point(task: Layer, seed: int = 0) -> TinyPoint:
    """The first ordinary probe of a task, cut to the smallest size for which the oracle runs.

    Raises `CourseError` where no size does.
    """
    probe = next((probe for probe in task.probes if probe.convention is None), task.probes[0])
    drawn = {
        name: sample(Generator().manual_seed(seed * 7919 + 31 * number))
        for number, (name, sample) in enumerate(probe.primals.items())
    }
    trouble: Exception | None = None
    for size in SIZES:
        primals = {name: map_tensors(partial(_cut, size), value) for name, value in drawn.items()}
        try:
            with torch.no_grad():
                return TinyPoint(primals, probe.hyper, task.oracle(*primals.values(), **probe.hyper))
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            trouble = error
    raise CourseError(f"The oracle of {task.name} runs at no size from {SIZES[0]} to {SIZES[-1]}: {trouble}")


def _cut(size: int, tensor: Tensor) -> Tensor:
    """The first `size` entries along every axis; integers (indices into an axis that was cut as well) modulo `size`."""
    part = tensor[tuple(slice(0, size) for _ in tensor.shape)].clone(memory_format=torch.contiguous_format)
    return part if part.is_floating_point() or part.is_complex() or part.dtype is torch.bool else part % size
