"""A lesson about speed times the student's passes; the limits are set here, so that no test depends on a clock."""

from __future__ import annotations

from typing import Any

import pytest

from autograd_check.grade.context import Context
from autograd_check.grade.kinds import check_task, speed
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Kind, Status
from solutions.u07_convolution.conv2d_fast import conv2d_fast_backward, conv2d_fast_forward
from tests import support

LESSON = support.lesson("conv2d_fast")
FUNCTIONS: dict[str, Any] = {f.__name__: f for f in (conv2d_fast_forward, conv2d_fast_backward)}


def timed(**functions: Any) -> list[Finding]:
    with InProcess.of({**FUNCTIONS, **functions}) as candidate:
        findings = check_task(LESSON.spec.tasks[0], Context(candidate, 0))
    return [finding for finding in findings if finding.check == "fast"]


@pytest.mark.parametrize(("grace", "status"), [(1e6, Status.PASSED), (-1.0, Status.FAILED)])
def test_the_time_beside_torchs_is_a_convention(monkeypatch: pytest.MonkeyPatch, grace: float, status: Status) -> None:
    monkeypatch.setattr(speed, "TIMES", 0)
    monkeypatch.setattr(speed, "GRACE", grace)
    (found,) = timed()
    assert (found.status, found.kind, found.subject) == (status, Kind.CONVENTION, "conv2d_fast_backward")
    if status is Status.FAILED:
        assert found.diagnosis is not None
        assert found.diagnosis.cause == "slow"
        assert "let operations on whole arrays do what loops do" in found.message


def test_what_is_wrong_need_not_be_fast() -> None:
    def backward(dout: Any, cache: Any) -> Any:
        return tuple(2 * grad for grad in FUNCTIONS["conv2d_fast_backward"](dout, cache))

    assert timed(conv2d_fast_backward=backward) == []


def test_the_quickest_of_three_tries_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr("autograd_check.grade.kinds.speed.time.monotonic", lambda: next(clock))
    assert speed._quickest(lambda: None, 1.0) == 2.0
    clock = iter([0.0, 0.5])
    assert speed._quickest(lambda: None, 1.0) == 0.5
