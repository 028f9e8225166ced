"""What must be refused, and what the error must say: by default the shapes of all tensors, else those that the probe mentions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from autograd_check.causes import Cause
from autograd_check.course.draws import normal
from autograd_check.course.spec import Convention, Probe
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.refusals import refusals
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Kind, Status
from tests.probes import probe

LONE = Convention(Cause.NOT_REFUSED, "a mean of one is no mean.")


def judge(function: Callable[..., Any], *probes: Probe) -> Finding:
    with InProcess.of({"f": function}) as candidate:
        (found,) = refusals("f", probes, Context(candidate, 0))
    assert found.kind is Kind.CONVENTION
    return found


def given(mentions: tuple[str, ...] | None, convention: Convention | None = None) -> Probe:
    return probe("one row", x=normal().of(1, 3), w=normal().of(3), hyper={"k": 2}, mentions=mentions, convention=convention)


def raising(text: str, kind: type[Exception] = ValueError) -> Callable[..., Any]:
    def function(x: torch.Tensor, w: torch.Tensor, *, k: int) -> Any:
        raise kind(text)

    return function


@pytest.mark.parametrize(
    ("mentions", "text", "status"),
    [
        (None, "x (1, 3), w (3,)", Status.PASSED),
        (None, "x (1, 3)", Status.FAILED),
        (("x",), "x (1, 3)", Status.PASSED),
        (("x",), "x is 1x3", Status.PASSED),
        (("x",), "w (3,)", Status.FAILED),
        ((), "no", Status.PASSED),
    ],
)
def test_a_text_must_name_what_the_probe_mentions(mentions: tuple[str, ...] | None, text: str, status: Status) -> None:
    found = judge(raising(text), given(mentions))
    assert found.status is status
    if status is Status.FAILED:
        assert found.diagnosis is not None
        assert found.diagnosis.cause == "unclear_error"


def test_the_messages_say_what_is_expected() -> None:
    unclear = judge(raising("bad shapes"), given(("x",)))
    assert unclear.message == "f refuses x (1, 3) with a ValueError, but not with one naming the shapes of x"
    other = judge(raising("x (1, 3)", TypeError), given(()))
    assert other.message == "f must refuse x (1, 3) with a ValueError; it raised TypeError"
    accepted = judge(lambda x, w, *, k: x, given((), LONE))
    assert accepted.message == "f accepts x (1, 3), but must raise ValueError: a mean of one is no mean."
    assert accepted.diagnosis is not None
    assert accepted.diagnosis.cause == "not_refused"
    silent = judge(lambda x, w, *, k: x, given(None))
    assert silent.diagnosis is not None
    assert silent.diagnosis.cause == "silent_broadcast"
    assert "f accepts x (1, 3) and w (3,), but must raise ValueError naming the shapes of x and w" in silent.message
    assert judge(raising("no"), given(())).message == "refuses x (1, 3)"


class ShapeError(ValueError):
    """What a careful student raises."""


def test_a_class_of_ones_own_may_be_the_value_error() -> None:
    assert judge(raising("x (1, 3), w (3,)", ShapeError), given(None)).status is Status.PASSED
    assert judge(raising("x (1, 3), w (3,)", TypeError), given(None)).status is Status.FAILED
