"""The one entry to all kinds of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import torch
from torch import Generator

from autograd_check.causes import Cause
from autograd_check.course.spec import Probe
from autograd_check.grade.context import Context
from autograd_check.requests import Candidate
from autograd_check.verify.candidate import Failure, Outcome, Point
from autograd_check.verify.contract import failure_finding
from autograd_check.verify.finding import Finding, Kind, Status, failed, lost_process


@singledispatch
def check_task(task: Any, context: Context) -> list[Finding]:
    """All findings of one task. Raises `TypeError` for a task of an unknown kind."""
    raise TypeError(f"No check is registered for tasks of type {type(task).__name__}; add a module to grade/kinds.")


def draw(probe: Probe, seed: int) -> Point:
    """The probe's primals drawn with this seed, each from a stream of its own; nothing else depends on the order."""
    primals = {
        name: sample(Generator().manual_seed(seed * 7919 + 31 * number))
        for number, (name, sample) in enumerate(probe.primals.items())
    }
    return Point(primals, probe.hyper)


def unusable(candidate: Candidate, functions: tuple[str, ...], subject: str = "out") -> list[Finding]:
    """A finding where the file did not load or a function is missing; else nothing."""
    loaded = candidate.loaded()
    if loaded.failure is not None:
        return [failure_finding("loads", subject, "", "the file", loaded.failure, Kind.VALUE)]
    for function in functions:
        if function not in candidate.functions():
            text = f"{function} is not defined in this file"
            return [failed("defined", subject, "", text, Kind.VALUE, Cause.MISSING)]
    return []


def failed_call(function: str, outcome: Outcome, probe: str, subject: str = "out") -> Finding:
    """The finding for a call that gave no value."""
    failure = outcome.failure or Failure(Cause.CRASHED, "no value came back")
    return failure_finding("runs", subject, probe, function, failure, Kind.VALUE)


def unchanged(function: str, outcome: Outcome, probe: str) -> list[Finding]:
    """A convention's finding where a call changed its arguments."""
    if not outcome.changed:
        return []
    text = f"{outcome.changed[0]} was changed in place by {function}; make a new tensor instead"
    return [
        failed(
            "unmodified", function, probe, text, Kind.CONVENTION, Cause.MUTATES_INPUT, evidence={"changed": outcome.changed[0]}
        )
    ]


def float64(value: Any) -> torch.Tensor:
    """A number or tensor as a float64 tensor."""
    return torch.as_tensor(value, dtype=torch.float64)  # by way of float32, python's 0.1 would lose half of its digits


def stopped(findings: Sequence[Finding]) -> bool:
    """Whether more checks make no sense: the file does not load, a function is missing or not written, the process is lost."""
    return any(f.check in ("loads", "defined") or f.status is Status.TODO or lost_process(f) for f in findings)


def kind_of(subject: str) -> Kind:
    """A gradient's kind for `d...`, a value's for anything else."""
    return Kind.GRADIENT if subject.startswith("d") else Kind.VALUE
