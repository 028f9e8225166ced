"""A function under test in its own precision, and its calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.contract import failure_finding
from autograd_check.verify.finding import Diagnosis, Finding, Kind, failed
from autograd_check.verify.rays import real_dtype
from autograd_check.verify.tensors import equal_bits, is_differentiable, largest, leaves
from autograd_check.verify.tolerances import ACCUMULATED, KERNEL_SIGMAS, SINGLE_EPS
from autograd_check.verify.trial import PairNames

GIVEN = "the given point"


def unit_of(dtype: torch.dtype) -> float:
    """By how much a result of this precision may be off, relative to itself, with room for the additions of a long sum."""
    eps = float(torch.finfo(dtype).eps)
    return eps / 2 + ACCUMULATED * min(eps, SINGLE_EPS) / 2


def in_float64(tensor: Tensor) -> Tensor:
    """A tensor in float64 or complex128, off the tape."""
    return tensor.detach().to(torch.complex128 if tensor.is_complex() else torch.float64)


@dataclass(frozen=True)
class Kernel:
    """A function under test in its own precision. `explain` finds the cause of a wrong array, given the right one and the cotangent."""

    candidate: PairCandidate
    names: PairNames
    point: Point
    seed: int
    explain: Callable[[str, Tensor, Tensor, Any], Diagnosis | None]

    def run(self, dout: Any) -> tuple[Any, list[Any] | None, Finding | None]:
        """`out`, the gradients for `dout` (None: no cotangent, no gradients), and a finding where something did not run."""
        outcome = self.candidate.vjp(self.names.forward, self.names.backward, self.point, [] if dout is None else [dout])
        if outcome.value is None and outcome.failure is not None:
            return None, None, failure_finding("runs", "out", GIVEN, "forward", outcome.failure, Kind.VALUE)
        if outcome.failure is not None:
            subject = self.names.gradients[0] if self.names.wrt else "out"
            return outcome.value[0], None, failure_finding("runs", subject, GIVEN, "backward", outcome.failure, Kind.GRADIENT)
        return outcome.value[0], list(outcome.value[1][0]) if dout is not None else None, None


def tensors_of(value: Any) -> list[Tensor]:
    """The differentiable tensors of a nest."""
    return [leaf for leaf in leaves(value) if is_differentiable(leaf)]


def repeatable(kernel: Kernel, out: Any) -> Iterator[Finding]:
    """A second call gives the same but for rounding: a device may add in any order."""
    again = kernel.candidate.vjp(kernel.names.forward, kernel.names.backward, Point(dict(kernel.point.primals)), [])
    if again.value is not None and not equal_bits(out, again.value[0]):
        pairs = zip(tensors_of(out), tensors_of(again.value[0]), strict=True)
        off = max(largest(in_float64(one) - in_float64(other)) for one, other in pairs)
        size = max(map(largest, map(in_float64, tensors_of(out))))
        if not off <= KERNEL_SIGMAS * max(unit_of(real_dtype(leaf)) for leaf in tensors_of(out)) * size:
            text = f"out differs by {off:.2g} between two calls with the same inputs and the same seed"
            yield failed("repeatable", "out", GIVEN, text, Kind.VALUE, Cause.NONDETERMINISTIC)
