"""Findings of many probes made few: one for each check and subject, and whether the process was lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from autograd_check.causes import Cause
from autograd_check.verify.finding import Finding, Status

LOSES_PROCESS = (Cause.TIMED_OUT, Cause.DIED, Cause.EXITED)
"""Failures after which the code under test has to be started anew."""


def lost_process(finding: Finding) -> bool:
    """Whether the finding is of a call that hung or ended its process; more calls would only do so again."""
    return finding.diagnosis is not None and finding.diagnosis.cause in LOSES_PROCESS


def condense(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each check and subject: the worst, or what passed with the number of probes it passed on.

    An inconclusive result gives way to a passed one of the same check and subject: one witness is enough.
    """
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.check, finding.subject), []).append(finding)
    condensed = []
    for group in groups.values():
        passed = [finding for finding in group if finding.status is Status.PASSED]
        bad = [finding for finding in group if finding.status.severity >= Status.TODO.severity]
        if bad:
            condensed.append(max(bad, key=lambda finding: finding.status.severity))
        elif passed:
            probes = len({finding.probe for finding in passed})
            condensed.append(passed[0] if probes == 1 else replace(passed[0], probes=probes))
        else:
            condensed.append(group[0])
    return condensed
