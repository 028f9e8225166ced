"""What goes beyond the idea of a lesson: one finding for each group of probes, beside the verdict on everything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autograd_check.causes import Cause
from autograd_check.course.spec import Layer, Reach
from autograd_check.diagnose.counterfactuals import another_setting
from autograd_check.diagnose.evidence import evidence
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import draw
from autograd_check.grade.kinds.edges import comparable
from autograd_check.verify.contract import failure_finding
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, failed, passed, skipped
from autograd_check.verify.trial import Case, PairNames, Trial, UsesSingle, try_case
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
    trials = [try_case(context.candidate, names, case, seed=context.seed + SEED, full=False, memo=context.memo) for case in cases]
    found = [(trial, bad) for trial in trials for bad in _differences(trial, names, context)]
    if not found:
        return passed(check, names.forward, cases[0].name, f"takes {reach.name}", kind)
    trial, bad = found[0]
    text = f"{_says(reach, trials, trial, bad, names, context)} ({bad.message})"
    told = {"subject": bad.subject}
    return failed(check, names.forward, trial.case.name, text, kind, Cause.NOT_GENERAL, mismatch=bad.mismatch, evidence=told)


def _says(reach: Reach, trials: Sequence[Trial], first: Trial, bad: Finding, names: PairNames, context: Context) -> str:
    """What is wrong, as far as it is certain: that arguments are not taken would be untrue where they are taken otherwise."""
    single = context.uses_single(names)
    right = [_right(trial, names, single) for trial in trials]
    wrong = [trial for trial, is_right in zip(trials, right, strict=True) if not is_right]
    other = _other_setting(wrong or trials, "out" if wrong else bad.subject, names, context)
    if other is not None:
        return f"{reach.name}: {other.says.removesuffix('.')}"
    if any(trial is first for trial in wrong):
        return reach.says
    lost = f"{bad.subject} is not" if first.backward_failure is None else f"{names.backward} fails"
    return f"{reach.name}: out is right there, and {lost}"


def _other_setting(trials: Sequence[Trial], subject: str, names: PairNames, context: Context) -> Diagnosis | None:
    """The setting for which the wrong arrays would be right; nothing where no cause is looked for, or a call failed."""
    pieces = [evidence(subject, trial, names, None, True, context.memo) for trial in trials] if context.explains else []
    known = [piece for piece in pieces if piece is not None]
    return another_setting(known) if known and len(known) == len(pieces) else None


def _right(trial: Trial, names: PairNames, single: UsesSingle) -> bool:
    """Whether the forward ran and gave the right value."""
    ran = trial.forward_failure is None and comparable(trial)
    return ran and all(map(_passes, check_out(trial, names, single)))


def _passes(finding: Finding) -> bool:
    return finding.status is not Status.FAILED or finding.kind is Kind.CONVENTION


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
