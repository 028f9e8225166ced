"""The report in all its forms."""

from __future__ import annotations

import json

import pytest

from autograd_check.causes import Cause
from autograd_check.report.gradient_error import GradientError
from autograd_check.report.result import Report, Reports
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Mismatch, Status

PASSED = Finding("autograd", "dx", "", Status.PASSED, "matches autograd", Kind.GRADIENT)
FAILED = Finding(
    "autograd",
    "dw",
    "",
    Status.FAILED,
    "1 of 6 entries differ, worst at [1, 2]: yours 2, expected <1>",
    Kind.GRADIENT,
    Mismatch(1, 6, (1, 2), 2.0, 1.0, 1.0),
    Diagnosis(Cause.CONSTANT_FACTOR, "twice too large"),
)
UNSURE = Finding("finite differences", "db", "", Status.INCONCLUSIVE, "cannot tell", Kind.GRADIENT)


def test_a_report_is_true_exactly_when_it_passed() -> None:
    assert Report("linear", (PASSED,))
    assert not Report("linear", (PASSED, UNSURE))
    assert not Report("linear", (PASSED, FAILED))
    assert Report("linear", (PASSED, FAILED, UNSURE)).status is Status.FAILED


def test_text_begins_with_what_is_wrong_and_says_why() -> None:
    text = Report("linear", (PASSED, UNSURE, FAILED), ("eps is ignored",)).to_text()
    lines = text.splitlines()
    assert lines[0] == "linear · failed"
    assert "dw" in lines[1]
    assert "yours 2, expected <1>" in lines[1]
    assert "twice too large" in lines[2]
    assert "cause: constant_factor" in lines[3]
    assert lines[-1].strip() == "eps is ignored"


def test_it_is_printed_no_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    report = Report("linear", (PASSED, FAILED))
    for text, shown in ((report.to_text(), str(report)), (Reports((report,)).to_text(), str(Reports((report,))))):
        assert shown.split() == text.split()
        assert max(map(len, text.splitlines())) > 60 >= max(map(len, shown.splitlines()))
    lines = str(report).splitlines()
    assert lines[1].startswith("  failed       dw           autograd: 1 of 6")
    assert lines[2].startswith(" " * 28 + "worst at [1, 2]: yours")


def test_the_record_is_json_with_a_version() -> None:
    record = json.loads(json.dumps(Report("linear", (FAILED,), ("a note",)).to_dict()))
    assert (record["schema"], record["status"], record["notes"]) == (1, "failed", ["a note"])
    assert record["findings"][0]["mismatch"]["index"] == [1, 2]
    assert record["findings"][0]["diagnosis"]["cause"] == "constant_factor"


def test_html_escapes_what_it_shows() -> None:
    html = Report("<linear>", (PASSED, FAILED))._repr_html_()
    assert "&lt;linear&gt;" in html
    assert "expected &lt;1&gt;" in html
    assert "<linear>" not in html
    assert html.count("<tr>") == 3


def test_only_failures_are_raised() -> None:
    Report("linear", (PASSED, UNSURE)).raise_if_failed()
    with pytest.raises(GradientError, match="dw") as raised:
        Report("linear", (FAILED,)).raise_if_failed()
    assert isinstance(raised.value, AssertionError)
