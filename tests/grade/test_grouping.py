"""Findings of one cause have one group; what is another mistake has its own."""

from __future__ import annotations

from autograd_check.causes import Cause
from autograd_check.grade.grouping import group_numbers
from autograd_check.grade.record import LessonRecord
from autograd_check.report.terminal import to_text
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status


def failed(check: str, subject: str, cause: Cause | None, says: str = "", kind: Kind = Kind.GRADIENT) -> Finding:
    diagnosis = Diagnosis(cause, says or f"{subject}: {cause}") if cause else None
    return Finding(check, subject, "4 rows", Status.FAILED, f"{check} of {subject}", kind, None, diagnosis)


PASSED = Finding("value", "out", "4 rows", Status.PASSED, "matches")
FORGOTTEN = [
    PASSED,
    failed("autograd", "dx", Cause.IGNORES_UPSTREAM),
    failed("linear in dout", "dx", Cause.NONLINEAR_IN_UPSTREAM),
]


def test_what_follows_from_a_cause_is_in_its_group() -> None:
    assert group_numbers(FORGOTTEN) == [None, 0, 0]


def test_the_parts_of_a_gradient_are_one_group() -> None:
    parts = [failed("shape", f"dparams[{number}].w", Cause.SWAPPED) for number in range(3)]
    assert group_numbers([*parts, failed("autograd", "dparams", None)]) == [0, 0, 0, 0]


def test_two_gradients_of_which_the_same_is_said_are_one_group() -> None:
    both = [failed("autograd", name, Cause.SIGN, f"Every entry of {name} has the opposite sign.") for name in ("dx", "dw")]
    assert group_numbers(both) == [0, 0]


def test_two_mistakes_are_two_groups() -> None:
    assert group_numbers([failed("autograd", "dx", Cause.SIGN), failed("autograd", "dw", Cause.TRANSPOSED)]) == [0, 1]


def test_a_gradient_that_fits_a_wrong_forward_goes_with_it() -> None:
    value = failed("value", "out", Cause.FORWARD_WRONG, kind=Kind.VALUE)
    fits = failed("autograd", "dx", Cause.CONSISTENT_WITH_WRONG_FORWARD)
    assert group_numbers([value, fits]) == [0, 0]
    assert group_numbers([value, failed("autograd", "dx", Cause.SIGN)]) == [0, 1]


def test_every_finding_stays_in_the_record_with_its_group() -> None:
    record = LessonRecord("toy", "toy.py", tuple(FORGOTTEN), 10)
    assert [finding["group"] for finding in record.to_dict()["findings"]] == [None, 0, 0]
    assert len(record.to_dict()["findings"]) == 3


def test_one_mistake_is_one_message_and_the_rest_is_listed_on_request() -> None:
    record = LessonRecord("toy", "toy.py", tuple(FORGOTTEN), 10)
    brief, whole = to_text(record), to_text(record, verbose=True)
    assert brief.count("failed  ") == 1
    assert "1 more finding has the same cause: -v lists it." in brief
    assert "linear in dout of dx" not in brief
    assert "linear in dout of dx" in whole
