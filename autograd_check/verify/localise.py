"""Which entries of a gradient are wrong, by bisection along directions: no reference is needed.

⟨g, u⟩ is linear in u, so what a direction sees of the error is the sum of what its two halves see. Each level measures the
left half of every range that holds an error and takes the right half as the rest: about 6·k·log₂N evaluations for k wrong
entries out of N, and a last probe of the corrected gradient that shows that none was missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from autograd_check.verify.differences import Estimate
from autograd_check.verify.finding import Status
from autograd_check.verify.ground import Ground
from autograd_check.verify.lines import Line, draw_lines
from autograd_check.verify.probes import probe_vjp
from autograd_check.verify.verdict import SAFETY

MOST = 64
"""More ranges with errors than this at one level are not followed: then it is no matter of single entries."""
ATTEMPTS = 3
PRECISE = 1e-9
"""How closely, relative to itself, the right value of one entry should be known."""


Estimates = Callable[[Sequence[Line]], Sequence[Estimate]]


@dataclass(frozen=True)
class Span:
    """The flat entries from `start` up to `stop`, and the error that the direction sees in them, to `tolerance`."""

    start: int
    stop: int
    error: float
    tolerance: float

    @property
    def wrong(self) -> bool:
        """Whether there is an error beyond doubt."""
        return not abs(self.error) <= self.tolerance


def corrected(ground: Ground, name: str, gradient: Tensor, generator: Generator, *, most: int = MOST) -> Tensor | None:
    """The gradient of the tensor `name` with its wrong entries set right, the others as they are.

    None where the errors are too many to follow, or where the corrected gradient still fails.
    """
    right = gradient.detach().clone(memory_format=torch.contiguous_format)
    slack = torch.zeros_like(right.abs())
    for attempt in range(ATTEMPTS):
        found = _wrong_entries(ground, name, right, generator, most, careful=attempt > 0)
        if found is None:
            return None
        values = _entries(ground, name, found)
        for place, value in values.items():
            right.view(-1)[place] = torch.tensor(value, dtype=right.dtype)
            slack.view(-1)[place] = PRECISE * abs(value)
        if _passes(ground, name, right, slack, generator):
            return right
    return None


def _wrong_entries(
    ground: Ground, name: str, gradient: Tensor, generator: Generator, most: int, *, careful: bool
) -> list[int] | None:
    """Places of the entries whose error a direction sees, in three steps of it or (`careful`) on the whole ladder."""
    estimates = (lambda lines: [one.estimate for one in ground.careful(lines, whole=True)]) if careful else ground.quick
    whole = ground.settle(draw_lines(ground.point.primals, [name], ("capped",), generator))[0]
    if not whole.step:
        return None
    total = gradient.numel()
    ranges = [span for span in _measure(estimates, whole, gradient, [(0, total)]) if span.wrong]
    entries: list[int] = []
    while ranges:
        entries += [span.start for span in ranges if span.stop - span.start == 1]
        ranges = [span for span in ranges if span.stop - span.start > 1]
        if len(ranges) + len(entries) > most:
            return None
        halves = [(span.start, (span.start + span.stop) // 2) for span in ranges]
        lefts = _measure(estimates, whole, gradient, halves)
        rights = [
            Span(left.stop, span.stop, span.error - left.error, span.tolerance + left.tolerance)
            for span, left in zip(ranges, lefts, strict=True)
        ]
        doubtful = [span for span in rights if not span.wrong or abs(span.error) <= 4 * span.tolerance]
        again = iter(_measure(estimates, whole, gradient, [(span.start, span.stop) for span in doubtful]))
        rights = [next(again) if span in doubtful else span for span in rights]
        ranges = [span for span in (*lefts, *rights) if span.wrong]
    return sorted(entries)


def _measure(estimates: Estimates, whole: Line, gradient: Tensor, ranges: Sequence[tuple[int, int]]) -> list[Span]:
    """The error that the direction sees in each range of entries."""
    lines = [_restricted(whole, start, stop) for start, stop in ranges]
    return [
        _span(line, gradient, estimate, start, stop)
        for line, estimate, (start, stop) in zip(lines, estimates(lines) if lines else [], ranges, strict=True)
    ]


def _span(line: Line, gradient: Tensor, estimate: Estimate, start: int, stop: int) -> Span:
    analytic, size = line.slope(gradient)
    tolerance = SAFETY * estimate.error + 8 * torch.finfo(torch.float64).eps * size
    return Span(start, stop, analytic - estimate.value, tolerance)


def _restricted(whole: Line, start: int, stop: int) -> Line:
    u = torch.zeros_like(whole.u, memory_format=torch.contiguous_format)
    u.view(-1)[start:stop] = whole.u.reshape(-1)[start:stop]
    return replace(whole, u=u)


def _entries(ground: Ground, name: str, places: Sequence[int]) -> Mapping[int, complex | float]:
    """The right values of single entries, each measured along its own axis (both axes of a complex one)."""
    x = ground.point.primals[name]
    size = x.detach().abs().reshape(-1)
    rms = float(size.square().mean().sqrt()) or 1.0
    values: dict[int, complex | float] = {}
    for axis in (1.0, 1j) if x.is_complex() else (1.0,):
        lines = [_axis(name, x, place, axis, max(float(size[place]), rms / 16)) for place in places]
        steady = ground.settle(lines)
        known = iter(ground.careful([line for line in steady if line.step]))
        for place, line in zip(places, steady, strict=True):
            slope = next(known).estimate.value / line.narrowest if line.step else float("nan")
            values[place] = values.get(place, 0.0) + (slope if axis == 1.0 else axis * slope)
    return values


def _axis(name: str, x: Tensor, place: int, axis: complex, width: float) -> Line:
    width = 2.0 ** round(math.log2(width))
    u = torch.zeros_like(x, memory_format=torch.contiguous_format)
    u.view(-1)[place] = torch.tensor(axis * width, dtype=x.dtype)
    return Line(name, 0, "entry", u, 2.0**-6, width)


def _passes(ground: Ground, name: str, gradient: Tensor, slack: Tensor, generator: Generator) -> bool:
    seed = int(torch.randint(0, 2**31, (), generator=generator))
    found = probe_vjp(
        ground.sweep,
        ground.point,
        {name: gradient},
        ground.dout,
        wrt=[name],
        regrad=lambda _: None,
        seed=seed,
        base=ground.base,
        spread=lambda _: [slack],
    )
    return found[name].status is not Status.FAILED
