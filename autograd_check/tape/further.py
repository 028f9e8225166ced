"""What a call of `gradcheck` asks for beside the check of a pair, and the checks of it: what only a callable under autograd can get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from autograd_check.causes import Cause
from autograd_check.tape.cotangents import TapeCandidate, check_batched, check_undefined
from autograd_check.tape.forward_mode import ForwardCheck, check_batched_forward
from autograd_check.verify.candidate import Point
from autograd_check.verify.check import Pair
from autograd_check.verify.contract import check_forward_repeatable, failure_finding
from autograd_check.verify.finding import Finding, Kind, Status, failed, passed, root_subject, skipped
from autograd_check.verify.tensors import is_tensor, leaves
from autograd_check.verify.tolerances import NO_LEAVE, Leave
from autograd_check.verify.trial import Case, PairNames, Reference, Trial, cotangents_of, parts

GIVEN = "the given point"
"""What the one case of a callable is called."""


@dataclass(frozen=True)
class Asked:
    """What a call of `gradcheck` asks for: the checks, and what the user grants."""

    backward: bool = True
    forward: bool = False
    undefined: bool = True
    dtypes: bool = False
    batched: bool = False
    batched_forward: bool = False
    masked: bool = False
    leave: Leave = NO_LEAVE
    oracle: Callable[..., Any] | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Raises `ValueError` for a check that cannot be done without another one that is switched off."""
        if not (self.forward or self.backward):
            raise ValueError(
                "nothing is left to check: set check_backward_ad or check_forward_ad (check_rev_over_rev, check_fwd_over_rev)"
            )
        if self.batched and not self.backward:
            raise ValueError("check_batched_grad needs check_backward_ad (check_rev_over_rev)")
        if self.batched_forward and not self.forward:
            raise ValueError("check_batched_forward_grad needs check_forward_ad")


@dataclass(frozen=True)
class Further:
    """The checks that `gradcheck` was asked for beside that of a pair."""

    candidate: TapeCandidate
    asked: Asked

    def __call__(self, trial: Trial, pair: Pair, findings: Sequence[Finding]) -> Iterator[Finding]:
        """After the checks of a pair."""
        names, point = pair.names, trial.case.point
        if not trial.gradients:
            return
        if self.asked.dtypes:
            yield from _dtypes(trial, names)
        linear = not any(finding.check == "linear in dout" and finding.status is Status.FAILED for finding in findings)
        if self.asked.undefined and not linear:
            for subject in names.gradients:
                yield skipped("undefined gradients", subject, "", "the backward is not linear in its cotangent")
        elif self.asked.undefined:
            yield from check_undefined(self.candidate, names, trial, pair.rounding(trial))
        if self.asked.batched:
            yield from check_batched(self.candidate, names, point, trial.douts[:2])
        wrong = {root_subject(finding.subject) for finding in findings if finding.status is not Status.PASSED}
        gradients = {g.primal: g.value for g in trial.gradients.values() if g.subject not in wrong}
        yield from self._forward_mode(trial, pair, gradients)

    def alone(self, pair: Pair) -> Iterator[Finding]:
        """Forward mode, where nobody asks for a backward."""
        names, point = pair.names, pair.points[0]
        runs = [self.candidate.vjp(names.forward, names.backward, at, []) for at in (Point(dict(point.primals)), point)]
        if runs[1].failure is not None:
            yield failure_finding("runs", "out", GIVEN, names.forward, runs[1].failure, Kind.VALUE)
            return
        again, out = (run.value[0] if run.value is not None else None for run in runs)
        douts = cotangents_of(out, pair.seed * 1009, full=False)
        trial = Trial(Case(GIVEN, point), Reference(again, {}, None, {}), douts, out, (), None, None)
        yield from check_forward_repeatable(trial, self.asked.leave)
        yield from self._forward_mode(trial, pair, {})

    def _forward_mode(self, trial: Trial, pair: Pair, gradients: Mapping[str, Any]) -> Iterator[Finding]:
        if self.asked.forward:
            probe, single = pair.probe(trial, pair.names.wrt), partial(pair.uses_single, trial)
            leave, undefined = self.asked.leave, self.asked.undefined
            yield from ForwardCheck(self.candidate, probe, gradients, pair.explain.suspect, single, leave, undefined).findings()
            if self.asked.batched_forward:
                yield from check_batched_forward(self.candidate, trial.case.point, pair.names.wrt, pair.seed)


def _dtypes(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """Every gradient has the dtype of its input."""
    for gradient in trial.gradients.values():
        primals = leaves(trial.case.point.primals[gradient.primal])
        for (path, got), want in zip(parts(gradient.value, gradient.subject, names), primals, strict=True):
            if is_tensor(got) and is_tensor(want) and got.dtype is not want.dtype:
                text = f"{path} is {str(got.dtype)[6:]}, expected {str(want.dtype)[6:]}, the dtype of {path[1:]}"
                yield failed("dtypes", path, "", text, Kind.GRADIENT, Cause.WRONG_DTYPE)
                return
    for subject in names.gradients:
        yield passed("dtypes", subject, "", "every gradient has the dtype of its input", Kind.GRADIENT)
