"""Gradients that are nothing but rounding: 1e-17 where the function is constant, and something else after the last bit of x.

Sums of probabilities, x − log(exp(x)) and the like are constant; their gradients cancel to a few roundings of numbers that
nobody sees from outside. Such a rest is not linear in anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.case import PairNames, combine
from autograd_check.verify.finding import Finding, Status
from autograd_check.verify.oracle import nudged
from autograd_check.verify.scale import largest
from autograd_check.verify.tree import is_tensor, leaves, map_tensors
from autograd_check.verify.trial import ALPHA, BETA, Trial, unpack

LINEAR = "linear in dout"
NUDGES = 3
SAFETY = 8.0
"""How many times the change of a gradient by a nudge of its primals counts as the same rounding."""


def without_noise(candidate: PairCandidate, names: PairNames, trial: Trial, findings: Sequence[Finding]) -> list[Finding]:
    """The findings of a trial without those of nonlinearity where a nudge of primals and cotangent by some ulps changes as much.

    A backward that is not repeatable is not excused.
    """
    doubted = {f.subject for f in findings if f.check == LINEAR and f.status is Status.FAILED and _repeats(trial, f.subject)}
    if not doubted:
        return list(findings)
    spread = _spread(candidate, names, trial)
    noise = {subject for subject in doubted if _bend(trial, subject) <= SAFETY * spread.get(subject, 0.0)}
    return [f for f in findings if f.check != LINEAR or f.subject not in noise]


def _repeats(trial: Trial, subject: str) -> bool:
    if len(trial.unpacked) < 5:
        return False
    pairs = zip(leaves(trial.unpacked[0][subject].value), leaves(trial.unpacked[4][subject].value), strict=False)
    return all(not is_tensor(a) or (is_tensor(b) and torch.equal(a, b)) for a, b in pairs)


def _bend(trial: Trial, subject: str) -> float:
    """The largest entry of v(αd₁ + βd₂) − αv(d₁) − βv(d₂) and of v(0)."""
    one, two, both, none = (answer[subject].value for answer in trial.unpacked[:4])
    return max(_largest(combine(1.0, both, -1.0, combine(ALPHA, one, BETA, two))), _largest(none))


def _spread(candidate: PairCandidate, names: PairNames, trial: Trial) -> dict[str, float]:
    """How far each gradient moves when all primals and the cotangent move by a few units in their last place."""
    generator, point = Generator().manual_seed(314), trial.case.point

    def nudge(value: Any) -> Any:
        return map_tensors(lambda tensor: nudged(tensor, generator), value)

    found: dict[str, float] = {}
    for _ in range(NUDGES):
        moved = Point({name: nudge(value) for name, value in point.primals.items()}, point.hyper)
        outcome = candidate.vjp(names.forward, names.backward, moved, [nudge(dout) for dout in trial.douts[:3]])
        answers = outcome.value[1] if outcome.ok and outcome.value is not None else []
        for before, answer in zip(trial.unpacked, answers, strict=False):
            for subject, gradient in (unpack(answer, names.wrt) or {}).items():
                change = _change(before[subject].value, gradient.value)
                found[subject] = max(found.get(subject, 0.0), change)
    return found


def _change(before: object, after: object) -> float:
    pairs = zip(leaves(before), leaves(after), strict=False)
    return max((largest(b - a) for a, b in pairs if _comparable(a, b)), default=0.0)


def _comparable(a: object, b: object) -> bool:
    return isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape


def _largest(value: object) -> float:
    return max((largest(leaf) for leaf in leaves(value) if isinstance(leaf, Tensor)), default=0.0)
