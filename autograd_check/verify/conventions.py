"""The one check of a convention: a difference on its probe says nothing about the mathematics, up to a point."""

from __future__ import annotations

import cmath
from collections.abc import Collection, Iterator

from autograd_check.causes import Cause
from autograd_check.verify.case import PairNames
from autograd_check.verify.contract import UsesSingle, failure_finding, plain_number
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Mismatch, Status, root_subject
from autograd_check.verify.tree import is_tensor, leaves
from autograd_check.verify.trial import Trial
from autograd_check.verify.values import check_gradient, check_out

OVERFLOWS = (Cause.UNSTABLE, Cause.NOT_FINITE, Cause.MASK_MISSING)
"""Conventions about values so large or small that a formula may overflow on them."""


def check_convention(trial: Trial, names: PairNames, uses_single: UsesSingle, wrong: Collection[str] = ()) -> Iterator[Finding]:
    """A convention's probe: a difference here is a finding about that convention and about nothing else.

    Subjects in `wrong` are wrong on ordinary probes already, so they say nothing about a convention.
    """
    cause, says = trial.case.convention or (Cause.UNKNOWN, "")
    for function, failure in ((names.forward, trial.forward_failure), (names.backward, trial.backward_failure)):
        if failure is not None:
            yield failure_finding(cause, function, trial.case.name, function, failure, Kind.CONVENTION)
            return
    inner = list(check_out(trial, names, uses_single)) if _comparable(trial) else []
    findings = [(names.forward, "out", finding) for finding in inner]
    for gradient in trial.gradients.values():
        findings += [(names.backward, f.subject, f) for f in check_gradient(gradient, trial, names, uses_single)]
    for function, subjects in ((names.forward, {"out"}), (names.backward, {f"d{name}" for name in names.wrt})):
        if subjects <= set(wrong):
            text = f"not checked: {', '.join(sorted(subjects))} is wrong elsewhere"
            yield Finding(cause, function, trial.case.name, Status.SKIPPED, text, Kind.CONVENTION)
            continue
        bad = [
            (subject, finding)
            for name, subject, finding in findings
            if name == function
            and finding.status is Status.FAILED
            and finding.kind is not Kind.CONVENTION
            and root_subject(subject) not in wrong
        ]
        if not bad:
            yield Finding(cause, function, trial.case.name, Status.PASSED, "keeps the convention", Kind.CONVENTION)
            continue
        beyond = [
            finding
            for _, finding in bad
            if not within_reach(finding.mismatch, trial.case.reach, cause)
            or (finding.check == "finite" and cause not in OVERFLOWS)
        ]
        if beyond:
            yield beyond[0]
            continue
        subject, finding = bad[0]
        text = f"{subject} differs at this edge ({finding.message}): {says}"
        yield Finding(
            cause,
            function,
            trial.case.name,
            Status.FAILED,
            text,
            Kind.CONVENTION,
            finding.mismatch,
            Diagnosis(cause, says, {"subject": subject}),
        )


def within_reach(mismatch: Mismatch | None, reach: float, cause: Cause) -> bool:
    """Whether a difference can be another convention; what has no numbers (another shape) always can.

    Nan and infinity are no convention, except where `cause` is that of numbers which overflow.
    """
    if mismatch is None:
        return True
    overflows = cmath.isfinite(mismatch.expected) and not cmath.isfinite(mismatch.got)
    return mismatch.relative_error <= reach and not (overflows and cause not in OVERFLOWS)


def _comparable(trial: Trial) -> bool:
    got, want = leaves(trial.out), leaves(trial.reference.out)
    return len(got) == len(want) and all(
        (is_tensor(g) and g.shape == w.shape) or (plain_number(g) and w.dim() == 0) for g, w in zip(got, want, strict=True)
    )
