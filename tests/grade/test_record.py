"""Scores and statuses of a record."""

from __future__ import annotations

from autograd_check.grade.record import LessonRecord
from autograd_check.verify.finding import Finding, Kind, Status


def finding(check: str, subject: str, status: Status, kind: Kind = Kind.GRADIENT) -> Finding:
    return Finding(check, subject, "", status, "", kind)


def record(*findings: Finding) -> LessonRecord:
    return LessonRecord("linear", "linear.py", findings, 10)


RIGHT = (
    finding("value", "out", Status.PASSED, Kind.VALUE),
    finding("autograd", "dx", Status.PASSED),
    finding("autograd", "dw", Status.PASSED),
    finding("autograd", "db", Status.PASSED),
)


def test_everything_right_gives_all_points() -> None:
    assert record(*RIGHT).status is Status.PASSED
    assert record(*RIGHT).score == 10


def test_one_wrong_gradient_of_four_subjects_costs_a_quarter() -> None:
    made = record(*RIGHT[:3], finding("autograd", "db", Status.FAILED))
    assert made.status is Status.FAILED
    assert made.score == 7.5


def test_a_convention_has_its_own_small_part() -> None:
    kept = finding("repeatable", "linear_backward", Status.PASSED, Kind.CONVENTION)
    broken = finding("unmodified", "linear_backward", Status.FAILED, Kind.CONVENTION)
    assert record(*RIGHT, kept).score == 10
    assert record(*RIGHT, kept, broken).score == 9.5
    assert record(*RIGHT, broken).score == 9


def test_conventions_alone_earn_nothing() -> None:
    kept = finding("repeatable", "linear_backward", Status.PASSED, Kind.CONVENTION)
    wrong = tuple(finding("autograd", subject, Status.FAILED) for subject in ("dx", "dw"))
    assert record(*wrong, kept).score == 0


def test_parts_of_a_network_count_once() -> None:
    parts = [finding("autograd", f"dparams[{k}].w", Status.FAILED) for k in range(3)]
    assert record(finding("autograd", "dx", Status.PASSED), *parts).score == 5


def test_a_skipped_check_does_not_count_against_a_gradient() -> None:
    assert record(*RIGHT, finding("finite differences", "dx", Status.SKIPPED)).score == 10


def test_todo_is_neither_passed_nor_failed() -> None:
    made = record(finding("runs", "out", Status.TODO, Kind.VALUE), finding("runs", "dx", Status.TODO))
    assert (made.status, made.score) == (Status.TODO, 0)


def test_the_json_record_has_the_fields_of_schema_1() -> None:
    entry = record(*RIGHT).to_dict()
    assert {"lesson", "file", "status", "score", "max_score", "findings"} <= entry.keys()
    assert {"check", "subject", "probe", "status", "message", "mismatch", "diagnosis"} <= entry["findings"][0].keys()
