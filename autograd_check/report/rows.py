"""A lesson's findings condensed to the rows of a report: what passed in brief, the first failure in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from autograd_check.grade.grouping import BAD, group_numbers
from autograd_check.grade.record import LessonRecord
from autograd_check.verify.finding import Finding, Kind, Status, root_subject

REACH = "beyond"
"""The word for what goes beyond the idea of a lesson and is not there yet."""

SHOWN = 5
"""Lines of what the code printed that a report shows."""

CONVENTIONS = {
    "unmodified": "arguments unmodified",
    "unstable": "stable at large inputs",
    "ties": "the lesson's choice at ties",
    "layout": "any memory layout",
    "mask_missing": "masked where the forward is",
    "not_finite": "finite at the limits",
    "constant_factor": "the exact factor",
    "border": "right beyond the border",
    "not_refused": "refuses what has no meaning",
    "stale_state": "the right start",
    "biased_variance": "the variance that was asked for",
    "momentum_reversed": "momentum the right way round",
    "aliasing": "results with memory of their own",
    "cache reusable": "cache usable twice",
    "repeatable": "the same twice",
}
"""Conventions named by what holds where they are kept; the others are named so already."""


@dataclass(frozen=True)
class Row:
    """One row: a status, what it is about, and paragraphs of text (the first is the message)."""

    status: str
    label: str
    paragraphs: tuple[str, ...]


def rows_of(record: LessonRecord, *, verbose: bool = False) -> list[Row]:
    """The rows of one lesson: passed ones, then the rest from the worst on; `verbose` shows every finding in full."""
    besides = [*_printed(record, None if verbose else SHOWN), *(Row("note", "", (note,)) for note in record.notes)]
    if verbose:
        return [*(row_of(finding, (finding.subject,)) for finding in record.findings), *besides]
    return [*_passed(record.findings), *_borrowed(record), *_bad(record.findings), *besides]


def _passed(findings: Sequence[Finding]) -> list[Row]:
    spoiled = {(f.kind, root_subject(f.subject)) for f in findings if f.status not in (Status.PASSED, Status.SKIPPED)}
    whole = [f for f in findings if f.status is Status.PASSED and (f.kind, root_subject(f.subject)) not in spoiled]
    rows = [
        Row("passed", finding.subject, (f"{finding.message}{_probes([finding])}",))
        for finding in whole
        if finding.kind is Kind.VALUE
    ]
    gradients = [f for f in whole if f.kind is Kind.GRADIENT]
    by_witness: dict[tuple[str, ...], list[str]] = {}
    for subject in dict.fromkeys(root_subject(f.subject) for f in gradients):
        found = [f for f in gradients if root_subject(f.subject) == subject]
        by_witness.setdefault(tuple(dict.fromkeys(f.check for f in found)), []).append(subject)
    for checks, subjects in by_witness.items():
        probes = _probes([f for f in gradients if root_subject(f.subject) in subjects])
        verb = "matches" if len(subjects) == 1 else "match"
        rows.append(Row("passed", ", ".join(subjects), (f"{verb} {' and '.join(checks)}{probes}",)))
    kept = list(dict.fromkeys(f.check for f in findings if f.kind is Kind.CONVENTION and f.status is Status.PASSED))
    broken = {f.check for f in findings if f.kind is Kind.CONVENTION and f.status in BAD}
    kept = [check for check in kept if check not in broken]
    if kept:
        rows.append(Row("passed", "conventions", (", ".join(CONVENTIONS.get(check, check.replace("_", " ")) for check in kept),)))
    taken = [f.check.partition(": ")[2] for f in findings if f.kind is Kind.REACH and f.status is Status.PASSED]
    if taken:
        rows.append(Row("passed", "reach", (", ".join(taken),)))
    return rows


def _borrowed(record: LessonRecord) -> list[Row]:
    if not record.borrowed:
        return []
    text = "used from the reference, because yours is not done yet; this lesson is judged as if it were"
    return [Row("borrowed", ", ".join(record.borrowed), (text,))]


def _printed(record: LessonRecord, most: int | None) -> list[Row]:
    """What the code printed: the first `most` lines (all, if None), as plain text that moves no cursor."""
    lines = ["".join(c for c in line.expandtabs(4) if c.isprintable()) for line in record.printed.splitlines()]
    if not lines:
        return []
    shown = (
        lines if most is None or len(lines) <= most + 1 else [*lines[:most], f"... {len(lines) - most} more lines (-v shows all)"]
    )
    return [Row("printed", "", tuple(shown))]


def _bad(findings: Sequence[Finding]) -> list[Row]:
    """Findings that did not pass: those of one cause share a row, which says how many more there are; the first is in full."""
    groups: dict[int, list[Finding]] = {}
    for finding, number in zip(findings, group_numbers(findings), strict=True):
        if number is not None:
            groups.setdefault(number, []).append(finding)
    rows: list[Row] = []
    for group in sorted(groups.values(), key=lambda group: -max(finding.status.severity for finding in group)):
        told = max(group, key=lambda finding: finding.status.severity)
        alike = [finding for finding in group if finding.kind is told.kind or finding.message == told.message]
        subjects = tuple(dict.fromkeys(root_subject(finding.subject) for finding in alike))
        subjects = subjects if len(group) > 1 else (told.subject,)
        row = _brief(told, subjects) if rows else row_of(told, subjects)
        more = len({finding.message for finding in group}) - 1
        rows.append(replace(row, paragraphs=(*row.paragraphs, _more(more))) if more else row)
    return rows


def _more(count: int) -> str:
    return f"{count} more finding{'s have' if count > 1 else ' has'} the same cause: -v lists {'them' if count > 1 else 'it'}."


def row_of(finding: Finding, subjects: tuple[str, ...] = ()) -> Row:
    """A row that says everything about one finding (and all subjects that share it)."""
    where = f" (probe: {finding.probe})" if finding.probe and finding.status not in (Status.PASSED, Status.TODO) else ""
    named = f"{finding.check}: " if finding.kind is Kind.CONVENTION and finding.status is Status.PASSED else ""
    paragraphs = [f"{named}{finding.message}{where or _probes([finding])}"]
    diagnosis = finding.diagnosis
    if diagnosis is not None and finding.status is not Status.TODO:
        if diagnosis.says and diagnosis.says not in finding.message:
            paragraphs.append(diagnosis.says)
        if diagnosis.evidence.get("trace"):
            paragraphs += str(diagnosis.evidence["trace"]).rstrip().split("\n")
    return Row(_status(finding), ", ".join(subjects) or finding.subject, tuple(paragraphs))


def _brief(finding: Finding, subjects: tuple[str, ...]) -> Row:
    return Row(_status(finding), ", ".join(subjects), (finding.message,))


def _status(finding: Finding) -> str:
    """The word of a row: what a lesson is not failed for is not called failed."""
    return REACH if finding.kind is Kind.REACH and finding.status is Status.FAILED else str(finding.status)


def _probes(findings: Sequence[Finding]) -> str:
    most = max((finding.probes for finding in findings), default=1)
    return f" ({most} probes)" if most > 1 else ""
