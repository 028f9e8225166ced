"""A plain function that computes in float32 inside breaks a convention; its value is right."""

from __future__ import annotations

from typing import Any

import torch

from autograd_check.course.draws import normal
from autograd_check.course.spec import Plain
from autograd_check.grade.context import Context
from autograd_check.grade.kinds import check_task
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Status
from tests.probes import probe

THIRD = Plain(
    "third", lambda x: x / 3, (probe("vector", x=normal().of(5)), probe("a python number", x=lambda _: 0.1)), absolute=1e-15
)


def judge(third: Any) -> list[Finding]:
    with InProcess.of({"third": third}) as candidate:
        return check_task(THIRD, Context(candidate, 0))


def failed(third: Any) -> list[tuple[str, str]]:
    return [(f.check, f.subject) for f in judge(third) if f.status is Status.FAILED]


def test_python_numbers_are_compared_with_all_their_digits() -> None:
    assert failed(lambda x: x / 3) == []
    assert failed(lambda x: x * 0.333333) == [("value", "out")]


def test_float32_inside_is_a_matter_of_manners() -> None:
    assert failed(lambda x: torch.as_tensor(x, dtype=torch.float32) / 3) == [("keeps float64", "third")]


def test_a_small_constant_too_much_is_not_put_down_to_float32() -> None:
    """Every entry of the vector is a little wrong, as float32 would make it; but no float32 takes part."""
    wrong = torch.tensor([1.0, -2.0, 3.0, -1.0, 2.0], dtype=torch.float64) * 2e-7
    assert failed(lambda x: x / 3 + (wrong if torch.is_tensor(x) else 0)) == [("value", "out")]


def test_an_absolute_tolerance_is_for_values_that_cancel() -> None:
    zero = Plain("zero", lambda x: x - x, (probe("vector", x=normal().of(5)),))
    for absolute, status in ((0.0, Status.FAILED), (1e-15, Status.PASSED)):
        task = Plain(zero.name, zero.oracle, zero.probes, absolute=absolute)
        with InProcess.of({"zero": lambda x: x * 1e-17}) as candidate:
            assert check_task(task, Context(candidate, 0))[0].status is status
