"""The outcome of one lesson for one file, and its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograd_check.causes import Cause
from autograd_check.grade.grouping import group_numbers
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, root_subject, worst

if TYPE_CHECKING:
    from autograd_check.grade.own_speed import OwnSpeed
    from autograd_check.grade.shrink import Smallest

CONVENTION_SHARE = 0.1
"""Part of the points that conventions carry where a lesson has any."""

REACH_SHARE = 0.05
"""Part of the points for all that goes beyond the idea of a lesson, together."""


@dataclass(frozen=True)
class LessonRecord:
    """What was found in one file for one lesson. `isolation` says where the code ran; `borrowed` names lessons whose
    functions were the reference's because the student's own are not right yet. `printed` is what the code printed on the first
    probe, `notes` say what a reader should know besides; neither has a part in the verdict. `smallest` is the smallest
    input that shows what is wrong, `speed` how fast it is beside torch, where somebody asked.
    """

    lesson: str
    file: str
    findings: tuple[Finding, ...]
    max_score: float
    isolation: str = ""
    borrowed: tuple[str, ...] = ()
    printed: str = ""
    notes: tuple[str, ...] = ()
    smallest: Smallest | None = None
    speed: OwnSpeed | None = None

    @property
    def status(self) -> Status:
        """The worst finding's status; what goes beyond the idea of the lesson costs points only."""
        return worst(finding.status for finding in self.findings if finding.kind is not Kind.REACH)

    @property
    def score(self) -> float:
        """Points: every value and gradient weighs the same, conventions and reach have their shares; two decimals."""
        right = _share([f for f in self.findings if f.kind in (Kind.VALUE, Kind.GRADIENT)], by="subject")
        left, points = 1.0, 0.0
        for kind, share in ((Kind.CONVENTION, CONVENTION_SHARE), (Kind.REACH, REACH_SHARE)):
            beside = [finding for finding in self.findings if finding.kind is kind]
            if beside:
                left -= share
                points += share * _share(beside, by="check") if right > 0 else 0.0
        return round(self.max_score * (left * right + points), 2)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record (a `lessons` entry of schema 1); findings of one cause have the same `group`."""
        return {
            "lesson": self.lesson,
            "file": self.file,
            "status": str(self.status),
            "score": self.score,
            "max_score": self.max_score,
            "isolation": self.isolation,
            "borrowed": list(self.borrowed),
            "printed": self.printed,
            "notes": list(self.notes),
            "findings": [
                {**finding.to_dict(), "group": number}
                for finding, number in zip(self.findings, group_numbers(self.findings), strict=True)
            ],
        }


def failed_checker(name: str, shown: str, points: float, what: str, place: str = "") -> LessonRecord:
    """The record of a file on which the checker itself failed, or the specification of the lesson, at a `place` in it."""
    if place:
        return failed_lesson(name, shown, points, f"{place} raised {what}")
    return _without_verdict(name, shown, points, f"the checker itself failed on this file ({what}); please report it")


def failed_lesson(name: str, shown: str, points: float, says: str) -> LessonRecord:
    """The record of a file about which nothing can be said, because something is wrong with the lesson."""
    text = (
        f"the lesson itself is at fault, not this file: {says}. Whoever writes it finds out more with: "
        f"autograd-check test-lesson {name}"
    )
    return _without_verdict(name, shown, points, text)


def _without_verdict(name: str, shown: str, points: float, text: str) -> LessonRecord:
    finding = Finding("checker", "out", "", Status.ERROR, text, Kind.VALUE, None, Diagnosis(Cause.CRASHED, text))
    return LessonRecord(name, shown, (finding,), points)


def _share(findings: Sequence[Finding], by: str) -> float:
    """The fraction of subjects (or checks) all of whose findings passed; skipped findings do not count against one."""
    groups: dict[str, list[Status]] = {}
    for finding in findings:
        key = root_subject(finding.subject) if by == "subject" else f"{finding.check} {finding.subject}"
        groups.setdefault(key, []).append(finding.status)
    right = [worst(statuses) is Status.PASSED for statuses in groups.values()]
    return sum(right) / len(right) if right else 0.0
