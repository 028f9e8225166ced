"""What a check says: status, mismatch, diagnosis, finding. Plain records; nobody downstream computes them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from autograd_check.causes import Cause


class Status(StrEnum):
    """The outcome of one check, or of a whole report (then the worst of its findings)."""

    PASSED = "passed"
    SKIPPED = "skipped"
    INCONCLUSIVE = "inconclusive"
    TODO = "todo"
    FAILED = "failed"
    ERROR = "error"

    @cached_property
    def severity(self) -> int:
        """Position from harmless (0, passed) to worst (error: the checker itself could not do its work)."""
        return _SEVERITY[self]


_SEVERITY = {status: place for place, status in enumerate(Status)}


def worst(statuses: Iterable[Status]) -> Status:
    """The most severe of some statuses; `skipped` where there are none.

    A finding that was skipped says nothing of its own (the check it depends on speaks), so it never outweighs a `passed`
    one.
    """
    found = [status for status in statuses if status is not Status.SKIPPED]
    return max(found, key=lambda status: status.severity, default=Status.SKIPPED)


class Kind(StrEnum):
    """What a finding is about: a value, a gradient, only a convention (which never makes a right gradient wrong), or reach.

    Reach is what goes beyond the idea of a lesson: it costs points and leaves every verdict alone.
    """

    VALUE = "value"
    GRADIENT = "gradient"
    CONVENTION = "convention"
    REACH = "reach"


@dataclass(frozen=True)
class Mismatch:
    """How an array differs from what was expected: counts of entries and the worst entry."""

    wrong: int
    total: int
    index: tuple[int, ...]
    got: float | complex
    expected: float | complex
    relative_error: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record; complex values become strings, non-finite ones too."""
        return {
            "wrong": self.wrong,
            "total": self.total,
            "index": list(self.index),
            "got": _number(self.got),
            "expected": _number(self.expected),
            "relative_error": _number(self.relative_error),
        }


def _number(value: float | complex) -> float | str:
    if isinstance(value, complex):
        return str(value)
    return value if value - value == 0 else str(value)


class Source(StrEnum):
    """How a cause was found: by a relation between arrays, by the numbers of a known mistake, by those of a mutant of the
    definition, or by what a call did.
    """

    RELATION = "relation"
    FINGERPRINT = "fingerprint"
    MUTANT = "mutant"
    CONTRACT = "contract"


@dataclass(frozen=True)
class Diagnosis:
    """Why it is wrong: `cause` from the vocabulary, `says` one plain sentence, `evidence` the numbers behind it.

    `source` says how it was found.
    """

    cause: Cause
    says: str
    evidence: dict[str, Any] = field(default_factory=dict)
    source: Source = Source.CONTRACT

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record."""
        return {"cause": str(self.cause), "says": self.says, "evidence": dict(self.evidence), "source": str(self.source)}


@dataclass(frozen=True)
class Finding:
    """What one check says about one subject on one probe.

    `subject` is `out` for what a forward, a step or a plain function returns, `d<primal>` for a gradient,
    `dparams[2].w` for one of a network's; a convention's subject is the function that breaks it. `probes` is on how many it
    passed, the first of them being `probe`.
    """

    check: str
    subject: str
    probe: str
    status: Status
    message: str
    kind: Kind = Kind.VALUE
    mismatch: Mismatch | None = None
    diagnosis: Diagnosis | None = None
    probes: int = 1

    def explained(self, diagnosis: Diagnosis | None) -> Finding:
        """The same finding with its cause."""
        return replace(self, diagnosis=diagnosis)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record (the `findings` entry of schema 1)."""
        return {
            "check": self.check,
            "subject": self.subject,
            "probe": self.probe,
            "probes": self.probes,
            "kind": str(self.kind),
            "status": str(self.status),
            "message": self.message,
            "mismatch": self.mismatch.to_dict() if self.mismatch else None,
            "diagnosis": self.diagnosis.to_dict() if self.diagnosis else None,
        }


def passed(check: str, subject: str, probe: str, message: str, kind: Kind = Kind.VALUE) -> Finding:
    """The finding about what holds."""
    return Finding(check, subject, probe, Status.PASSED, message, kind)


def failed(
    check: str,
    subject: str,
    probe: str,
    message: str,
    kind: Kind = Kind.VALUE,
    cause: Cause | None = None,
    *,
    says: str = "",
    mismatch: Mismatch | None = None,
    evidence: Mapping[str, Any] | None = None,
    diagnosis: Diagnosis | None = None,
) -> Finding:
    """The finding about what does not hold, with its `diagnosis`, or one of a `cause`, which says the message unless told more."""
    if cause is not None:
        diagnosis = Diagnosis(cause, says or message, dict(evidence or {}))
    return Finding(check, subject, probe, Status.FAILED, message, kind, mismatch, diagnosis)


def skipped(check: str, subject: str, probe: str, reason: str, kind: Kind = Kind.GRADIENT) -> Finding:
    """The finding about what was not looked at, and why."""
    return Finding(check, subject, probe, Status.SKIPPED, f"not checked: {reason}", kind)


def inconclusive(check: str, subject: str, probe: str, message: str, kind: Kind = Kind.GRADIENT) -> Finding:
    """The finding about what could not be told."""
    return Finding(check, subject, probe, Status.INCONCLUSIVE, message, kind)


def root_subject(subject: str) -> str:
    """`dparams` for `dparams[2].w`: what a report or a score counts once."""
    return subject.split("[")[0].split(".")[0]


LOSES_PROCESS = (Cause.TIMED_OUT, Cause.DIED, Cause.EXITED)
"""Failures after which the code under test has to be started anew."""


def lost_process(finding: Finding) -> bool:
    """Whether the finding is of a call that hung or ended its process; more calls would only do so again."""
    return finding.diagnosis is not None and finding.diagnosis.cause in LOSES_PROCESS


def aggregate(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each check and subject: the worst, or what passed with the number of probes it passed on.

    An inconclusive result gives way to a passed one of the same check and subject: one witness is enough.
    """
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.check, finding.subject), []).append(finding)
    aggregated = []
    for group in groups.values():
        if len(group) == 1:
            aggregated += group
            continue
        good = [finding for finding in group if finding.status is Status.PASSED]
        bad = [finding for finding in group if finding.status.severity >= Status.TODO.severity]
        if bad:
            aggregated.append(max(bad, key=lambda finding: finding.status.severity))
        elif good:
            probes = len({finding.probe for finding in good})
            aggregated.append(good[0] if probes == 1 else replace(good[0], probes=probes))
        else:
            aggregated.append(group[0])
    return aggregated
