"""Which findings have one cause: a mistake is said once, and what follows from it is listed on request.

This is presentation only. Every finding stays as it is, with its verdict, its message and its share of the score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autograd_check.causes import Cause
from autograd_check.diagnose.fingerprints import mistake_of
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, root_subject

BAD = (Status.ERROR, Status.FAILED, Status.TODO, Status.INCONCLUSIVE)
"""What a reader is to be told about: all that neither passed nor was skipped."""
FOLLOWS_THE_FORWARD = (Cause.CONSISTENT_WITH_WRONG_FORWARD, Cause.UNKNOWN)
"""Causes of a wrong gradient that mean nothing else where the forward is wrong."""


def group_numbers(findings: Sequence[Finding]) -> list[int | None]:
    """The group of each finding, counted from 0 in the order of the findings; None for what passed or was skipped."""
    numbers: list[int | None] = []
    known: dict[object, int] = {}
    count = 0
    wrong_value = any(f.kind is Kind.VALUE and f.status is Status.FAILED for f in findings)
    for finding in findings:
        if finding.status not in BAD:
            numbers.append(None)
            continue
        marks = list(_marks(finding, wrong_value))
        number = next((known[mark] for mark in marks if mark in known), None)
        if number is None:
            number, count = count, count + 1
        known |= {mark: number for mark in marks if mark not in known}
        numbers.append(number)
    return numbers


def _marks(finding: Finding, wrong_value: bool) -> Iterator[object]:
    """What a finding shares with others of the same cause."""
    diagnosis, convention = finding.diagnosis, finding.kind is Kind.CONVENTION
    yield finding.status, finding.message
    if diagnosis is None:
        yield "subject", root_subject(finding.subject)
        return
    mistake = mistake_of(diagnosis)
    if mistake:
        yield "mistake", mistake
    yield diagnosis.cause, _sentence(diagnosis, finding.subject)
    if convention:
        return
    yield "subject", root_subject(finding.subject)
    if finding.kind is Kind.VALUE or (wrong_value and diagnosis.cause in FOLLOWS_THE_FORWARD):
        yield "the forward"


def _sentence(diagnosis: Diagnosis, subject: str) -> str:
    """What a diagnosis says, whatever it is said of."""
    return diagnosis.says.replace(subject, "·")
