"""Checks of a `Plain` function: its value against the oracle's, leaf by leaf."""

from __future__ import annotations

from functools import partial
from typing import Any

from autograd_check.causes import Cause
from autograd_check.course.spec import Plain, Probe
from autograd_check.diagnose.evidence import Evidence
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, draw, failed_call, float64, unchanged, unusable
from autograd_check.grade.kinds.refusals import refusals
from autograd_check.grade.known_mistakes import flat_value
from autograd_check.run.operations import SINGLE
from autograd_check.verify.candidate import Point
from autograd_check.verify.contract import plain_number, shape_text, type_text
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, aggregate, failed, passed
from autograd_check.verify.precision import rounds_to_single
from autograd_check.verify.tensors import compare, is_tensor, leaves, map_tensors, mismatch_text, named_leaves, same_structure


@check_task.register
def check(task: Plain, context: Context) -> list[Finding]:
    """The value on every probe; arguments unchanged; refusals last."""
    bad = unusable(context.candidate, task.functions)
    if bad:
        return bad
    findings: list[Finding] = []
    wrong: list[Evidence] = []
    for number, probe in enumerate(task.probes):
        # the same points for all files: what the known mistakes give there is computed once
        point = context.memo.once(("plain", number, context.seed), [task], partial(draw, probe, context.seed + number))
        arguments = tuple(point.primals.values())
        outcome = context.candidate.call(task.name, arguments, dict(point.hyper))
        if not outcome.ok:
            findings.append(failed_call(task.name, outcome, probe.name))
            continue
        copies = tuple(map_tensors(lambda tensor: tensor.clone(), value) for value in arguments)
        expected = task.oracle(*copies, **point.hyper)
        judged = _judged(outcome.value, expected, probe, task, point, context)
        if any(_is_wrong(finding) for finding in judged):
            wrong.append(_evidence(outcome.value, expected, probe.name, point))
        findings += judged
        findings += unchanged(task.name, outcome, probe.name)
    why = context.explain(wrong)
    findings = [finding.explained(why) if why is not None and _is_wrong(finding) else finding for finding in findings]
    if not any(finding.status is Status.TODO for finding in findings):
        findings += refusals(task.name, task.refuses, context)
    return aggregate(findings)


def _is_wrong(finding: Finding) -> bool:
    """Whether a finding is about numbers that are not the definition's."""
    return finding.status is Status.FAILED and finding.kind is Kind.VALUE and finding.mismatch is not None


def _evidence(got: Any, expected: Any, probe: str, point: Point) -> Evidence:
    """All numbers of a wrong value in one vector, which relations and known mistakes are held against."""
    mine, right = flat_value(got), flat_value(expected)
    return Evidence("out", mine, right, point.primals, point.hyper, right, None, lambda _: {}, {}, probe=probe)


def _judged(got: Any, expected: Any, probe: Probe, task: Plain, point: Point, context: Context) -> list[Finding]:
    """The value on one probe: right, right to float32, another convention, or wrong."""
    found = compare_value(task.name, got, expected, probe.name, task.tolerance, task.absolute)
    if found.status is Status.PASSED:
        return [found]
    if found.mismatch is not None and _right_to_float32(got, expected, task, point, context):
        right = passed("value", found.subject, probe.name, "matches the definition to float32")
        return [_single(task.name, probe.name), right]
    convention = probe.convention
    if convention is None or not convention.covers(found.mismatch):
        return [found]
    text = f"{found.message}: {convention.says}"
    diagnosis = Diagnosis(convention.cause, convention.says)
    return [failed(convention.cause, task.name, probe.name, text, Kind.CONVENTION, mismatch=found.mismatch, diagnosis=diagnosis)]


def _right_to_float32(got: Any, expected: Any, task: Plain, point: Point, context: Context) -> bool:
    """Whether every leaf is right, or as wrong as float32 makes it that takes part inside."""

    def seen() -> bool:
        outcome = context.candidate.operations(task.name, point, returns_cache=False)
        return outcome.ok and SINGLE in outcome.value

    pairs = [(float64(mine), float64(right)) for mine, right in zip(leaves(got), leaves(expected), strict=True)]
    wrong = [pair for pair in pairs if compare(*pair, task.tolerance * pair[1].abs() + task.absolute) is not None]
    return all(rounds_to_single(mine, right, seen) for mine, right in wrong)


def _single(function: str, probe: str) -> Finding:
    text = (
        f"{function} is right to float32 only: look for .float(), float32 or a new tensor without a dtype, or for a small "
        "constant that the definition does not have"
    )
    return failed("keeps float64", function, probe, text, Kind.CONVENTION, Cause.WRONG_DTYPE)


def compare_value(
    function: str, got: Any, expected: Any, probe: str, tolerance: float, absolute: float, subject: str = "out"
) -> Finding:
    """One returned value (a tensor, a number, or a nest of them) against the expected one."""
    if not same_structure(got, expected):
        text = f"{function} returned {type_text(got)}, expected {type_text(expected)}"
        if isinstance(expected, (list, tuple)):
            text = f"{function} returned {_nest(got)}, expected {_nest(expected)}"
        return failed("value", subject, probe, text, Kind.VALUE, Cause.WRONG_SHAPE)
    for (path, mine), (_, right) in zip(named_leaves(got, subject), named_leaves(expected, subject), strict=True):
        if not is_tensor(mine) and not plain_number(mine):
            wanted = "a number" if is_tensor(right) and not right.dim() else type_text(right)
            text = f"{function} returned {type_text(mine)} as {path}, expected {wanted}"
            return failed("value", subject, probe, text, Kind.VALUE, Cause.WRONG_TYPE)
        a, r = float64(mine), float64(right)
        if a.shape != r.shape:
            text = f"{path} has shape {shape_text(a.shape)}, expected {shape_text(r.shape)}"
            return failed("value", subject, probe, text, Kind.VALUE, Cause.WRONG_SHAPE)
        scale = float(r.abs().max()) if r.numel() else 0.0
        mismatch = compare(a, r, tolerance * r.abs() + 1e-3 * tolerance * scale + absolute)
        if mismatch is not None:
            text = f"{path} is wrong: {mismatch_text(mismatch)}"
            says = f"{function} does not return what the definition says."
            return failed("value", subject, probe, text, Kind.VALUE, Cause.FORWARD_WRONG, mismatch=mismatch, says=says)
    return passed("value", subject, probe, "matches the definition")


def _nest(value: Any) -> str:
    return f"a {type(value).__name__} of {len(value)}" if isinstance(value, (list, tuple)) else type_text(value)
