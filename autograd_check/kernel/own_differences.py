"""A kernel against differences of itself, in its own precision.

⟨d, f(x + h·u) − f(x − h·u)⟩ is held against the gradient along the step that was really taken, since x ± h·u rounds. What is left over has
a part that grows with h (an error of the gradient), one that grows with h³ (truncation) and one that does not grow (noise), and
many directions tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.kernel.call import GIVEN, Kernel, in_float64, repeatable, tensors_of, unit_of
from autograd_check.kernel.wrongness import border
from autograd_check.verify.candidate import Point
from autograd_check.verify.contract import shape_text
from autograd_check.verify.finding import Diagnosis, Finding, Kind, failed, inconclusive, passed
from autograd_check.verify.rays import drawn_on, real_dtype
from autograd_check.verify.tensors import is_differentiable, largest, leaves, named_leaves, norm, replaced
from autograd_check.verify.tolerances import (
    KERNEL_DIRECTIONS,
    KERNEL_DRAWS,
    KERNEL_GROUPS,
    KERNEL_MORE,
    KERNEL_SIGMAS,
    KERNEL_STEPS,
    LEAST_GRAIN,
    NOISY,
    RATIO,
    ROUNDOFF,
    SAFETY,
    TOO_COARSE,
)
from autograd_check.verify.trial import draw_cotangent

AGAIN = 5
"""So many more directions are asked about a group that does not fit."""

ALONE = "in its own precision"


@dataclass(frozen=True)
class Measured:
    """What a direction says: the rate of what is left over, which is 0 for a right gradient, its bound, and what was compared."""

    rest: float
    deviation: float
    truncation: float
    predicted: float
    size: float

    def bound(self, unit: float) -> float:
        """What a right gradient's rest stays below."""
        return SAFETY * self.truncation + NOISY * self.deviation + KERNEL_SIGMAS * unit * self.size

    def wrong(self, unit: float) -> bool:
        """Whether the rest is beyond doubt."""
        return not abs(self.rest) <= self.bound(unit)


def alone(kernel: Kernel) -> Iterator[Finding]:
    """Every gradient against differences of the kernel itself, in its own precision."""
    out, _, failure = kernel.run(None)
    if failure is not None:
        yield failure
        return
    yield from repeatable(kernel, out)
    dout = draw_cotangent(out, Generator().manual_seed(kernel.seed))
    _, grads, failure = kernel.run(dout)
    if failure is not None or grads is None:
        if failure is not None:
            yield failure
        return
    line = Line(kernel, out, [in_float64(leaf) for leaf in tensors_of(dout)])
    for place, name in enumerate(kernel.names.wrt):
        named = list(named_leaves(kernel.point.primals[name], f"d{name}"))
        for leaf, ((path, x), g) in enumerate(zip(named, leaves(grads[place]), strict=True)):
            if not is_differentiable(x) or not x.numel():
                continue
            if g.shape != x.shape:
                text = f"{path} has shape {shape_text(g.shape)}, expected {shape_text(x.shape)}, the shape of {path[1:]}"
                yield failed(ALONE, path, GIVEN, text, Kind.GRADIENT, Cause.WRONG_SHAPE)
            elif not bool(torch.isfinite(g).all()):
                text = f"{path} has {int((~torch.isfinite(g)).sum())} of {g.numel()} entries that are not finite"
                yield failed(ALONE, path, GIVEN, text, Kind.GRADIENT, Cause.NOT_FINITE)
            else:
                yield _judged(line, name, leaf, path, x.detach(), in_float64(g))


@dataclass(frozen=True)
class Line:
    """⟨d, f⟩ along lines through the point, with what rounding adds to it."""

    kernel: Kernel
    out: Any
    weights: list[Tensor]

    def measure(self, name: str, leaf: int, x: Tensor, g: Tensor, directions: Sequence[Tensor], grain: float) -> list[Measured]:
        """What each direction says of the gradient. `grain` is the noise of an output's entry over its unit round-off."""
        first, last = KERNEL_STEPS[real_dtype(x)]
        count = round(math.log(first / last, RATIO)) + 1
        steps = [first / RATIO**level for level in range(count)]
        moved = [[*(_moved(x, u, side * h) for h in steps for side in (1, -1)), _poisoned(x, u)] for u in directions]
        points = [self._at(name, leaf, there) for row in moved for there in row]
        outs = iter(self._sweep(points))
        found = []
        for u, row in zip(directions, moved, strict=True):
            rests, noises = [], []
            answers = [next(outs) for _ in row]
            for level, h in enumerate(steps):
                value, noise = self._difference(answers[2 * level], answers[2 * level + 1], answers[-1])
                taken = in_float64(row[2 * level]) - in_float64(row[2 * level + 1])
                rests.append((value - float((g.conj() * taken).real.sum())) / (2 * h))
                noises.append(grain * noise)
            products = (g.conj() * in_float64(u)).real
            size, predicted = norm(products), float(products.sum())
            usable = [k for k, rest in enumerate(rests) if math.isfinite(rest)]
            if not usable:
                found.append(Measured(0.0, math.inf, math.inf, predicted, size))
                continue
            found.append(_best([rests[k] for k in usable], [steps[k] for k in usable], max(noises), predicted, size))
        return found

    def shows(self, name: str, leaf: int, x: Tensor, g: Tensor, directions: Sequence[Tensor], grain: float, unit: float) -> bool:
        """Whether most of some directions see an error: how far a function bends is misjudged along one of them now and then."""
        return sum(one.wrong(unit) for one in self.measure(name, leaf, x, g, directions, grain)) > len(directions) / 2

    def grain(self, name: str, leaf: int, x: Tensor, g: Tensor, generator: Generator) -> float:
        """The noise of an output's entry over its unit round-off: seen where the input moves by units in its last place."""
        units = torch.finfo(x.dtype).eps
        near = [
            (x * (1 + units * drawn_on(in_float64(x).real, x.shape, generator).sign())).to(x.dtype) for _ in range(KERNEL_DRAWS)
        ]
        ratios = []
        for there, out in zip(near, self._sweep([self._at(name, leaf, there) for there in near]), strict=True):
            value, noise = self._difference(out, self.out, None)
            rest = abs(value - float((g.conj() * (in_float64(there) - in_float64(x))).real.sum()))
            ratios.append(rest / noise if noise else 0.0)
        kept = [ratio for ratio in ratios if math.isfinite(ratio)]
        return max(LEAST_GRAIN, math.sqrt(sum(ratio**2 for ratio in kept) / len(kept))) if kept else 1.0

    def _difference(self, one: Any, other: Any, poisoned: Any) -> tuple[float, float]:
        """⟨d, one − other⟩, and its noise if every entry that could change was rounded once in either.

        Those are the entries that are not a number where what moves is `poisoned` so; all of them where nobody knows.
        """
        if one is None or other is None:
            return math.nan, math.nan
        total, squares = 0.0, 0.0
        poison = [None] * len(self.weights) if poisoned is None else tensors_of(poisoned)
        for a, b, ill, weight in zip(tensors_of(one), tensors_of(other), poison, self.weights, strict=True):
            change = in_float64(a) - in_float64(b)
            change = torch.where(torch.isfinite(change), change, 0)
            total += float((weight.conj() * change).real.sum())
            size = torch.nan_to_num(in_float64(a), 0.0, 0.0, 0.0)
            size = size if ill is None else torch.where((change != 0) | ~torch.isfinite(ill), size, 0)
            unit = float(torch.finfo(real_dtype(a)).eps) / 2
            squares += (unit * norm(size * weight)) ** 2
        return total, math.sqrt(squares)

    def _at(self, name: str, leaf: int, there: Tensor) -> Point:
        nest = replaced(self.kernel.point.primals[name], leaf, there)
        return Point({**self.kernel.point.primals, name: nest}, self.kernel.point.hyper)

    def _sweep(self, points: Sequence[Point]) -> list[Any]:
        outcome = self.kernel.candidate.sweep(self.kernel.names.forward, points)
        return [row[0] for row in outcome.value] if outcome.value is not None else [None] * len(points)


def _best(rests: Sequence[float], steps: Sequence[float], noise: float, predicted: float, size: float) -> Measured:
    """The level of a ladder with the least error: its value without the term in h², all of which counts as truncation."""
    levels = []
    for (before, rest), step in zip(zip(rests, rests[1:], strict=False), steps[1:], strict=False):
        correction = (rest - before) / (RATIO**2 - 1)
        levels.append(Measured(rest + correction, ROUNDOFF * noise / step, abs(correction), predicted, size))
    return min(levels, key=lambda one: one.bound(0), default=Measured(0.0, math.inf, math.inf, predicted, size))


def _moved(x: Tensor, u: Tensor, t: float) -> Tensor:
    return (in_float64(x) + t * in_float64(u)).to(x.dtype)


def _poisoned(x: Tensor, u: Tensor) -> Tensor:
    """x with nan in every entry that moves: what it reaches is not a number either."""
    return torch.where(u != 0, torch.full_like(x, math.nan), x)


def _directions(x: Tensor, g: Tensor, generator: Generator, count: int = KERNEL_DIRECTIONS) -> list[Tensor]:
    """One to two times the root mean square of x in every entry that is finite; every second one has the signs of the gradient.

    Along those the function changes most, so that a factor common to all entries shows best; random signs see the rest.
    """
    size = in_float64(x).abs()
    finite = torch.isfinite(size)
    rms = float(torch.where(finite, size, 0).square().mean().sqrt()) or 1.0

    def draw(aligned: bool) -> Tensor:
        u = drawn_on(size, size.shape, generator)
        u = (u + u.sign()) * rms
        if aligned and not x.is_complex():
            u = torch.where(g != 0, u.abs() * g.sign(), u)
        if x.is_complex():
            other = drawn_on(size, size.shape, generator)
            u = torch.complex(u, (other + other.sign()) * rms)
        return torch.where(finite, u, 0)

    return [draw(bool(number % 2)) for number in range(count)]


def _judged(line: Line, name: str, leaf: int, path: str, x: Tensor, g: Tensor) -> Finding:
    if not bool(torch.isfinite(x).any()):
        return inconclusive(ALONE, path, GIVEN, f"no entry of {path[1:]} is finite, so that nothing can move")
    generator = Generator().manual_seed(line.kernel.seed)
    unit = unit_of(real_dtype(x))
    grain = line.grain(name, leaf, x, g, generator)
    whole = _directions(x, g, generator)
    measured = line.measure(name, leaf, x, g, whole, grain)
    while not _common(measured, unit)[1] <= TOO_COARSE / 2 and len(measured) < KERNEL_DIRECTIONS * KERNEL_MORE:
        more = _directions(x, g, generator, 3 * len(measured))
        measured = [*measured, *line.measure(name, leaf, x, g, more, grain)]
    scale = largest(g) or 1.0
    width = norm(whole[0]) / math.sqrt(x.numel())
    factor, bound = _common(measured, unit)
    if _seen(measured, unit) or abs(factor) > bound:
        confirmed = line.measure(name, leaf, x, g, _directions(x, g, generator, len(measured)), grain)
        again, limit = _common(confirmed, unit)
        if (_seen(measured, unit) and _seen(confirmed, unit)) or (abs(factor) > bound and abs(again) > limit):
            worst = max((*measured, *confirmed), key=lambda one: abs(one.rest) / (one.bound(unit) or 1.0))
            return _wrong(path, worst, unit, scale, width)
    bounds = _groups(x.numel())
    pieces = [_piece(whole[0], start, stop) for start, stop in bounds]
    apart = line.measure(name, leaf, x, g, pieces, grain) if len(bounds) > 1 else measured[:1]
    suspects = [k for k, one in enumerate(apart) if one.wrong(unit)]
    if suspects and len(bounds) > 1:
        others = _directions(x, g, generator, AGAIN)
        suspects = [k for k in suspects if line.shows(name, leaf, x, g, [_piece(u, *bounds[k]) for u in others], grain, unit)]
    if suspects:
        return _wrong_group(path, [bounds[k] for k in suspects], apart[suspects[0]], unit, x)
    entry = max(one.bound(unit) for one in apart) / width / scale
    if not bound <= TOO_COARSE:
        text = f"rounding in {_name(x)} leaves nothing to see: a factor of {1 + bound:.2g} common to all entries would not show"
        return inconclusive(ALONE, path, GIVEN, text)
    text = (
        f"matches differences of the function in {_name(x)}; a factor of {1 + bound:.2g} common to all entries, or an error above "
        f"{entry:.1g} of the largest entry, would have been seen"
    )
    return passed(ALONE, path, GIVEN, text, Kind.GRADIENT)


def _seen(measured: Sequence[Measured], unit: float) -> bool:
    """Whether a quarter of the directions see an error, or all of them together.

    One that only those with the signs of the gradient see is seen by half. Noise leaves half a deviation at most in the root mean
    square, which 16 directions tell to a fifth of itself: where it is above a whole one, something else is left over.
    """
    if sum(one.wrong(unit) for one in measured) > len(measured) / 4:
        return True
    told = [(one.rest, one.deviation, SAFETY * one.truncation, one.size) for one in measured if math.isfinite(one.truncation)]
    if len(told) < KERNEL_DIRECTIONS:
        return False
    rest, deviation, truncation, size = (math.hypot(*values) for values in zip(*told, strict=True))
    return rest > deviation + truncation + KERNEL_SIGMAS * unit * size


def _common(measured: Sequence[Measured], unit: float) -> tuple[float, float]:
    """By how much the gradient is off in common, relative to itself, from all directions together; and the bound of that."""
    weights = [one.predicted / ((one.deviation + one.truncation + unit * one.size) ** 2 or 1.0) for one in measured]
    total = sum(weight * one.predicted for weight, one in zip(weights, measured, strict=True))
    if not total or not math.isfinite(total):
        return 0.0, math.inf if any(one.predicted for one in measured) else 0.0
    factor = sum(weight * one.rest for weight, one in zip(weights, measured, strict=True)) / total
    noise = math.hypot(*(w * (one.deviation + unit * one.size) for w, one in zip(weights, measured, strict=True))) / abs(total)
    slip = sum(abs(w) * one.truncation for w, one in zip(weights, measured, strict=True)) / abs(total)
    return factor, NOISY * noise + SAFETY * slip / math.sqrt(len(measured))


def _groups(count: int) -> list[tuple[int, int]]:
    number = min(count, KERNEL_GROUPS)
    ends = [count * k // number for k in range(number + 1)]
    return list(zip(ends, ends[1:], strict=False))


def _piece(u: Tensor, start: int, stop: int) -> Tensor:
    piece = torch.zeros_like(u, memory_format=torch.contiguous_format)
    piece.view(-1)[start:stop] = u.reshape(-1)[start:stop]
    return piece


def _name(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def _wrong(path: str, worst: Measured, unit: float, scale: float, width: float) -> Finding:
    text = (
        f"along a random direction the function changes by {worst.predicted + worst.rest:.5g}, {path} says {worst.predicted:.5g} "
        f"(error bound {worst.bound(unit):.1g}, resolution {worst.bound(unit) / width / scale:.1g} of the largest entry)"
    )
    cause, says = (
        Cause.UNKNOWN,
        f"{path} does not fit the function; give the definition as oracle= to see which entries are wrong.",
    )
    if worst.predicted == 0 == worst.size:
        cause, says = Cause.ZERO_GRADIENT, f"{path} is zero, and the function is not constant."
    return failed(ALONE, path, GIVEN, text, Kind.GRADIENT, cause, says=says)


def _wrong_group(path: str, groups: Sequence[tuple[int, int]], first: Measured, unit: float, x: Tensor) -> Finding:
    entries = sum(stop - start for start, stop in groups)
    at = list(_index(groups[0][0], x.shape))
    one = f"at {at}" if groups[0][1] - groups[0][0] == 1 else f"from {at} to {list(_index(groups[0][1] - 1, x.shape))}"
    text = (
        f"{entries} of {x.numel()} entries are in groups that do not fit, the first {one}: along it the function changes by "
        f"{first.predicted + first.rest:.4g}, {path} says {first.predicted:.4g} (error bound {first.bound(unit):.1g})"
    )
    wrong = torch.zeros(x.numel(), dtype=torch.bool, device="cpu")
    for start, stop in groups:
        wrong[start:stop] = True
    cause = border(path, wrong.reshape(x.shape)) or Diagnosis(Cause.UNKNOWN, text)
    return failed(ALONE, path, GIVEN, text, Kind.GRADIENT, diagnosis=cause)


def _index(flat: int, shape: Sequence[int]) -> tuple[int, ...]:
    index = []
    for size in reversed(shape):
        index.append(flat % size)
        flat //= size
    return tuple(reversed(index))
