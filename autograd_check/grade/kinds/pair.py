"""Checks of a `Pair`: the order of `verify.check`, then the refusals."""

from __future__ import annotations

from torch import Generator

from autograd_check.course.spec import Pair, Probe
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, draw, kind_of
from autograd_check.grade.kinds.refusals import refusals
from autograd_check.run.policy import operations_used
from autograd_check.verify.case import Case, PairNames, draw_cotangent
from autograd_check.verify.check import check_pair, lost_process
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status


@check_task.register
def check(task: Pair, context: Context) -> list[Finding]:
    """Contract, autograd of the oracle and finite differences on every probe; refusals last."""
    names = PairNames(task.forward, task.backward, task.wrt, task.oracle, task.leaves)
    cases = [_case(probe, context.seed + number) for number, probe in enumerate(task.probes)]
    findings = check_pair(
        context.candidate,
        names,
        cases,
        seed=context.seed,
        explain=context.explain,
        directions=context.directions,
    )
    if any(finding.check in ("loads", "defined") or finding.status is Status.TODO or lost_process(finding) for finding in findings):
        return findings
    return findings + forbidden_operations(names, cases[0], context) + refusals(task.forward, task.refuses, context)


def forbidden_operations(names: PairNames, case: Case, context: Context) -> list[Finding]:
    """What really ran, whatever it was called in the source: a forbidden operation costs what the function computes."""
    if names.oracle is None:
        return []
    out = names.oracle(*case.point.primals.values(), **case.point.hyper)
    dout = draw_cotangent(out, Generator().manual_seed(context.seed))
    findings = []
    for backward, subjects in ((None, ("out",)), (names.backward, tuple(f"d{name}" for name in names.wrt))):
        outcome = context.candidate.operations(names.forward, case.point, backward, dout if backward else None)
        used = operations_used(outcome.value or (), context.forbids) if outcome.ok else ()
        if used:
            function = backward or names.forward
            text = f"{function} runs the operation {used[0]}, which is what this lesson asks you to write"
            diagnosis = Diagnosis("forbidden_operation", text, {"operations": list(used)})
            findings += [
                Finding("allowed operations", subject, case.name, Status.FAILED, text, kind_of(subject), None, diagnosis)
                for subject in subjects
            ]
            break
    return findings


def _case(probe: Probe, seed: int) -> Case:
    convention = (probe.convention.cause, probe.convention.says) if probe.convention else None
    return Case(probe.name, draw(probe, seed), convention)
