"""Slopes of ⟨dout, f⟩ along rays through one point: the requests that evaluate f there, and what is measured of them.

Two ways to measure a slope. The quick one takes one to three steps, of all tensors at once where it can, and trusts the model of
rounding; agreement with a gradient to many digits needs no more proof. The careful one, for whatever did not agree at once, first shrinks
the step until both ends take the branches of the middle, measures the noise, and goes down the ladder until it converges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import mul, sub
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import Estimate, brief, climb, levels, measured_noise
from autograd_check.verify.precision import RandomRounding
from autograd_check.verify.rays import Path, Ray, Walk
from autograd_check.verify.tensors import few_numbers, is_differentiable, largest, leaves, norm, numbers, paired
from autograd_check.verify.tolerances import (
    BEND,
    CHANCE,
    COARSE,
    COARSE_TICKS,
    CONSTANT,
    DRAWS,
    EPS,
    FADING,
    HUM,
    JUMP,
    KINK,
    NEAR,
    NOISE_FLOOR,
    QUIET,
    RATIO,
    ROUGH,
    SAME,
    STANDS_STILL,
    STEADY,
    TICKS,
)

SMOOTH = b""
"""The branch signature of a run that decided nothing: wherever it runs, it takes the same branches."""

Row = tuple[Any, bytes | None]
"""`(out, signature)` at a point; `out` None where the forward raises, `signature` None if not asked for."""


class Part:
    """One differentiable tensor of an output, its cotangent, its place among the leaves, and where it is finite.

    `finite` is None where it is finite everywhere; elsewhere an entry (the −inf of a mask) counts as constant, and has no weight.
    `few` are the weights as python's numbers, where these are few and the output is finite.
    """

    def __init__(self, place: int, out: Tensor, dout: Tensor) -> None:
        self.place, self.out, self.dout = place, out, dout
        self.finite = None if math.isfinite(largest(out)) else torch.isfinite(out)
        self.few = few_numbers(dout) if self.finite is None and not out.is_complex() else None

    @cached_property
    def weight(self) -> Tensor:
        """What the entries of a difference are multiplied by, in order."""
        weight = self.dout.to(torch.promote_types(self.out.dtype, torch.float64)).conj().reshape(-1)
        return weight if self.finite is None else torch.where(self.finite.reshape(-1), weight, 0)

    def size(self) -> float:
        """‖f·dout‖₂."""
        out = self.out if self.finite is None else torch.where(self.finite, self.out, 0)
        return norm(out.reshape(-1) * self.weight) if self.few is None else paired(out, self.dout)[1]

    def along(self, difference: Tensor) -> float:
        """⟨dout, difference⟩; an entry without weight does not count where an output is not finite."""
        flat = difference.detach().reshape(-1).to(self.weight.dtype)
        if self.finite is not None:
            flat = torch.where(self.weight != 0, flat, 0)
        return float(torch.dot(flat, self.weight).real)


class Pairing:
    """The number under differentiation, φ = ⟨dout, f(x)⟩, around one output: taken of differences before anything is summed.

    For complex outputs it is Re Σ conj(dout)·f, which is what torch's convention differentiates. `finite` is whether all of the output is.
    """

    def __init__(self, base: Any, dout: Any) -> None:
        self._base = leaves(base)
        self._shapes = [getattr(leaf, "shape", None) for leaf in self._base]
        self._parts = [
            Part(place, out.detach(), d)
            for place, (out, d) in enumerate(zip(self._base, leaves(dout), strict=True))
            if is_differentiable(out) and is_differentiable(d) and out.numel()
        ]
        self._sizes = [part.size() for part in self._parts]
        self.finite = all(part.finite is None for part in self._parts)

    def model_noise(self) -> float:
        """2ε‖f·dout‖₂: the noise of one difference if every output entry is rounded once, in its own precision."""
        pairs = zip(self._parts, self._sizes, strict=True)
        return math.hypot(*(NOISE_FLOOR * torch.finfo(part.out.dtype).eps * size for part, size in pairs))

    def size(self) -> float:
        """‖f·dout‖₂."""
        return math.hypot(*self._sizes)

    def change(self, out: Any) -> float:
        """‖dout·(f − base)‖₂; nan where an output is missing or of another shape."""
        given = self._fitting(out)
        if given is None:
            return math.nan
        return math.hypot(*(norm((given[part.place] - part.out).reshape(-1) * part.weight) for part in self._parts))

    def unit(self) -> float:
        """‖dout‖₂: what an output of ones amounts to."""
        return math.hypot(*(float(torch.linalg.vector_norm(part.weight)) for part in self._parts))

    def regular(self, out: Any) -> bool:
        """Whether an output has the shapes of `base` and is finite where it is."""
        given = self._fitting(out)
        return given is not None and all(
            bool(torch.isfinite(given[part.place]).all())
            if part.finite is None
            else torch.equal(torch.isfinite(given[part.place]), part.finite)
            for part in self._parts
        )

    def differences(self, ones: Sequence[Any], others: Sequence[Any] | None = None) -> list[float]:
        """⟨dout, one − other⟩ for every two outputs, or for every one and the base; nan where one is missing or of another shape."""
        against = [self._base] * len(ones) if others is None else map(self._fitting, others)
        totals, usable = [math.nan] * len(ones), []
        for n, (one, other) in enumerate(zip(map(self._fitting, ones), against, strict=True)):
            if one is not None and other is not None:
                totals[n] = 0.0
                usable.append((n, one, other))
        for part in self._parts:
            if part.few is not None:
                for n, one, other in usable:
                    rises = map(sub, numbers(one[part.place]), numbers(other[part.place]))
                    totals[n] += sum(map(mul, rises, part.few))
                continue
            for n, one, other in usable:
                totals[n] += part.along(one[part.place] - other[part.place])
        return totals

    def grain(self, row: Sequence[Any]) -> float:
        """The noise of entries that move at one pair of steps and stand still at the next; what is smooth and flat moved by more before."""
        most, noise = max(JUMP * self.size(), HUM * EPS * self.unit()), 0.0
        for part in self._parts:
            earlier = before = None
            for one, other in zip(row[::2], row[1::2], strict=True):
                sides = [given[part.place].detach() for given in map(self._fitting, (one, other)) if given is not None]
                changes = [(side - part.out).reshape(-1).abs() * part.weight.abs() for side in sides]
                moved = torch.maximum(*changes) if len(changes) == 2 else None
                if moved is not None and before is not None and earlier is not None:
                    still = (moved == 0) & (before <= most) & (earlier <= RATIO**2 * before)
                    noise = math.hypot(noise, norm(before[still]) / RATIO)
                earlier, before = before, moved
        return noise

    def hidden(self, row: Sequence[Any], outs: Sequence[Any]) -> float:
        """How far those entries move at most, in some outputs, that stand still in the first two of a row and move in the others."""
        if any(self._fitting(out) is None for out in (*row, *outs)):
            return 0.0
        moved = [0.0] * len(outs)
        for part in self._parts:
            near, far = (torch.stack([leaves(out)[part.place] != part.out for out in some]).any(0) for some in (row[:2], row[2:]))
            still = (far & ~near).reshape(-1)
            changes = ((leaves(out)[part.place] - part.out).reshape(-1) * part.weight * still for out in outs)
            moved = [math.hypot(size, norm(change)) for size, change in zip(moved, changes, strict=True)]
        return max(moved)

    def alternating(self, rows: Sequence[Row]) -> list[float]:
        """⟨dout, one − other⟩ for rows 0 and 1, 2 and 3, and so on; a batch, which has `columns`, is never cut into rows."""
        columns: Sequence[Tensor] | None = getattr(rows, "columns", None)
        if columns is None:
            outs = [out for out, _ in rows]
            return self.differences(outs[::2], outs[1::2])
        if [column.shape[1:] for column in columns] != self._shapes:
            return [math.nan] * (len(rows) // 2)
        rises = [(part, columns[part.place][::2] - columns[part.place][1::2]) for part in self._parts]
        return [sum(part.along(rise[n]) for part, rise in rises) for n in range(len(rows) // 2)]

    def _fitting(self, out: Any) -> list[Any] | None:
        """The leaves of an output; None where it is missing or of another shape."""
        if isinstance(out, Tensor):
            return [out] if [out.shape] == self._shapes else None
        given = leaves(out)
        return given if [getattr(leaf, "shape", None) for leaf in given] == self._shapes else None


def _come_back(marks: Sequence[bytes | None]) -> bool:
    """Whether a mark returns after another took its place: a step that leaves a kink behind does not meet it again when it is smaller."""
    runs = [mark for mark, before in zip(marks, [b"before", *marks], strict=False) if mark != before]
    return len(set(runs)) < len(runs)


def fits(base: Any, dout: Any) -> bool:
    """Whether a cotangent has the tensors of an output, shape by shape."""
    outs, douts = leaves(base), leaves(dout)
    return len(outs) == len(douts) and all(
        o.shape == d.shape for o, d in zip(outs, douts, strict=True) if is_differentiable(o) and is_differentiable(d)
    )


Sweep = Callable[[Sequence[Point], bool], Sequence[Row]]

CAREFUL_LEVELS = 5
"""How many steps of a ladder are asked for at a time."""


@dataclass
class Slopes:
    """A point, what is known about the function there, and ways to measure its slopes.

    `base` is the output at the point, `signature` its branches (None where not asked for yet), `jitter` by how much the output
    differs from run to run (None where it does not).
    """

    sweep: Sweep
    point: Point
    dout: Any
    base: Any
    signature: bytes | None = None
    jitter: Any = None

    def __post_init__(self) -> None:
        self.pairing = Pairing(self.base, self.dout)
        self.model = self.pairing.model_noise()
        if self.jitter is not None:
            self.model = math.hypot(self.model, NOISE_FLOOR * Pairing(self.jitter, self.dout).size())

    def quick(self, paths: Sequence[Path], walk: Walk | None = None) -> list[Estimate]:
        """The slope along every path from its few steps, one request for all: for the points of `quick_walk`, where it is there already.

        Where the function does not change at all the error is 0.
        """
        rows = self.sweep(walk or quick_walk(self.point, paths), False) if paths else []
        differences, place, found = iter(self.pairing.alternating(rows)), 0, []
        for path in paths:
            quotients = [next(differences) / (2 * step) for step in path.steps]
            noise = self.model
            if not any(quotients):
                outs = [rows[k][0] for k in range(place, place + 2 * len(path.steps))]
                changed = any(self.pairing.differences(outs))
                noise = max(self.model, math.ulp(0.0)) if changed else 0.0
            place += 2 * len(path.steps)
            found.append(brief(quotients, path.steps, noise))
        return found

    def sizes(self, rays: Sequence[Ray]) -> list[float]:
        """‖dout·J u‖₂ for every ray, roughly: what a small step changes."""
        t = [ray.step * NEAR["relative"][-1] for ray in rays]
        rows = self._evaluate(rays, [[step] for step in t])
        return [self.pairing.change(row[0]) / step for row, step in zip(rows, t, strict=True)]

    def settle(self, rays: Sequence[Ray]) -> list[Ray]:
        """Each ray with the step that `reach` gives."""
        return [replace(ray, step=step) for ray, (step, _) in zip(rays, self.reach(rays, RATIO), strict=True)]

    def reach(self, paths: Sequence[Path], ratio: float) -> list[tuple[float, bool]]:
        """For each path its largest step, or one smaller by powers of `ratio`, whose ends run, are finite and take the branches of the middle.

        0 where none does. With it, whether rounding chooses the branches: on the way down some came back that others had replaced.
        """
        if self.signature is None:
            self.signature = self.sweep([self.point], True)[0][1]
        asked = self.signature != SMOOTH
        steps, waiting = [path.steps[0] for path in paths], list(range(len(paths)))
        marks: list[list[list[bytes | None]]] = [[[], []] for _ in paths]
        while waiting:
            answers = self._request([(paths[k], sign * steps[k]) for k in waiting for sign in (1, -1)], asked)
            crossing = []
            for place, k in enumerate(waiting):
                ends = answers[2 * place : 2 * place + 2]
                for side, (_, mark) in zip(marks[k], ends, strict=True):
                    side.append(mark)
                if all(self._regular(out, mark) for out, mark in ends):
                    continue
                least = 2 * paths[k].rays[0].smallest
                steps[k] = steps[k] / ratio if steps[k] / ratio >= least else 0.0
                if steps[k]:
                    crossing.append(k)
            waiting = crossing
        return [(step, any(map(_come_back, sides))) for step, sides in zip(steps, marks, strict=True)]

    def other_form(self, ray: Ray) -> bool:
        """Whether the output has another shape or dtype at the nearest points to either side."""
        answers = self._request([(ray, ray.smallest), (ray, -ray.smallest)], False)
        forms = [[(leaf.shape, leaf.dtype) for leaf in leaves(out) if is_differentiable(leaf)] for out, _ in answers]
        here = [(leaf.shape, leaf.dtype) for leaf in leaves(self.base) if is_differentiable(leaf)]
        return any(out is not None and form != here for (out, _), form in zip(answers, forms, strict=True))

    def flat(self, ray: Ray) -> float | None:
        """A bound on the slope of a function that does not change by more than its noise at any step; None where it changes."""
        steps = _Ladder(ray, self.model).next()
        row = self._evaluate([ray], [[s * h for h in steps for s in (1, -1)]])[0]
        changes = [abs(value) for value in self.pairing.differences(row)] or [math.inf]
        ones, noise = NOISE_FLOOR * EPS * self.pairing.unit(), self.model
        # what rounding leaves of ones changes as much at small steps as at large ones
        if self.pairing.size() <= HUM * ones and max(changes) <= RATIO**2 * max(changes[-4:]):
            noise = max(noise, ones)
        return HUM * noise / ray.step if max(changes) <= HUM * noise else None

    def constant(self, paths: Sequence[Path], steps: Sequence[float]) -> list[bool]:
        """Whether the function does not change at all, to the last bit, from settled steps of some paths that are large enough to tell."""
        shifts = [[s * share * step for share in CONSTANT for s in (1, -1)] if step > STANDS_STILL else [] for step in steps]
        return [bool(row) and not any(self.pairing.differences(row)) for row in self._evaluate(paths, shifts)]

    def careful(self, rays: Sequence[Ray], *, whole: bool = False) -> list[Careful]:
        """Slopes of settled rays with measured noise, each ladder climbed down until it converges (or to its end: `whole`)."""
        if not rays:
            return []
        ladders = [_Ladder(ray, noise) for ray, noise in zip(rays, self._noises(rays), strict=True)]
        waiting = ladders
        while waiting:
            steps = [ladder.next() for ladder in waiting]
            rows = self._evaluate([ladder.ray for ladder in waiting], [[s * h for h in row for s in (1, -1)] for row in steps])
            for ladder, row, new in zip(waiting, rows, steps, strict=True):
                self._go_down(ladder, row, new)
            waiting = [ladder for ladder in waiting if (whole or not ladder.done()) and ladder.next()]
        return [ladder.measured() for ladder in ladders]

    def _go_down(self, ladder: _Ladder, row: Sequence[Any], steps: Sequence[float]) -> None:
        ladder.noise = max(ladder.noise, self.pairing.grain([*ladder.finest, *row]))
        ladder.finest = row[-4:]
        ladder.steps += steps
        differences = self.pairing.differences(row[::2], row[1::2])
        ladder.quotients += [difference / (2 * step) for difference, step in zip(differences, steps, strict=True)]
        sides = self.pairing.differences(row)
        pairs = zip(sides[::2], sides[1::2], steps, strict=True)
        ladder.bends += [abs(plus + minus) / (2 * step) for plus, minus, step in pairs]

    def _noises(self, rays: Sequence[Ray]) -> list[float]:
        """The noise of a difference along each ray, measured; on coarser scales as well while the values stand still."""
        found = [self.model] * len(rays)
        places = list(range(len(rays)))
        for wider in (1.0, *COARSE_TICKS):
            ticks = [wider * min(rays[k].smallest, rays[k].step / TICKS[-1]) for k in places]
            inside = [(k, tick) for k, tick in zip(places, ticks, strict=True) if tick <= rays[k].step / TICKS[-1]]
            rows = self._evaluate([rays[k] for k, _ in inside], [[n * tick for n in TICKS if n] for _, tick in inside])
            for (k, _), row in zip(inside, rows, strict=True):
                found[k] = max(found[k], self._noise(row))
            places = [k for (k, _), row in zip(inside, rows, strict=True) if self._stands_still(row)]
        return found

    def hidden(self, ray: Ray, step: float) -> float:
        """The noise of what moves at the step before and stands still at this one: how far that moves where every operation rounds anew.

        0 where nothing stands still, where the function jumps when it rounds coarsely, and where it runs in another process.
        """
        row = self._evaluate([ray], [[step, -step, RATIO * step, -RATIO * step]])[0]
        outs = []
        for seed in range(DRAWS):
            with RandomRounding(Generator().manual_seed(seed)):
                outs.append(self.sweep([self.point], False)[0][0])
        moved = self.pairing.hidden(row, outs)
        return EPS / COARSE * moved if moved <= ROUGH * self.pairing.size() else 0.0

    def is_noise(self, ray: Ray, noise: float) -> bool:
        """Whether the output is as small as its noise, and that as small as the rounding of numbers like x or 1: it is zero."""
        return self.pairing.size() <= min(HUM * noise, QUIET * max(1.0, largest(ray.u)) * self.pairing.unit())

    def _noise(self, row: Sequence[Any]) -> float:
        values = self.pairing.differences(row)
        noise = measured_noise([*values[:3], 0.0, *values[3:]], TICKS)
        return noise if noise == noise else 0.0

    def _stands_still(self, row: Sequence[Any]) -> bool:
        """Whether two neighbours among tiny steps are equal to the last bit."""
        values = [0.0, *self.pairing.differences(row)]
        return len(set(values)) < len(values)

    def _regular(self, out: Any, mark: bytes | None) -> bool:
        return out is not None and (self.signature == SMOOTH or mark == self.signature) and self.pairing.regular(out)

    def _evaluate(self, paths: Sequence[Path], shifts: Sequence[Sequence[float]]) -> list[list[Any]]:
        stops = [(path, t) for path, row in zip(paths, shifts, strict=True) for t in row]
        answers = iter(self._request(stops, False))
        return [[next(answers)[0] for _ in row] for row in shifts]

    def _request(self, stops: Sequence[tuple[Path, float]], signatures: bool) -> Sequence[Row]:
        return self.sweep(Walk(self.point, stops), signatures) if stops else []


def quick_walk(point: Point, paths: Sequence[Path]) -> Walk:
    """The points that a quick measurement asks for."""
    return Walk(point, [(path, t) for path in paths for step in path.steps for t in (step, -step)])


@dataclass(frozen=True)
class Careful:
    """A slope measured with care: the estimate, the ladder's quotients, and those one-sided bends that are not noise.

    `levels` are the estimates of every level, of which `estimate` was the best.
    """

    estimate: Estimate
    quotients: tuple[float, ...]
    bends: tuple[float, ...]
    levels: tuple[Estimate, ...]

    def against(self, analytic: float) -> Estimate:
        """The estimate that contradicts `analytic` best: where the gap falls by half a level further down, that level's.

        The error of a gradient is the same at every step. What falls with the step is the step's own: a small part of the
        function that varies on a finer scale than the rest, and is lost in the orderly convergence of the large part.
        Where the function jumps nearby, two finer quotients that agree with it beyond chance are the limit; a function that stands still
        at its finest steps, as one that rounds to float32 inside does, says nothing.
        """
        best, gap = self.estimate, abs(self.estimate.value - analytic)
        finer = (q for q, level in zip(self.quotients, self.levels, strict=True) if level.step < best.step)
        near = [q for q in finer if q != 0 and abs(q - analytic) <= CHANCE * gap]
        if len(near) > 1:
            return Estimate(near[-1], max(near) - min(near), 0.0, self.levels[-1].step, settled=True)
        for level in self.levels:
            if level.step < best.step and math.isfinite(level.error):
                if not abs(level.value - analytic) < FADING * abs(best.value - analytic):
                    break
                best = level._replace(settled=best.settled)
        return best

    def noisier(self, noise: float) -> Estimate:
        """The estimate if a difference had this noise."""
        return climb(self.quotients, [level.step for level in self.levels], noise)

    def kinked(self, gap: float) -> bool:
        """Whether a kink right at the point, unseen by the signature, explains that a gradient is off by `gap`.

        A subgradient lies between the one-sided slopes; their distance then stays while h falls.
        """
        if len(self.bends) < 3:
            return False
        before, middle, last = self.bends[-3:]
        stays, within = KINK
        return stays * before <= middle <= before / stays and stays * middle <= last <= middle / stays and gap <= within * last

    def jumps(self, least: float) -> bool:
        """Whether three finer steps in a row all cross one jump of more than `least`: a quotient times its step stays the same."""
        pairs = zip(self.quotients, self.levels, strict=True)
        sizes = [quotient * level.step for quotient, level in pairs if level.step <= self.estimate.step]
        rows = zip(sizes, sizes[1:], sizes[2:], strict=False)
        return any(abs(a) > least and max(abs(b - a), abs(c - b)) <= SAME * abs(a) for a, b, c in rows)

    def steady(self, gap: float) -> bool:
        """Whether the last quotients agree far better with each other (two to the square) than a gradient off by `gap` does with them."""
        last = [q for q in self.quotients[-3:] if q == q]
        return len(last) > 1 and max(last) - min(last) <= STEADY ** (4 - len(last)) * gap


@dataclass
class _Ladder:
    """A ray whose steps are gone down: `noise` of a difference, `finest` the outputs at both ends of the last two steps.

    A bend is half the difference of the one-sided slopes: it falls with h where φ is smooth, and stays where it has a kink.
    """

    ray: Ray
    noise: float
    steps: list[float] = field(default_factory=list)
    quotients: list[float] = field(default_factory=list)
    bends: list[float] = field(default_factory=list)
    finest: Sequence[Any] = ()

    def next(self) -> list[float]:
        """The steps that are asked for next; none at the end."""
        steps = [self.ray.step / RATIO**n for n in range(len(self.steps), len(self.steps) + CAREFUL_LEVELS)]
        return [step for step in steps if step >= self.ray.smallest]

    def done(self) -> bool:
        """Whether it was seen to converge, and smaller steps would add more to the round-off than they take from the truncation."""
        estimate = climb(self.quotients, self.steps, self.noise)
        return estimate.settled and estimate.truncation <= estimate.roundoff

    def measured(self) -> Careful:
        ladder = self.quotients, self.steps, self.noise
        bends = [bend for bend, step in zip(self.bends, self.steps, strict=True) if bend > BEND * self.noise / step]
        return Careful(climb(*ladder), tuple(self.quotients), tuple(bends), tuple(levels(*ladder)))


def slopes_at(
    sweep: Sweep, point: Point, dout: Any, base: Any = None, signature: bytes | None = None, jitter: Any = None
) -> Slopes | None:
    """Slopes at a point, evaluated there unless its output is known; None where the function does not run, or gives nothing that `dout` fits."""
    if base is None:
        base = sweep([point], False)[0][0]
    return Slopes(sweep, point, dout, base, signature, jitter) if base is not None and fits(base, dout) else None
