"""What goes beyond the idea of a lesson: one finding for each group of probes, beside the verdict on everything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autograd_check.causes import Cause
from autograd_check.course.spec import Layer, Reach
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import draw
from autograd_check.grade.kinds.edges import comparable
from autograd_check.verify.contract import failure_finding
from autograd_check.verify.finding import Finding, Kind, Status, failed, passed, skipped
from autograd_check.verify.trial import Case, PairNames, Trial, try_case
from autograd_check.verify.values import check_gradient, check_out

SEED = 4001
"""Added to the seed: points that no other probe is drawn at."""


def reaches(task: Layer, names: PairNames, context: Context, wrong: bool) -> list[Finding]:
    """One finding "reach: NAME" for every group of the task; none of them is looked at where the plain case is `wrong`."""
    kept = context.memo.once("reaches", [task], lambda: [_cases(reach, context.seed + SEED) for reach in task.reaches])
    return [_reach(*each, names, context, wrong) for each in zip(task.reaches, kept, strict=True)]


def _cases(reach: Reach, seed: int) -> list[Case]:
    return [Case(probe.name, draw(probe, seed + number)) for number, probe in enumerate(reach.probes)]


def _reach(reach: Reach, cases: Sequence[Case], names: PairNames, context: Context, wrong: bool) -> Finding:
    check, kind = f"reach: {reach.name}", Kind.REACH
    if wrong:
        return skipped(check, names.forward, "", "the plain case is not right yet", kind)
    for case in cases:
        trial = try_case(context.candidate, names, case, seed=context.seed + SEED, full=False, memo=context.memo)
        for bad in _differences(trial, names, context):
            # what takes these arguments and then loses a path is told so: that they are not taken would be untrue
            says = f"{reach.name}: out is right there, and {bad.subject} is not" if bad.subject in trial.gradients else reach.says
            text = f"{says} ({bad.message})"
            evidence = {"subject": bad.subject}
            return failed(
                check, names.forward, case.name, text, kind, Cause.NOT_GENERAL, mismatch=bad.mismatch, evidence=evidence
            )
    return passed(check, names.forward, cases[0].name, f"takes {reach.name}", kind)


def _differences(trial: Trial, names: PairNames, context: Context) -> Iterator[Finding]:
    """What is wrong on one probe: a call that fails, a value, a gradient."""
    for function, failure in ((names.forward, trial.forward_failure), (names.backward, trial.backward_failure)):
        if failure is not None:
            yield failure_finding("runs", function, trial.case.name, function, failure, Kind.REACH)
            return
    single = context.uses_single(names)
    found = [*check_out(trial, names, single)] if comparable(trial) else [_other_shape(trial, names)]
    found += [f for gradient in trial.gradients.values() for f in check_gradient(gradient, trial, names, single)]
    yield from (f for f in found if f.status is Status.FAILED and f.kind is not Kind.CONVENTION)


def _other_shape(trial: Trial, names: PairNames) -> Finding:
    got, expected = (tuple(getattr(value, "shape", ())) for value in (trial.out, trial.reference.out))
    text = f"out has shape {got}, expected {expected}"
    return failed("shape", "out", trial.case.name, text, Kind.VALUE, Cause.WRONG_SHAPE)
