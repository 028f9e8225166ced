"""A numerical gradient beside the derivative that it approximates, and beside honest central differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autograd_check.course.spec import Checker, Scalar
from autograd_check.run.marshal import evaluate
from autograd_check.verify.candidate import Outcome
from autograd_check.verify.precision import looks_single


@dataclass(frozen=True)
class Differenced:
    """A scalar function at a point: its derivative, and what the code under test gave at the task's three steps."""

    task: Checker
    scalar: Scalar
    f: Callable[[Tensor], Tensor]
    x: Tensor
    right: Tensor
    numeric: Mapping[float, Tensor]

    def central(self, h: float) -> Tensor:
        """Honest central differences at a step (like x, float64)."""
        gradient = torch.zeros_like(self.right)
        for position in range(self.x.numel()):
            step = torch.zeros(self.x.numel(), dtype=self.x.dtype)
            step[position] = h
            step = step.reshape(self.x.shape)
            gradient.view(-1)[position] = (self.f(self.x + step) - self.f(self.x - step)) / (2 * h)
        return gradient

    def noise(self, h: float) -> float:
        """Bound of the round-off error at a step: of f's values, and of x ± h."""
        value, slope, size = (float(t.abs().max()) for t in (self.f(self.x), self.right, self.x))
        return 8 * torch.finfo(torch.float64).eps * (value + slope * size) / h

    def error(self, gradient: Tensor) -> float:
        """The largest error of any entry."""
        return float((gradient - self.right).abs().max())

    def is_single(self, h: float) -> bool:
        """Whether the code's numbers at a step are float32 numbers, and right as such."""
        numeric = self.numeric[h]
        single = numeric.float()
        return torch.equal(single.to(numeric.dtype), numeric) and looks_single(single, self.right)

    def lets_through(self, claimed: Tensor) -> bool:
        """Whether a claimed gradient passes, if one believes the code's numbers at the task's fine step."""
        numeric = self.numeric[self.task.h]
        scale = max(float(numeric.abs().max()), float(claimed.abs().max()))
        return float((numeric - claimed).abs().max()) <= self.task.resolution * scale


def difference(task: Checker, scalar: Scalar, x: Tensor, outcomes: Mapping[float, Outcome]) -> Differenced:
    """Put the code's numbers (one outcome for each step, all with values) beside torch's derivative."""
    f = evaluate(scalar.code)
    leaf = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        (right,) = torch.autograd.grad(f(leaf), leaf)
    numeric = {h: outcome.value.to(x.dtype) for h, outcome in outcomes.items()}
    return Differenced(task, scalar, f, x, right.contiguous(), numeric)
