"""How long one forward and one backward take, for lessons that are about it: loops over every entry are told from array code."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from torch import Generator

from autograd_check.causes import Cause
from autograd_check.course.spec import Layer
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import draw
from autograd_check.verify.finding import Finding, Kind, failed, passed
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.trial import draw_cotangent

TIMES = 50
"""Array code takes a few times as long as torch, a loop over entries thousands of times."""
GRACE = 0.05
"""Seconds on top, for the way to another process and back."""
TRIES = 3


def check_speed(task: Layer, context: Context) -> list[Finding]:
    """A convention's finding about the time at the size of `task.bench`, measured by the grader's own clock.

    The quickest of three tries counts, so that a busy machine costs nobody anything.
    """
    if not task.swift or task.bench is None:
        return []
    point = draw(task.bench, context.seed)
    out = task.oracle(*point.primals.values(), **point.hyper)
    dout = draw_cotangent(out, Generator().manual_seed(context.seed))
    torchs = _quickest(lambda: oracle_vjp(task.oracle, point, task.wrt, dout), 0.0)
    limit = TIMES * torchs + GRACE
    own = _quickest(lambda: context.candidate.vjp(task.forward, task.backward, point, [dout]), limit)
    where = task.bench.name
    if own <= limit:
        return [passed("fast", task.backward, where, "as fast as array code is", Kind.CONVENTION)]
    text = (
        f"one forward and backward of {where} took {own:.2g} s, torch's take {torchs:.1g} s: this lesson is about speed, so let "
        "operations on whole arrays do what loops do"
    )
    return [failed("fast", task.backward, where, text, Kind.CONVENTION, Cause.SLOW)]


def _quickest(call: Callable[[], Any], enough: float) -> float:
    """The least time of a few calls, in seconds; no more of them once one took at most `enough`."""
    best = float("inf")
    for _ in range(TRIES):
        start = time.monotonic()
        call()
        best = min(best, time.monotonic() - start)
        if best <= enough:
            break
    return best
