"""Checks of a `Stateful` layer: every call of every run, each with the state that the calls before it have left.

The state itself is never looked at: a wrong one shows in the value of a later call. Code that follows another definition in
use everywhere (a rival) has right values and gradients, and breaks a convention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from autograd_check.course.spec import Convention, Rival, Stateful
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, draw, stopped
from autograd_check.grade.kinds.pair import forbidden_operations
from autograd_check.grade.kinds.refusals import refusals
from autograd_check.verify.candidate import Point, StateAfter
from autograd_check.verify.case import Case, PairNames
from autograd_check.verify.check import check_pair
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status
from autograd_check.verify.strides import non_contiguous_cases
from autograd_check.verify.tree import map_tensors

IN_TURN = "two layers in turn"


@check_task.register
def check(task: Stateful, context: Context) -> list[Finding]:
    """Value and gradients of every call, under the definition or else a rival; refusals last."""
    cases = _cases(task, context.seed)
    findings = _told_apart(_judged(task, task.oracle, cases, context))
    if stopped(findings):
        return findings
    if any(finding.check == "value" and finding.status is Status.FAILED for finding in findings):
        findings = _under_a_rival(task, cases, context) or findings
    names = _names(task, task.oracle)
    unstated = tuple(replace(probe, primals={**probe.primals, "state": lambda _: StateAfter()}) for probe in task.refuses)
    return findings + forbidden_operations(names, cases[0], context) + refusals(task.forward, unstated, context)


def _cases(task: Stateful, seed: int) -> list[Case]:
    cases: list[Case] = []
    for run in task.runs:
        calls: list[Point] = []
        for probe in run.calls:
            point = draw(probe, seed + len(cases))
            convention = (probe.convention.cause, probe.convention.says) if probe.convention else None
            after = Point({**point.primals, "state": StateAfter(tuple(calls))}, point.hyper)
            cases.append(Case(f"{run.name}: {probe.name}", after, convention))
            calls.append(point)
    return [*cases, *_in_turn(cases), *non_contiguous_cases(cases)]


def _in_turn(cases: list[Case]) -> list[Case]:
    """The last call of the first run once more, after another layer, which has another width, was called as often as may be."""
    ordinary = [case for case in cases if case.convention is None]
    runs: dict[str, Case] = {case.name.partition(":")[0]: case for case in ordinary}
    first, *others = runs.values()
    if not others:
        return []
    last, other = first.point.primals["state"], others[0].point.primals["state"]
    state = StateAfter(last.calls, other.calls)
    return [Case(IN_TURN, Point({**first.point.primals, "state": state}, first.point.hyper))]


def _told_apart(findings: list[Finding]) -> list[Finding]:
    """Where nothing is wrong but two layers in turn, their states are mixed up: no formula is to blame."""
    wrong = [finding for finding in findings if finding.status is Status.FAILED and finding.kind is not Kind.CONVENTION]
    if not wrong or any(finding.probe != IN_TURN for finding in wrong):
        return findings
    says = "It is right for one layer alone. With two in turn each must have a state of its own: what you return, not a variable outside."
    return [f.with_diagnosis(Diagnosis("stale_state", says)) if f in wrong else f for f in findings]


def _judged(task: Stateful, oracle: Callable[..., Any], cases: list[Case], context: Context) -> list[Finding]:
    names = _names(task, oracle)
    return check_pair(
        context.candidate,
        names,
        cases,
        seed=context.seed,
        explain=context.explain,
        directions=context.directions,
        uses_single=context.uses_single(names),
    )


def _names(task: Stateful, oracle: Callable[..., Any]) -> PairNames:
    """The pair of functions with an oracle that goes through the calls before, and gives the last one's value."""

    def out(*arguments: Any, **hyper: Any) -> Any:
        *primals, after = arguments
        state = None
        for point in after.calls:
            copies = [map_tensors(lambda tensor: tensor.detach().clone(), value) for value in point.primals.values()]
            _, state = oracle(*copies, state, **point.hyper)
        return oracle(*primals, state, **hyper)[0]

    return PairNames(task.forward, task.backward, task.wrt, out, task.leaves)


def _under_a_rival(task: Stateful, cases: list[Case], context: Context) -> list[Finding]:
    """What is found under the first rival with which nothing but conventions is wrong; empty where there is none."""
    for rival in task.rivals:
        findings = _judged(task, rival.oracle, cases, context)
        if all(finding.status is not Status.FAILED or finding.kind is Kind.CONVENTION for finding in findings):
            return [*findings, _rival_finding(task.forward, rival)]
    return []


def _rival_finding(function: str, rival: Rival) -> Finding:
    convention: Convention = rival.convention
    text = f"everything is right for another definition: {convention.says}"
    diagnosis = Diagnosis(convention.cause, convention.says)
    return Finding("definition", function, "", Status.FAILED, text, Kind.CONVENTION, None, diagnosis)
