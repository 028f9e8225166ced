"""The report of one check: its findings, in text, as a record, in a notebook, or raised as an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from autograd_check.verify.finding import Finding, Status, worst

SCHEMA = 1
COLOURS = {"passed": "#1a7f37", "failed": "#cf222e", "error": "#8250df", "inconclusive": "#9a6700", "todo": "#9a6700"}


@dataclass(frozen=True, eq=False)
class Report:
    """What a check found about `name`. True, and equal to `True`, exactly when it passed.

    `notes` say what the caller should know besides (an argument that has nothing to set).
    """

    name: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """The worst of the findings."""
        return worst(finding.status for finding in self.findings)

    def __bool__(self) -> bool:
        return self.status is Status.PASSED

    def __eq__(self, other: object) -> bool:
        """As `True` or `False` where it is compared with one: what torch's gradcheck returns."""
        if isinstance(other, bool):
            return bool(self) is other
        if not isinstance(other, Report):
            return NotImplemented
        return (self.name, self.findings, self.notes) == (other.name, other.findings, other.notes)

    def __hash__(self) -> int:
        return hash((self.name, self.status))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record, schema 1."""
        findings = [finding.to_dict() for finding in self.findings]
        record = {"schema": SCHEMA, "name": self.name, "status": str(self.status), "findings": findings}
        return record | {"notes": list(self.notes)}

    def to_text(self) -> str:
        """A headline, then a line for every finding: what did not pass first, with its cause."""
        return "\n".join([f"{self.name} · {self.status}", *(f"  {line}" for line in (*self._lines(), *self.notes))])

    def __str__(self) -> str:
        return _printed(self.to_text())

    def _lines(self) -> list[str]:
        lines = []
        for finding in sorted(self.findings, key=lambda finding: -finding.status.severity):
            if finding.status is Status.SKIPPED:
                continue
            lines.append(f"{finding.status:<12} {finding.subject:<12} {finding.check}: {finding.message}")
            if finding.diagnosis and finding.diagnosis.says not in finding.message:
                lines.append(f"{'':<26}{finding.diagnosis.says}")
            if finding.diagnosis and finding.status is Status.FAILED:
                lines.append(f"{'':<26}cause: {finding.diagnosis.cause}")
        return lines

    def raise_if_failed(self) -> None:
        """Raise `GradientError` with the text unless every finding passed or was inconclusive."""
        if self.status.severity > Status.INCONCLUSIVE.severity:
            from autograd_check.report.gradient_error import GradientError  # it is torch's, and names need no torch

            raise GradientError(self.to_text())

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="color: {COLOURS.get(str(finding.status), "#59636e")}">{finding.status}</td>'
            f"<td><code>{escape(finding.subject)}</code></td><td>{escape(finding.check)}</td>"
            f'<td style="text-align: left">{escape(_sentence(finding))}</td></tr>'
            for finding in sorted(self.findings, key=lambda finding: -finding.status.severity)
        )
        head = (
            f'<b>{escape(self.name)}</b> · <span style="color: {COLOURS.get(str(self.status), "#59636e")}">{self.status}</span>'
        )
        return (
            f"<div>{head}<table><thead><tr><th>status</th><th>subject</th><th>check</th><th>says</th></tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )


@dataclass(frozen=True)
class Reports:
    """The reports of many checks, in order. True exactly when all passed; `reports["name"]` is one of them."""

    reports: tuple[Report, ...]

    def __bool__(self) -> bool:
        return all(self.reports)

    def __len__(self) -> int:
        return len(self.reports)

    def __iter__(self) -> Iterator[Report]:
        return iter(self.reports)

    def __getitem__(self, name: str) -> Report:
        for report in self.reports:
            if report.name == name:
                return report
        raise KeyError(f"no report is called {name!r}; there are {', '.join(report.name for report in self.reports)}")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record, schema 1."""
        return {"schema": SCHEMA, "reports": [report.to_dict() for report in self.reports]}

    def to_text(self) -> str:
        """How many passed, then the report of each that did not."""
        passed = sum(map(bool, self.reports))
        return "\n\n".join([f"{passed} of {len(self)} passed", *(report.to_text() for report in self.reports if not report)])

    def __str__(self) -> str:
        return _printed(self.to_text())

    def _repr_html_(self) -> str:
        rest = "".join(report._repr_html_() for report in self.reports if not report)
        return f"<div><b>{sum(map(bool, self.reports))} of {len(self)} passed</b>{rest}</div>"


def _printed(text: str) -> str:
    """A text as `print` shows it: no line is wider than the terminal."""
    from autograd_check.report.console import columns, wrapped  # rich, which a check does without

    return wrapped(text, columns())


def _sentence(finding: Finding) -> str:
    diagnosis = finding.diagnosis
    if diagnosis is None or diagnosis.says in finding.message:
        return finding.message
    return f"{finding.message}. {diagnosis.says} ({diagnosis.cause})"
