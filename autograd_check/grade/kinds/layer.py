"""Checks of a `Layer`: the order of `verify.check`, then the refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.course.spec import Layer
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, draw, kind_of, stopped
from autograd_check.grade.kinds.edges import case_of, check_cases, non_contiguous_cases
from autograd_check.grade.kinds.reaches import reaches
from autograd_check.grade.kinds.refusals import refusals
from autograd_check.grade.kinds.speed import check_speed
from autograd_check.run.operations import AUTOGRAD, NUMERIC
from autograd_check.run.policy import operations_used
from autograd_check.verify.candidate import Point, Question
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, failed
from autograd_check.verify.tensors import compare
from autograd_check.verify.tolerances import gradient_tolerance
from autograd_check.verify.trial import Case, PairNames, draw_cotangent

_BROKEN = {
    AUTOGRAD: "runs with gradients enabled; the gradient is to be derived by hand, without automatic differentiation",
    NUMERIC: (
        "evaluates the forward a small step to either side of its input: these are finite differences, which are only "
        "nearly right; derive the gradient by hand"
    ),
}
_ANSWER = "runs the operation {}, which is what this lesson asks you to write"


@check_task.register
def check(task: Layer, context: Context) -> list[Finding]:
    """Contract, autograd of the oracle and finite differences on every probe; refusals last."""
    cases = context.memo.once("cases", [task], lambda: _cases(task, context.seed))
    oracle = _definition(task, cases[0].point, context)
    names = PairNames(task.forward, task.backward, task.wrt, oracle, task.leaves)
    watched = context.memo.once("watched", [task, oracle, cases[0].point], lambda: watched_runs(names, cases[0], context))
    findings = check_cases(names, cases, context, memo=context.memo, later=watched)
    if stopped(findings):
        return findings
    used = forbidden_operations(names, cases[0].name, watched, context)
    wrong = any(finding.status is Status.FAILED and finding.kind is not Kind.CONVENTION for finding in findings)
    timed = [] if wrong else check_speed(task, context)  # what is wrong need not be fast
    beyond = reaches(task, names, context, wrong)
    return used + findings + timed + refusals(task.forward, task.refuses, context) + beyond


def _definition(task: Layer, point: Point, context: Context) -> Callable[..., Any]:
    """The reading of the lesson's definition that the code follows; the lesson's own where it follows none."""
    if not task.readings:
        return task.oracle
    outcome = context.candidate.sweep(task.forward, [point])
    out = outcome.value[0][0] if outcome.value else None
    for reading in (task.oracle, *task.readings):
        expected = reading(*point.primals.values(), **point.hyper)
        if (
            isinstance(out, Tensor)
            and out.shape == expected.shape
            and compare(out, expected, gradient_tolerance(expected)) is None
        ):
            return reading
    return task.oracle


def watched_runs(names: PairNames, case: Case, context: Context) -> tuple[Question, ...]:
    """The forward alone, then with its backward, under the eyes of the grader: see `Candidate.operations`."""
    if names.oracle is None:
        return ()
    out = names.oracle(*case.point.primals.values(), **case.point.hyper)
    dout = draw_cotangent(out, Generator().manual_seed(context.seed))
    given = {"forward": names.forward, "point": case.point, "returns_cache": True}
    alone, whole = {**given, "backward": None, "dout": None}, {**given, "backward": names.backward, "dout": dout}
    return Question("operations", alone), Question("operations", whole)


def forbidden_operations(names: PairNames, where: str, watched: Sequence[Question], context: Context) -> list[Finding]:
    """What really ran, whatever it was called in the source: a forbidden operation costs what the function computes."""
    findings = []
    for question, subjects in zip(watched, (("out",), names.gradients), strict=False):
        outcome = context.candidate.ask(question)
        used = operations_used(outcome.value or (), context.forbids) if outcome.ok else ()
        if used:
            function = question.given["backward"] or names.forward
            text = f"{function} {_BROKEN.get(used[0], _ANSWER.format(used[0]))}"
            cause = Cause.NUMERIC_DIFFERENTIATION if NUMERIC in used else Cause.FORBIDDEN_OPERATION
            diagnosis = Diagnosis(cause, text, {"operations": list(used)})
            findings += [
                failed("allowed operations", subject, where, text, kind_of(subject), diagnosis=diagnosis) for subject in subjects
            ]
            break
    return findings


def _cases(task: Layer, seed: int) -> list[Case]:
    """Every probe, then every rank once more in other memory: last, so that finite differences are not spent on those."""
    cases = [case_of(probe, probe.name, draw(probe, seed + number)) for number, probe in enumerate(task.probes)]
    return [*cases, *non_contiguous_cases(cases)]
