"""Gradients without an oracle: where finite differences contradict one, which entries are wrong, and by how much.

⟨g, u⟩ is linear in u, so what a direction sees of the error is the sum of what its two halves see. Each level measures the
left half of every range that holds an error and takes the right half as the rest: about 6·k·log₂N evaluations for k wrong
entries out of N, and a last probe of the corrected gradient that shows that none was missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import Estimate
from autograd_check.verify.finding import Diagnosis, Finding, Status
from autograd_check.verify.rays import Ray, draw_rays, only, steps_of
from autograd_check.verify.slope import Slopes, Sweep, slopes_at
from autograd_check.verify.tensors import compare, has_room, largest, leaves, mismatch_text, named_leaves, norm, replaced
from autograd_check.verify.tolerances import DOUBTFUL, EPS, LOOSE, NARROWEST, PRECISE, SAFETY, TAPED
from autograd_check.verify.verdict import Gradients, Probe

MOST = 64
"""More ranges with errors than this at one level are not followed: then it is no matter of single entries."""
MOST_ENTRIES = 512
"""Up to this size every entry of a wrong gradient is differenced, so that its cause can be looked for."""
ATTEMPTS = 3

Estimates = Callable[[Sequence[Ray]], Sequence[Estimate]]


@dataclass(frozen=True)
class Suspect:
    """A gradient that finite differences contradict: what it is called, where it was taken, and who can tell more about it.

    `tape` is autograd's gradient of the same forward, None where it does not reach; `explain` finds a cause, given the right gradient.
    """

    subject: str
    name: str
    point: Point
    gradient: Any
    dout: Any
    sweep: Sweep
    tape: Any
    explain: Callable[[Suspect, Tensor], Diagnosis | None]

    def part(self, leaf: int) -> Suspect:
        """One tensor of a nest: it alone becomes the primal, and is put back in its place for every evaluation."""
        nest, name = self.point.primals[self.name], self.name
        path, x = list(named_leaves(nest, self.subject))[leaf]

        def nested(part: Point) -> Point:
            return Point({**part.primals, name: replaced(nest, leaf, part.primals[name])}, part.hyper)

        own = leaves(self.tape)
        return replace(
            self,
            subject=path,
            point=Point({**self.point.primals, name: x}, self.point.hyper),
            gradient=leaves(self.gradient)[leaf],
            sweep=lambda points, signatures: self.sweep([nested(part) for part in points], signatures),
            tape=own[leaf] if leaf < len(own) else None,
        )


def locate(finding: Finding, suspect: Suspect, leaf: int = 0) -> Finding:
    """The finding with a mismatch and a cause, from the tape where it reaches and from differences elsewhere.

    `leaf` is the number of the tensor in a nested primal; the text then says which one it is.
    """
    if isinstance(suspect.point.primals[suspect.name], Tensor):
        return _locate(finding, suspect)
    part = suspect.part(leaf)
    found = _locate(finding, part)
    return found if found is finding else replace(found, message=f"{part.subject}: {found.message}")


def _locate(finding: Finding, suspect: Suspect) -> Finding:
    x, gradient = suspect.point.primals[suspect.name], suspect.gradient
    if not isinstance(gradient, Tensor) or not isinstance(x, Tensor) or gradient.shape != x.shape:
        return finding
    expected, slack = _expected(suspect, x)
    if expected is None or not bool(torch.isfinite(expected).all()):
        return finding
    scale = max(largest(expected), largest(torch.nan_to_num(gradient)))
    mismatch = compare(gradient.detach().to(expected.dtype), expected, slack * scale)
    if mismatch is None:
        return finding
    located = replace(finding, message=f"{mismatch_text(mismatch)}; {finding.message}", mismatch=mismatch)
    return located if x.is_complex() else located.explained(suspect.explain(suspect, expected))


def _expected(suspect: Suspect, x: Tensor) -> tuple[Tensor | None, float]:
    """The right gradient as far as it can be known, and what counts as a difference from it, relative to its largest entry."""
    if isinstance(suspect.tape, Tensor):
        return suspect.tape, TAPED
    slopes = slopes_at(suspect.sweep, suspect.point, suspect.dout)
    if slopes is None:
        return None, 0
    if bool(torch.isfinite(suspect.gradient).all()):
        found = corrected(slopes, suspect.name, suspect.gradient, Generator().manual_seed(0))
        if found is not None:
            return found, 0
    if x.numel() > MOST_ENTRIES or x.is_complex():
        return None, 0
    values = entries(slopes, suspect.name, range(x.numel()))
    measured = torch.tensor([values[place] for place in range(x.numel())], dtype=torch.float64, device=x.device).reshape(x.shape)
    return torch.where(torch.isfinite(x), measured, suspect.gradient), LOOSE  # nothing is known of what does not move


# --- Bisection -------------------------------------------------------------------------------------------------------


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


def corrected(slopes: Slopes, name: str, gradient: Tensor, generator: Generator, *, most: int = MOST) -> Tensor | None:
    """The gradient of the tensor `name` with its wrong entries set right, the others as they are.

    None where the errors are too many to follow, or where the corrected gradient still fails.
    """
    right = gradient.detach().clone(memory_format=torch.contiguous_format)
    slack = torch.zeros_like(right.abs())
    for attempt in range(ATTEMPTS):
        found = _wrong_entries(slopes, name, right, generator, most, careful=attempt > 0)
        if found is None:
            return None
        for place, value in entries(slopes, name, found).items():
            right.view(-1)[place] = torch.tensor(value, dtype=right.dtype, device=right.device)
            slack.view(-1)[place] = PRECISE * abs(value)
        if _passes(slopes, name, right, slack, generator):
            return right
    return None


def _wrong_entries(
    slopes: Slopes, name: str, gradient: Tensor, generator: Generator, most: int, *, careful: bool
) -> list[int] | None:
    """Places of the entries whose error a direction sees, in three steps of it or (`careful`) on the whole ladder."""
    estimates = (lambda rays: [one.estimate for one in slopes.careful(rays, whole=True)]) if careful else slopes.quick
    whole = slopes.settle(draw_rays(slopes.point.primals, [name], ("capped",), generator))[0]
    if not whole.step:
        return None
    ranges = [span for span in _measure(estimates, whole, gradient, [(0, gradient.numel())]) if span.wrong]
    places: list[int] = []
    while ranges:
        places += [span.start for span in ranges if span.stop - span.start == 1]
        ranges = [span for span in ranges if span.stop - span.start > 1]
        if len(ranges) + len(places) > most:
            return None
        lefts = _measure(estimates, whole, gradient, [(span.start, (span.start + span.stop) // 2) for span in ranges])
        rights = [
            Span(left.stop, span.stop, span.error - left.error, span.tolerance + left.tolerance)
            for span, left in zip(ranges, lefts, strict=True)
        ]
        doubtful = [span for span in rights if not span.wrong or abs(span.error) <= DOUBTFUL * span.tolerance]
        again = iter(_measure(estimates, whole, gradient, [(span.start, span.stop) for span in doubtful]))
        rights = [next(again) if span in doubtful else span for span in rights]
        ranges = [span for span in (*lefts, *rights) if span.wrong]
    return sorted(places)


def _measure(estimates: Estimates, whole: Ray, gradient: Tensor, ranges: Sequence[tuple[int, int]]) -> list[Span]:
    """The error that the direction sees in each range of entries."""
    rays = [replace(whole, u=only(whole.u, slice(start, stop), whole.u.reshape(-1)[start:stop])) for start, stop in ranges]
    spans = []
    for ray, estimate, (start, stop) in zip(rays, estimates(rays) if rays else [], ranges, strict=True):
        analytic, size = ray.slope(gradient)
        spans.append(Span(start, stop, analytic - estimate.value, SAFETY * (estimate.error + EPS * size)))
    return spans


def entries(slopes: Slopes, name: str, places: Sequence[int]) -> Mapping[int, complex | float]:
    """The right values of single entries, each measured along its own axis (a complex one's both); nan where it has none."""
    x: Tensor = slopes.point.primals[name]
    size = x.detach().abs().reshape(-1)
    rms = norm(size) / math.sqrt(max(1, int(torch.isfinite(size).sum()))) or 1.0
    values: dict[int, complex | float] = dict.fromkeys(places, math.nan)
    moving = [place for place in places if bool(torch.isfinite(size[place]))]
    values.update(dict.fromkeys(moving, 0.0))
    for axis in (1.0, 1j) if x.is_complex() else (1.0,):
        rays = [_axis(name, x, place, axis, max(float(size[place]), NARROWEST * rms)) for place in moving]
        steady = slopes.settle(rays)
        known = iter(slopes.careful([ray for ray in steady if ray.step]))
        for place, ray in zip(moving, steady, strict=True):
            slope = next(known).estimate.value / ray.narrowest if ray.step else math.nan
            values[place] += slope if axis == 1.0 else axis * slope
    return values


def _axis(name: str, x: Tensor, place: int, axis: complex, width: float) -> Ray:
    width = 2.0 ** round(math.log2(width))
    u = only(x, place, torch.tensor(axis * width, dtype=x.dtype, device=x.device))
    return Ray(name, 0, "entry", u, steps_of(x)[0], width, has_room(x))


def _passes(slopes: Slopes, name: str, gradient: Tensor, slack: Tensor, generator: Generator) -> bool:
    seed = int(torch.randint(0, 2**31, (), generator=generator, device="cpu"))
    probe = Probe(slopes.sweep, slopes.point, slopes.dout, [name], seed, slopes.base)
    found = probe.verdicts(Gradients({name: gradient}, lambda _: [slack]), lambda _: None)
    return found[name].status is not Status.FAILED
