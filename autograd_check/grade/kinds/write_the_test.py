"""Checks of `WriteTheTest`: the student's test is put to the test, with planted bugs to catch and right code to accept.

One finding for every specimen. A test that gives all of them one answer knows nothing, so then its lucky answers do not
count. An exception out of the test rejects the specimen, as in any test runner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from autograd_check.causes import Cause
from autograd_check.course.spec import Specimen, WriteTheTest
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, failed_call, unusable
from autograd_check.requests import Code, Seed
from autograd_check.verify.candidate import Failure, Outcome
from autograd_check.verify.contract import type_text
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, failed, passed
from autograd_check.verify.tensors import is_tensor

REJECTING = (Cause.CRASHED, Cause.WRONG_ARITY)
"""Causes of failures that reject a specimen; all others (no time left, not written) are no verdict."""


@dataclass(frozen=True)
class Verdicts:
    """What the student's test said about one specimen, once for each generator: True, False, or why neither.

    `raised` is the first exception that rejected it, `problem` the first answer that is no verdict.
    """

    specimen: Specimen
    given: tuple[bool, ...]
    raised: Failure | None = None
    problem: Finding | None = None

    @property
    def accepted(self) -> int:
        """How often it was accepted."""
        return sum(self.given)

    @property
    def right(self) -> bool:
        """Whether every verdict was the right one."""
        wanted = not self.specimen.says
        return self.problem is None and all(verdict == wanted for verdict in self.given)


@check_task.register
def check(task: WriteTheTest, context: Context) -> list[Finding]:
    """First the right implementations, then the planted bugs."""
    bad = unusable(context.candidate, task.functions)
    if bad:
        return bad
    every: list[Verdicts] = []
    for number, specimen in enumerate([*task.right, *task.wrong]):
        every.append(_verdicts(task, specimen, context, context.seed * 1009 + 31 * number))
        problem = every[-1].problem
        if problem is not None and problem.status is Status.TODO:
            return [problem]
    same = _one_answer(every)
    return [_finding(task, verdicts, same) for verdicts in every]


def _verdicts(task: WriteTheTest, specimen: Specimen, context: Context, seed: int) -> Verdicts:
    functions = [Code(name, specimen.source) for name in task.handed]
    given: list[bool] = []
    raised: Failure | None = None
    for repeat in range(task.repeats):
        outcome = context.candidate.call(task.name, functions, {"generator": Seed(seed + repeat)})
        verdict = _verdict(outcome)
        if verdict is None:
            return Verdicts(specimen, tuple(given), raised, _no_verdict(task, specimen, outcome))
        raised = raised or outcome.failure
        given.append(verdict)
    return Verdicts(specimen, tuple(given), raised)


def _verdict(outcome: Outcome) -> bool | None:
    """True where the specimen is accepted, False where it is rejected, None where the call said neither."""
    if outcome.failure is not None:
        return False if outcome.failure.cause in REJECTING else None
    value: Any = outcome.value
    if is_tensor(value) and value.dtype is torch.bool and value.numel() == 1:
        return bool(value)
    return value if isinstance(value, bool) else None


def _check(specimen: Specimen) -> str:
    return "catches" if specimen.says else "accepts"


def _no_verdict(task: WriteTheTest, specimen: Specimen, outcome: Outcome) -> Finding:
    if outcome.failure is not None:
        return failed_call(task.name, outcome, specimen.name, specimen.name)
    text = f"{task.name} returned {type_text(outcome.value)}, expected True or False"
    diagnosis = Diagnosis(Cause.RETURNS_NONE if outcome.value is None else Cause.WRONG_TYPE, text)
    return failed(_check(specimen), specimen.name, "", text, diagnosis=diagnosis)


def _one_answer(every: list[Verdicts]) -> bool | None:
    """The verdict that all specimens got, whatever they were; None where there were two kinds."""
    given = {verdict for verdicts in every for verdict in verdicts.given}
    return given.pop() if len(given) == 1 else None


def _finding(task: WriteTheTest, verdicts: Verdicts, same: bool | None) -> Finding:
    specimen = verdicts.specimen
    if verdicts.problem is not None:
        return verdicts.problem
    if verdicts.right and same is not None:
        text = f"not counted: {task.name} {'accepts' if same else 'rejects'} everything"
        return Finding(_check(specimen), specimen.name, "", Status.SKIPPED, text, Kind.VALUE)
    if verdicts.right:
        text = "the planted bug is caught" if specimen.says else "this right implementation is accepted"
        return passed(_check(specimen), specimen.name, "", text)
    return _missed(task, verdicts) if specimen.says else _false_alarm(task, verdicts)


def _often(times: int, of: int) -> str:
    return "" if times == of else f" with {times} of {of} generators"


def _missed(task: WriteTheTest, verdicts: Verdicts) -> Finding:
    specimen, times, of = verdicts.specimen, verdicts.accepted, len(verdicts.given)
    text = f"{task.name} accepts{_often(times, of)} an implementation that {specimen.says}"
    says = (
        "Where does it differ from right code: in what it returns (for which arguments, and by how much), or in what it does to its "
        "arguments? Let your test look there."
    )
    if times < of:
        says = "Your test found it only by luck: it needs more inputs, or a closer look at each."
    diagnosis = Diagnosis(Cause.MISSED_BUG, says, {"accepted": times, "of": of})
    return failed("catches", specimen.name, "", text, diagnosis=diagnosis)


def _false_alarm(task: WriteTheTest, verdicts: Verdicts) -> Finding:
    specimen, of = verdicts.specimen, len(verdicts.given)
    times, raised = of - verdicts.accepted, verdicts.raised
    text = f"{task.name} rejects{_often(times, of)} a right implementation: {specimen.name}"
    evidence: dict[str, Any] = {"rejected": times, "of": of}
    if raised is not None and raised.exception != "AssertionError":
        says = f"It raised {raised.exception or 'an error'}: {raised.says}"
        evidence |= {"exception": raised.exception, "where": raised.where, "trace": raised.trace}
        diagnosis = Diagnosis(Cause.CRASHED, says, evidence)
    else:
        says = (
            "Right code may compute in another order or style, so its last digits differ and its cache can be anything: "
            "compare with a tolerance, and only what the definition promises."
        )
        diagnosis = Diagnosis(Cause.FALSE_ALARM, says, evidence)
    return failed("accepts", specimen.name, "", text, diagnosis=diagnosis)
