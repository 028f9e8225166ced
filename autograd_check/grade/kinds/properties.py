"""Checks of `Properties`: a lesson's own claims, in order; after the first that fails the rest is skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograd_check.causes import Cause
from autograd_check.course.spec import Properties, Property, Unanswered
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, unchanged, unusable
from autograd_check.requests import Candidate
from autograd_check.verify.candidate import Failure, Outcome
from autograd_check.verify.contract import failure_finding
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, failed, passed


@check_task.register
def check(task: Properties, context: Context) -> list[Finding]:
    """One finding for each claim."""
    findings: list[Finding] = []
    bad = unusable(context.candidate, task.functions)
    if bad:
        return bad
    watched = _Watched(context.candidate)
    for claim in task.properties:
        # a convention that is broken says nothing about what follows it
        blocking = [f for f in findings if f.status.severity >= Status.TODO.severity and f.kind is not Kind.CONVENTION]
        if blocking and blocking[0].status is Status.TODO:
            break
        if blocking:
            text = f"not checked: {blocking[0].check} does not hold"
            findings.append(Finding(claim.check, claim.subject, "", Status.SKIPPED, text, _kind(claim)))
            continue
        findings.append(_judge(claim, watched, context.seed, task.functions))
    return findings + watched.findings[:1]


class _Watched:
    """The candidate of the claims; notes a call that changed its arguments, which no claim looks at."""

    def __init__(self, candidate: Candidate) -> None:
        self._candidate = candidate
        self.findings: list[Finding] = []

    def call(self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Outcome:
        """See `Candidate.call`."""
        outcome = self._candidate.call(function, args, kwargs)
        self.findings += unchanged(function, outcome, "")
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self._candidate, name)


def _kind(claim: Property) -> Kind:
    if claim.convention:
        return Kind.CONVENTION
    return Kind.GRADIENT if claim.subject.startswith("d") else Kind.VALUE


def _judge(claim: Property, candidate: Any, seed: int, functions: tuple[str, ...]) -> Finding:
    try:
        answer = claim.test(candidate, seed)
    except Unanswered as unanswered:
        failure = unanswered.args[0] if unanswered.args else None
        if not isinstance(failure, Failure):
            failure = Failure(Cause.CRASHED, str(failure or "no value came back"))
        function = unanswered.args[1] if len(unanswered.args) > 1 else functions[0]
        return failure_finding(claim.check, claim.subject, "", function, failure, _kind(claim))
    except (TypeError, ValueError, RuntimeError, AttributeError, LookupError) as error:
        # a claim calculates with whatever came back, and does not foresee every form that this may have
        says = f"{functions[0]} returned something of another form than its docstring says ({type(error).__name__}: {error})."
        diagnosis = Diagnosis(Cause.WRONG_SHAPE, says)
        return failed(claim.check, claim.subject, "", says, _kind(claim), diagnosis=diagnosis)
    if answer.holds:
        return passed(claim.check, claim.subject, "", answer.says, _kind(claim))
    diagnosis = Diagnosis(Cause.named(answer.cause), answer.says, dict(answer.evidence))
    return failed(claim.check, claim.subject, "", answer.says, _kind(claim), mismatch=answer.mismatch, diagnosis=diagnosis)
