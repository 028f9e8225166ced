"""Runs of an optimiser: random starts and gradients, torch's optimiser beside them, and where two runs part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.course.spec import UpdateRule
from autograd_check.requests import Candidate
from autograd_check.verify.candidate import Outcome
from autograd_check.verify.contract import shape_text, type_text
from autograd_check.verify.finding import Mismatch
from autograd_check.verify.memo import Memo
from autograd_check.verify.tensors import compare, is_tensor, mismatch_text

SHAPES = ((3, 4), (5,), (), (3, 4))
"""Shapes of the parameters of a run: a matrix, a vector, a single number, and a matrix like the first: it has its own state."""

Params = Sequence[Tensor]


@dataclass(frozen=True)
class Twin:
    """What torch's optimiser does: `steps[t]` are the parameters after step t + 1; `primals` the starts and the gradients."""

    primals: Mapping[str, Any]
    steps: Sequence[Params]

    @cached_property
    def whole(self) -> Tensor:
        """The whole run in one vector."""
        return flat(self.steps)


@dataclass(frozen=True)
class Run:
    """One run with one set of hyperparameters: what torch's optimiser does, and what came back from the code under test.

    `outcome.value[t]` are the parameters after step t + 1.
    """

    hyper: Mapping[str, Any]
    torchs: Twin
    outcome: Outcome

    @property
    def primals(self) -> Mapping[str, Any]:
        """The starts and the gradients, as evidence has them."""
        return self.torchs.primals

    @property
    def twin(self) -> Sequence[Params]:
        """The parameters of torch's optimiser after every step."""
        return self.torchs.steps

    @property
    def starts(self) -> Params:
        """The parameters before the first step."""
        starts: Params = self.primals["starts"]
        return starts

    @property
    def gradients(self) -> Sequence[Params]:
        """The gradients of every step."""
        gradients: Sequence[Params] = self.primals["gradients"]
        return gradients

    @property
    def name(self) -> str:
        """The hyperparameters, as reports show them."""
        return ", ".join(f"{key}={value}" for key, value in self.hyper.items()) or "defaults"

    @property
    def own(self) -> Sequence[Sequence[Any]]:
        """The steps that came back; whatever they hold."""
        return self.outcome.value if isinstance(self.outcome.value, list) else []

    @cached_property
    def whole(self) -> Tensor:
        """The code's own steps in one vector."""
        return flat(self.own)

    def before(self, step: int) -> Sequence[Any]:
        """The code's own parameters before step `step` (counted from 1)."""
        return self.own[step - 2] if step > 1 else self.starts


@dataclass(frozen=True)
class Parting:
    """Where a run first leaves its twin: the step (from 1) and which parameter; `mismatch` is None where it has another form."""

    step: int
    position: int
    says: str
    mismatch: Mismatch | None = None

    @property
    def tells(self) -> tuple[bool, int]:
        """How much can be learnt from it: another form or a nan first, then the more wrong entries the better."""
        if self.mismatch is None:
            return True, 0
        return not math.isfinite(abs(self.mismatch.got)), self.mismatch.wrong


def draw(seed: int, steps: int, dtype: torch.dtype = torch.float64) -> tuple[list[Tensor], list[list[Tensor]]]:
    """Starts and a gradient for each of `steps` steps, with zeros and small ones among them.

    The vector's first entry never gets one: a unit that is dead; its last a ten-thousandth. The first entry of the first
    matrix gets none at every third step, and the second matrix none at all at the steps 7, 17, 27, ... The vector's second
    entry gets a hundred times its gradient at the steps 13, 33, 53.
    """
    generator = Generator().manual_seed(seed)
    starts, *gradients = (
        [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in SHAPES] for _ in range(steps + 1)
    )
    for step, grads in enumerate(gradients, 1):
        grads[1][0] = 0
        grads[1][-1] *= 1e-4
        if step % 3 == 0:
            grads[0][0, 0] = 0
        if step % 10 == 7:
            grads[3].zero_()
        if step % 20 == 13:
            grads[1][1] *= 100
    return starts, gradients


def run(task: UpdateRule, candidate: Candidate, hyper: Mapping[str, Any], seed: int, memo: Memo) -> Run:
    """The candidate and torch's optimiser, side by side; torch's is run once for all files of one task and seed."""

    def torchs() -> Twin:
        starts, gradients = draw(seed, task.steps)
        return Twin({"starts": starts, "gradients": gradients}, twin(task, starts, gradients, hyper))

    right = memo.once(("run", seed), [task], torchs)
    starts, gradients = right.primals["starts"], right.primals["gradients"]
    return Run(hyper, right, candidate.trajectory(task.functions[0], starts, gradients, hyper, together=task.together))


def twin(task: UpdateRule, starts: Params, gradients: Sequence[Params], hyper: Mapping[str, Any]) -> list[list[Tensor]]:
    """Torch's optimiser on copies of `starts`: the parameters after every step."""
    params = [start.clone() for start in starts]
    optimiser = task.twin(params, **hyper)
    steps = []
    for grads in gradients:
        for param, grad in zip(params, grads, strict=True):
            param.grad = grad.clone()
        optimiser.step()
        steps.append([param.clone() for param in params])
    return steps


def parting(one: Run, tolerance: float) -> Parting | None:
    """The first step at which the code's own parameters differ by more than `tolerance`, relative and absolute.

    Of several parameters that differ there, the one that tells most.
    """
    if _follows(one, tolerance):
        return None
    for step, (own, right) in enumerate(zip(one.own, one.twin, strict=False), 1):
        pairs = enumerate(zip(own, right, strict=True))
        found = [_part(step, position, mine, expected, tolerance) for position, (mine, expected) in pairs]
        apart = [part for part in found if part is not None]
        if apart:
            return max(apart, key=lambda part: part.tells)
    return None


def _follows(one: Run, tolerance: float) -> bool:
    """Whether a whole run is right, seen in one comparison; the steps say where one is not."""
    expected = one.torchs.whole
    if [list(map(_shape, step)) for step in one.own] != [list(map(_shape, step)) for step in one.twin]:
        return False
    return compare(one.whole, expected, tolerance * expected.abs() + tolerance) is None


def _shape(value: Any) -> Any:
    return value.shape if is_tensor(value) else None


def _part(step: int, position: int, mine: Any, expected: Tensor, tolerance: float) -> Parting | None:
    says = _form(mine, expected)
    if says:
        return Parting(step, position, says)
    mismatch = compare(mine.to(expected.dtype), expected, tolerance * expected.abs() + tolerance)
    return None if mismatch is None else Parting(step, position, mismatch_text(mismatch), mismatch)


def _form(mine: Any, expected: Tensor) -> str:
    """What is wrong with a parameter whatever its values; empty where nothing is."""
    if not is_tensor(mine):
        return f"a parameter became {type_text(mine)}, expected a tensor of shape {shape_text(expected.shape)}"
    if mine.shape != expected.shape:
        return f"a parameter of shape {shape_text(expected.shape)} became one of shape {shape_text(mine.shape)}"
    return ""


def updates(whole: Tensor, starts: Params) -> Tensor:
    """What every step adds to every parameter, in one vector like the run."""
    first = flat([starts])
    return whole - torch.cat([first, whole])[: whole.numel()]


def flat(steps: Sequence[Sequence[Any]]) -> Tensor:
    """All parameters of all steps in one vector; what is no tensor is left out."""
    pieces = [param.reshape(-1).to(torch.float64) for params in steps for param in params if is_tensor(param)]
    return torch.cat(pieces) if pieces else torch.empty(0, dtype=torch.float64)
