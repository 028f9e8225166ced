"""Gradients that are nothing but rounding: 1e-17 where the function is constant, and something else for another cotangent.

Sums of probabilities, x − log(exp(x)) and the like are constant; their gradients cancel to a few roundings of numbers that
nobody sees from outside. Such a rest is not linear in anything, but it is no mistake either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.case import PairNames, combine
from autograd_check.verify.finding import Finding, Status
from autograd_check.verify.oracle import nudged
from autograd_check.verify.scale import largest
from autograd_check.verify.tree import is_differentiable, is_tensor, leaves, map_leaves, map_tensors, same_structure
from autograd_check.verify.trial import ALPHA, BETA, Trial, unpack

LINEAR = "linear in dout"
JUMP = 1e-5
"""Relative to the largest entry of a gradient."""
SHARES = tuple(0.04 * k for k in range(-3, 4))
"""How much of the second cotangent is added to the first: seven shares, equally spaced, too small to turn a sign."""
SAFETY = 16.0
"""How many times the noise of a gradient its bend may be: three values take part, with weights of up to 1.5.

The noise of a gradient is not below one rounding of the cotangent that came in.
"""


def without_noise(candidate: PairCandidate, names: PairNames, trial: Trial, findings: Sequence[Finding]) -> list[Finding]:
    """The findings of a trial without those of a nonlinearity that is no larger than the gradient's own noise.

    A backward that is not repeatable is not excused.
    """
    doubted = {f.subject for f in findings if f.check == LINEAR and f.status is Status.FAILED and _repeats(trial, f.subject)}
    if not doubted:
        return list(findings)
    noises = _noises(candidate, names, trial)
    floor = torch.finfo(torch.float64).eps * _largest(trial.douts[0])
    noise = {subject for subject in doubted if _bend(trial, subject) <= SAFETY * max(floor, noises.get(subject, 0.0))}
    return [f for f in findings if f.check != LINEAR or f.subject not in noise]


def shaken(point: Point, name: str, gradient: Any, regrad: Callable[[Point], Mapping[str, Any] | None]) -> Any:
    """How far every entry of a gradient moves when all primals move by some units in their last place; None where it fails.

    Of two moves the larger change: what rounding inside the function makes of the gradient, if it makes anything of it. A
    change of more than `JUMP` is none of rounding: the gradient itself jumps there.
    """
    if not all(map(is_differentiable, leaves(gradient))):
        return None
    generator = Generator().manual_seed(314)
    found = [torch.zeros_like(leaf) for leaf in leaves(gradient)]
    for _ in range(2):
        moved = {key: map_tensors(lambda tensor: nudged(tensor, generator), value) for key, value in point.primals.items()}
        grads = regrad(Point(moved, point.hyper))
        if grads is None or not alike(grads.get(name), gradient):
            return None
        changes = [new - old for new, old in zip(leaves(grads[name]), leaves(gradient), strict=True)]
        found = [torch.where(new.abs() > old.abs(), new, old) for new, old in zip(changes, found, strict=True)]
    limits = [JUMP * largest(leaf) for leaf in leaves(gradient)]
    rest = iter([torch.where(change.abs() <= limit, change, 0) for change, limit in zip(found, limits, strict=True)])
    return map_leaves(lambda _: next(rest), gradient)


def alike(value: Any, gradient: Any) -> bool:
    """Whether two nests hold tensors of the same shapes, with fractions."""
    return same_structure(value, gradient) and all(
        is_differentiable(new) and is_differentiable(old) and new.shape == old.shape
        for new, old in zip(leaves(value), leaves(gradient), strict=True)
    )


def _repeats(trial: Trial, subject: str) -> bool:
    if len(trial.unpacked) < 5:
        return False
    pairs = zip(leaves(trial.unpacked[0][subject].value), leaves(trial.unpacked[4][subject].value), strict=False)
    return all(not is_tensor(a) or (is_tensor(b) and torch.equal(a, b)) for a, b in pairs)


def _bend(trial: Trial, subject: str) -> float:
    """The largest entry of v(αd₁ + βd₂) − αv(d₁) − βv(d₂) and of v(0)."""
    one, two, both, none = (answer[subject].value for answer in trial.unpacked[:4])
    if not all(alike(value, one) for value in (one, two, both, none)):
        return math.inf
    bend = torch.tensor([_largest(combine(1.0, both, -1.0, combine(ALPHA, one, BETA, two))), _largest(none)])
    return float(bend.max())  # nan where one is nan


def _noises(candidate: PairCandidate, names: PairNames, trial: Trial) -> dict[str, float]:
    """The noise of each gradient: of v(d + t·e) at seven values of t, their fourth differences over √70.

    Linear or not, a gradient depends on t smoothly; fourth differences keep the noise alone. (Moré and Wild, Estimating
    computational noise, 2011, section 3.) The largest of three lines: rounding may spare one.
    """
    found: dict[str, float] = {}
    for one, other in ((0, 1), (1, 0), (2, 1)):
        douts = [combine(1.0, trial.douts[one], share, trial.douts[other]) for share in SHARES]
        for subject, noise in _along(candidate, names, trial, douts).items():
            found[subject] = max(found.get(subject, 0.0), noise)
    return found


def _along(candidate: PairCandidate, names: PairNames, trial: Trial, douts: Sequence[Any]) -> dict[str, float]:
    outcome = candidate.vjp(names.forward, names.backward, trial.case.point, douts)
    answers = [unpack(answer, names.wrt) for answer in outcome.value[1]] if outcome.ok and outcome.value is not None else []
    if len(answers) < len(SHARES):
        return {}
    rows = {subject: [leaves(answer[subject].value) if answer else [] for answer in answers] for subject in trial.gradients}
    return {subject: max(map(_noise, zip(*row, strict=False)), default=0.0) for subject, row in rows.items()}


def _noise(values: Sequence[Any]) -> float:
    if not all(is_differentiable(value) and value.shape == values[0].shape for value in values):
        return 0.0
    fourth = torch.diff(torch.stack([value.detach() for value in values]), n=4, dim=0)
    return largest(fourth.abs().square().mean(0).div(70).sqrt())


def _largest(value: Any) -> float:
    return max((largest(leaf) for leaf in leaves(value) if isinstance(leaf, Tensor)), default=0.0)
