"""Right to float32 only: whether float32 was really used, or the formula is a little wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from autograd_check.verify.case import PairNames
from autograd_check.verify.compare import compare, gradient_tolerance
from autograd_check.verify.finding import Finding, Kind, Status, root_subject
from autograd_check.verify.trial import Trial, parts
from autograd_check.verify.values import HALF_UNIT, mismatch_text

CHECK = "keeps float64"

UNPROVEN = 4 * HALF_UNIT
"""Error, relative to the largest entry, that is put down to float32 without a proof: numpy and math show no dtype to torch."""


UsesSingle = Callable[[Trial], bool]
"""Whether the code works with float32 numbers somewhere, for the float64 numbers of a trial."""


def presumed(trial: Trial) -> bool:
    """The answer of those who cannot look: it may."""
    return True


def without_excuse(trial: Trial, names: PairNames, findings: Sequence[Finding], uses_single: UsesSingle) -> list[Finding]:
    """The findings of one trial, where an error is put down to float32 only if the code uses float32.

    A term of 1e-6 too much or a step of finite differences is as small as the rounding of float32, but it is no rounding:
    then the value or gradient is wrong, and the finding about the dtype goes.
    """
    doubted = {_subject(f) for f in findings if f.check == CHECK and _large(trial, _subject(f), names)}
    if not doubted:
        return list(findings)
    if uses_single(trial):
        return list(findings)
    kept = [f for f in findings if not (f.check == CHECK and _subject(f) in doubted)]
    if "out" in doubted:
        kept.append(Finding("value", "out", trial.case.name, Status.PASSED, "", Kind.VALUE))
    whole = {root_subject(subject) for subject in doubted}
    return [_wrong(f, trial, names) if f.subject in doubted | whole else f for f in kept]


def _subject(finding: Finding) -> str:
    return str(finding.diagnosis.evidence["subject"]) if finding.diagnosis is not None else finding.subject


def _wrong(finding: Finding, trial: Trial, names: PairNames) -> Finding:
    """The finding as a failed one, with its mismatch; the whole of a nested gradient has none of its own."""
    if finding.check not in ("autograd", "value") or finding.status is not Status.PASSED:
        return finding
    pair = _pair(trial, finding.subject, names)
    if pair is None:
        return replace(finding, status=Status.FAILED, message=f"a part of {finding.subject} is wrong")
    mismatch = compare(*pair, gradient_tolerance(pair[1]))
    if mismatch is None:
        return finding
    text = f"out is wrong: {mismatch_text(mismatch)}" if finding.subject == "out" else mismatch_text(mismatch)
    return replace(finding, status=Status.FAILED, message=text, mismatch=mismatch)


def _large(trial: Trial, subject: str, names: PairNames) -> bool:
    pair = _pair(trial, subject, names)
    return pair is not None and float((pair[0] - pair[1]).abs().max()) > UNPROVEN * float(pair[1].abs().max())


def _pair(trial: Trial, subject: str, names: PairNames) -> tuple[Tensor, Tensor] | None:
    """What came and what was expected for one subject, in the expected dtype."""
    got, want = {"out": trial.out}, {"out": trial.reference.out}
    for name, gradient in trial.gradients.items():
        got |= dict(parts(gradient.value, name, names))
        want |= dict(parts(trial.reference.grads[name], name, names))
    mine, right = got.get(subject), want.get(subject)
    if not isinstance(mine, Tensor) or not isinstance(right, Tensor) or mine.shape != right.shape or not right.numel():
        return None
    return mine.to(right.dtype), right
