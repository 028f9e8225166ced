"""Checks of a `Stateful` layer: every call of every run, each with the state that the calls before it have left.

The state itself is never looked at: a wrong one shows in the value of a later call. Code that follows another definition in
use everywhere (a rival) has right values and gradients, and breaks a convention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from autograd_check.causes import Cause
from autograd_check.course.spec import Convention, Rival, Stateful
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, draw, kind_of, stopped
from autograd_check.grade.kinds.edges import Edge, case_of, check_cases, non_contiguous_cases
from autograd_check.grade.kinds.layer import forbidden_operations, watched_runs
from autograd_check.grade.kinds.refusals import refusals
from autograd_check.requests import StateAfter
from autograd_check.verify.candidate import Point, Question
from autograd_check.verify.contract import check_out_form, failure_finding
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, failed
from autograd_check.verify.tensors import map_tensors
from autograd_check.verify.trial import Case, PairNames, try_case
from autograd_check.verify.values import check_gradient, check_out


@check_task.register
def check(task: Stateful, context: Context) -> list[Finding]:
    """Value and gradients of every call, under the definition or else a rival; refusals last."""
    cases = context.memo.once("cases", [task], lambda: _cases(task, context.seed))
    findings = _judged(task, task.oracle, cases, context)
    if stopped(findings):
        return findings
    if any(finding.check == "value" and finding.status is Status.FAILED for finding in findings):
        findings = _under_a_rival(task, cases, context) or findings
    names, watched = _names(task, task.oracle, context), _watched(task, cases, context)
    unstated = tuple(replace(probe, primals={**probe.primals, "state": lambda _: StateAfter()}) for probe in task.refuses)
    context.candidate.expect(watched)
    used = forbidden_operations(names, cases[0].name, watched, context)
    return findings + used + refusals(task.forward, unstated, context)


def _watched(task: Stateful, cases: list[Case], context: Context) -> Sequence[Question]:
    names = _names(task, task.oracle, context)
    return context.memo.once("watched", [task, cases[0].point], lambda: watched_runs(names, cases[0], context))


def _cases(task: Stateful, seed: int) -> list[Case]:
    cases: list[Case] = []
    for run in task.runs:
        calls: list[Point] = []
        for probe in run.calls:
            point = draw(probe, seed + len(cases))
            after = Point({**point.primals, "state": StateAfter(tuple(calls))}, point.hyper)
            cases.append(case_of(probe, f"{run.name}: {probe.name}", after))
            calls.append(point)
    return cases


def _in_turn(cases: list[Case]) -> list[Case]:
    """The last call of the first run once more, after another layer, which has another width, was called as often as may be."""
    ordinary = [case for case in cases if not isinstance(case, Edge)]
    runs: dict[str, Case] = {case.name.partition(":")[0]: case for case in ordinary}
    first, *others = runs.values()
    if not others:
        return []
    last, other = first.point.primals["state"], others[0].point.primals["state"]
    state = StateAfter(last.calls, other.calls)
    return [Case("two layers in turn", Point({**first.point.primals, "state": state}, first.point.hyper))]


def _mixed_up(task: Stateful, oracle: Callable[..., Any], cases: list[Case], context: Context) -> Iterator[Finding]:
    """Two layers in turn, for code that is right for one layer alone: where it is wrong now, it mixes up their states."""
    says = "It is right for one layer alone. With two in turn each must have a state of its own: what you return, not a variable outside."
    means, names = Diagnosis(Cause.STALE_STATE, says), _names(task, oracle, context)
    for case in context.memo.once("in turn", [task], lambda: _in_turn(cases)):
        trial = try_case(context.candidate, names, case, seed=context.seed, full=False, memo=context.memo)
        failure = trial.forward_failure or trial.backward_failure
        if failure is not None:
            function, subjects = (names.backward, []) if trial.forward_failure is None else (names.forward, ["out"])
            for subject in [*subjects, *(f"d{name}" for name in task.wrt)]:
                yield failure_finding("runs", subject, case.name, function, failure, kind_of(subject), means)
            continue
        found = list(check_out_form(trial, names)) or list(check_out(trial, names, context.uses_single(names)))
        for gradient in trial.gradients.values():
            found += check_gradient(gradient, trial, names, context.uses_single(names))
        yield from (f if f.diagnosis else f.explained(means) for f in found if f.status is Status.FAILED)


def _judged(task: Stateful, oracle: Callable[..., Any], cases: list[Case], context: Context) -> list[Finding]:
    names = _names(task, oracle, context)
    more = context.memo.once("non-contiguous cases", [task], lambda: list(non_contiguous_cases(cases)))
    findings = check_cases(names, [*cases, *more], context, memo=context.memo)
    wrong = any(finding.status is Status.FAILED and finding.kind is not Kind.CONVENTION for finding in findings)
    return findings if wrong or stopped(findings) else [*findings, *_mixed_up(task, oracle, cases, context)]


def _names(task: Stateful, oracle: Callable[..., Any], context: Context) -> PairNames:
    """The pair of functions with an oracle of single calls; the same one each time, since what it answers is kept."""
    single = context.memo.once("single calls", [oracle], lambda: single_calls(oracle))
    return PairNames(task.forward, task.backward, task.wrt, single, task.leaves)


def single_calls(oracle: Callable[..., Any]) -> Callable[..., Any]:
    """An oracle that goes through the calls before, and gives the last one's value."""

    def out(*arguments: Any, **hyper: Any) -> Any:
        *primals, after = arguments
        state = None
        for point in after.calls:
            copies = [map_tensors(lambda tensor: tensor.detach().clone(), value) for value in point.primals.values()]
            _, state = oracle(*copies, state, **point.hyper)
        return oracle(*primals, state, **hyper)[0]

    return out


def _under_a_rival(task: Stateful, cases: list[Case], context: Context) -> list[Finding]:
    """What is found under the first rival with which nothing but conventions is wrong; empty where there is none."""
    unexplained = replace(context, explains=False)  # where more than conventions is wrong the rival is forgotten
    for rival in task.rivals:
        findings = _judged(task, rival.oracle, cases, unexplained)
        if all(finding.status is not Status.FAILED or finding.kind is Kind.CONVENTION for finding in findings):
            return [*findings, _rival_finding(task.forward, rival)]
    return []


def _rival_finding(function: str, rival: Rival) -> Finding:
    convention: Convention = rival.convention
    text = f"everything is right for another definition: {convention.says}"
    diagnosis = Diagnosis(convention.cause, convention.says)
    return failed("definition", function, "", text, Kind.CONVENTION, diagnosis=diagnosis)
