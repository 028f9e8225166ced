"""The comparison of two records: every difference has its line, and equal records have none."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import pytest

from autograd_check.causes import Cause
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status
from tests import record

FINDING = ["autograd", "dx", "batch of one", "gradient", "failed", "sign"]


def failing(**changed: Any) -> dict[str, Any]:
    verdict = {"status": "failed", "score": 5.0, "passed": {"out": 4}, "findings": [FINDING], "messages": ["off by 2.1"]}
    return verdict | changed


def lines(old: dict[str, Any], new: dict[str, Any], *, messages: bool = False) -> list[str]:
    return record.differences({"mistake/a/b": old}, {"mistake/a/b": new}, messages)


def test_equal_records_have_no_difference() -> None:
    assert lines(failing(), failing()) == []


def test_what_is_there_on_one_side_only_is_added_or_removed() -> None:
    old, new = {"solution/a": failing()}, {"solution/b": failing(status="passed")}
    assert record.differences(old, new) == ["removed  solution/a: was failed", "added    solution/b: is passed"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"status": "passed"}, "status failed → passed"),
        ({"score": 6.0}, "score 5.0 → 6.0"),
        ({"passed": {"out": 3, "dw": 1}}, "dw passed 0 → 1; out passed 4 → 3"),
        ({"findings": [], "messages": []}, "no longer [autograd / dx / batch of one / gradient / failed / sign]"),
        (
            {"findings": [[*FINDING[:-1], "transposed"]]},
            "no longer [autograd / dx / batch of one / gradient / failed / sign]; "
            "now [autograd / dx / batch of one / gradient / failed / transposed]",
        ),
        (
            {"findings": [FINDING, FINDING], "messages": ["", ""]},
            "now [autograd / dx / batch of one / gradient / failed / sign]",
        ),
    ],
)
def test_a_change_says_what_was_and_what_is(changed: dict[str, Any], says: str) -> None:
    assert lines(failing(), failing(**changed)) == [f"changed  mistake/a/b: {says}"]


def test_messages_count_only_if_asked() -> None:
    changed = failing(messages=["off by 2.2"])
    assert lines(failing(), changed) == []
    shown = "autograd / dx / batch of one / gradient / failed / sign"
    assert lines(failing(), changed, messages=True) == [
        f"changed  mistake/a/b: no longer [{shown}: off by 2.1]; now [{shown}: off by 2.2]"
    ]


def test_passed_findings_are_counted_by_subject_and_others_listed() -> None:
    findings = (
        Finding("value", "out", "one", Status.PASSED, "right", Kind.VALUE),
        Finding("shape", "out", "one", Status.PASSED, "right", Kind.VALUE),
        Finding("autograd", "dx", "one", Status.FAILED, "wrong", Kind.GRADIENT, None, Diagnosis(Cause.SIGN, "")),
        Finding("finite differences", "dx", "", Status.SKIPPED, f"raised ({record.ROOT}/a/b.py:3)", Kind.GRADIENT),
    )
    assert record.verdict(findings, Status.FAILED, score=5.0) == {
        "status": "failed",
        "score": 5.0,
        "passed": {"out": 2},
        "findings": [
            ["autograd", "dx", "one", "gradient", "failed", "sign"],
            ["finite differences", "dx", "", "gradient", "skipped", ""],
        ],
        "messages": ["wrong", "raised (a/b.py:3)"],
    }


def test_a_record_is_read_as_it_was_written_and_written_alike(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json.gz", tmp_path / "second.json.gz"
    record.write({"b": failing(), "a": {"status": "passed"}}, first)
    record.write({"a": {"status": "passed"}, "b": failing()}, second)
    assert record.read(first) == {"a": {"status": "passed"}, "b": failing()}
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()).startswith(b'{"a":{"status":"passed"},"b":')


@pytest.mark.parametrize(
    ("new", "only", "code", "printed"),
    [
        ({"a/1": failing(), "b": failing()}, "", 0, "No difference in 2 entries.\n"),
        ({"a/1": failing(score=1.0), "b": failing()}, "", 1, "changed  a/1: score 5.0 → 1.0\n"),
        ({"a/1": failing(score=1.0), "b": failing()}, "b", 0, "No difference in 1 entries.\n"),
    ],
)
def test_two_files_are_compared(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    new: dict[str, Any],
    only: str,
    code: int,
    printed: str,
) -> None:
    old_file, new_file = tmp_path / "old.json.gz", tmp_path / "new.json.gz"
    record.write({"a/1": failing(), "b": failing()}, old_file)
    record.write(new, new_file)
    monkeypatch.setattr(sys, "argv", ["record.py", str(new_file), "--against", str(old_file), "--only", only])
    assert record.main() == code
    assert capsys.readouterr().out == printed
