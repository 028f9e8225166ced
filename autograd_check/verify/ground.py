"""The ground on which lines are measured: one point, its output, and the request that evaluates more of them.

Two ways to measure a slope. The quick one takes three steps and trusts the model of rounding; agreement with a gradient to
many digits needs no more proof. The careful one, for whatever did not agree at once, first shrinks the step until both ends
take the branches of the middle, measures the noise, and goes down the ladder until it converges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import RATIO, Estimate, brief, climb, converged, levels, measured_noise
from autograd_check.verify.lines import Line, Walk
from autograd_check.verify.pairing import Pairing, fits
from autograd_check.verify.rows import Row
from autograd_check.verify.scale import largest
from autograd_check.verify.signature import SMOOTH

Sweep = Callable[[Sequence[Point], bool], Sequence[Row]]

QUICK_LEVELS = {"relative": 2}
"""Steps of the quick measurement: three, or two for the second opinion of the relative direction."""
CAREFUL_LEVELS = 5
FADING = 0.5
"""A gap that falls to this share of itself from one level to the next is the step's own error."""
TICKS = (-3, -2, -1, 1, 2, 3)
"""Where the noise is measured, in units of four smallest steps; with the point itself seven values."""
SIGNIFICANT_BEND = 8.0
"""A bend below this many times its noise says nothing."""
HUM = 32.0
"""An output below this many times its own noise may be nothing but noise."""
QUIET = 1e-10
"""A slope below the rounding error, and that below this share of the output, is zero as far as floating point can tell."""
COARSE_TICKS = (2.0**12, 2.0**20)
"""How much wider apart they are for a function that rounds more coarsely than its inputs (a hidden float32, a large offset)."""


@dataclass
class Ground:
    """A point and what is known about the function there; counts its evaluations by primal.

    `base` is the output at the point, `signature` its branches (None where not asked for yet).
    """

    sweep: Sweep
    point: Point
    dout: Any
    base: Any
    signature: bytes | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pairing = Pairing(self.base, self.dout)
        self.model = self.pairing.model_noise()

    def quick(self, lines: Sequence[Line]) -> list[Estimate]:
        """Every line's slope from two or three steps, one request for all."""
        ladders = [[line.step / RATIO**n for n in range(QUICK_LEVELS.get(line.kind, 3))] for line in lines]
        stops = [(line, t) for line, steps in zip(lines, ladders, strict=True) for step in steps for t in (step, -step)]
        differences = iter(self.pairing.alternating(self._request(stops, False)))
        return [brief([next(differences) / (2 * step) for step in steps], steps, self.model) for steps in ladders]

    def settle(self, lines: Sequence[Line]) -> list[Line]:
        """Each line with the largest step whose ends run, are finite and take the branches of the middle; 0 where none does."""
        if self.signature is None:
            self.signature = self.sweep([self.point], True)[0][1]
        asked = self.signature != SMOOTH
        settled, waiting = list(lines), list(range(len(lines)))
        while waiting:
            stops = [(settled[k], sign * settled[k].step) for k in waiting for sign in (1, -1)]
            answers = self._request(stops, asked)
            crossing = []
            for place, k in enumerate(waiting):
                if all(self._regular(out, mark) for out, mark in answers[2 * place : 2 * place + 2]):
                    continue
                step = settled[k].step / RATIO
                settled[k] = replace(settled[k], step=step if step >= 2 * settled[k].ladder.smallest else 0.0)
                if settled[k].step:
                    crossing.append(k)
            waiting = crossing
        return settled

    def careful(self, lines: Sequence[Line], *, whole: bool = False) -> list[Careful]:
        """Slopes of settled lines with measured noise, each ladder climbed down until it converges (or to its end: `whole`)."""
        if not lines:
            return []
        noises = self._noises(lines)
        ladders: list[list[float]] = [[] for _ in lines]
        bends: list[list[float]] = [[] for _ in lines]
        waiting = list(range(len(lines)))
        while waiting:
            steps = [_next_steps(lines[k], len(ladders[k])) for k in waiting]
            rows = self._evaluate([lines[k] for k in waiting], [[s * h for h in row for s in (1, -1)] for row in steps])
            for k, row, new in zip(waiting, rows, steps, strict=True):
                ladders[k] += self._quotients(row, new)
                bends[k] += self._bends(row, new)
            waiting = [
                k
                for k in waiting
                if (whole or not converged(ladders[k], _steps(lines[k], len(ladders[k])), noises[k]))
                and _next_steps(lines[k], len(ladders[k]))
            ]
        climbed = [_steps(line, len(ladder)) for line, ladder in zip(lines, ladders, strict=True)]
        return [
            Careful(
                climb(ladder, steps, noise), tuple(ladder), _significant(bend, line, noise), tuple(levels(ladder, steps, noise))
            )
            for line, ladder, bend, noise, steps in zip(lines, ladders, bends, noises, climbed, strict=True)
        ]

    def _noises(self, lines: Sequence[Line]) -> list[float]:
        """The noise of a difference along each line, measured; on coarser scales as well while the values stand still."""
        found = [self.model] * len(lines)
        places = list(range(len(lines)))
        for wider in (1.0, *COARSE_TICKS):
            ticks = [wider * min(4 * lines[k].ladder.smallest, lines[k].step) for k in places]
            inside = [(k, tick) for k, tick in zip(places, ticks, strict=True) if wider == 1 or tick <= lines[k].step]
            rows = self._evaluate([lines[k] for k, _ in inside], [[n * tick for n in TICKS] for _, tick in inside])
            for (k, _), row in zip(inside, rows, strict=True):
                found[k] = max(found[k], self._noise(row))
            places = [k for (k, _), row in zip(inside, rows, strict=True) if self._stands_still(row)]
        return found

    def is_noise(self, line: Line, noise: float) -> bool:
        """Whether the output is as small as its noise, and that as small as the rounding of numbers like x or 1: it is zero."""
        return self.pairing.size() <= min(HUM * noise, QUIET * max(1.0, largest(line.u)) * self.pairing.unit())

    def _noise(self, row: Sequence[Any]) -> float:
        values = self.pairing.differences([(out, self.base) for out in row])
        noise = measured_noise([*values[:3], 0.0, *values[3:]])
        return noise if noise == noise else 0.0

    def _stands_still(self, row: Sequence[Any]) -> bool:
        """Whether two neighbours among tiny steps are equal to the last bit."""
        values = [0.0, *self.pairing.differences([(out, self.base) for out in row])]
        return len(set(values)) < len(values)

    def _regular(self, out: Any, mark: bytes | None) -> bool:
        return out is not None and (self.signature == SMOOTH or mark == self.signature) and self.pairing.regular(out)

    def _quotients(self, row: Sequence[Any], steps: Sequence[float]) -> list[float]:
        differences = self.pairing.differences(list(zip(row[::2], row[1::2], strict=True)))
        return [difference / (2 * step) for difference, step in zip(differences, steps, strict=True)]

    def _bends(self, row: Sequence[Any], steps: Sequence[float]) -> list[float]:
        """Half the difference of the one-sided slopes: falls with h where φ is smooth, stays where it has a kink."""
        sides = self.pairing.differences([(out, self.base) for out in row])
        pairs = zip(sides[::2], sides[1::2], steps, strict=True)
        return [abs(plus + minus) / (2 * step) for plus, minus, step in pairs]

    def _evaluate(self, lines: Sequence[Line], shifts: Sequence[Sequence[float]]) -> list[list[Any]]:
        stops = [(line, t) for line, row in zip(lines, shifts, strict=True) for t in row]
        answers = iter(self._request(stops, False))
        return [[next(answers)[0] for _ in row] for row in shifts]

    def _request(self, stops: Sequence[tuple[Line, float]], signatures: bool) -> Sequence[Row]:
        for line, _ in stops:
            self.counts[line.primal] = self.counts.get(line.primal, 0) + 1
        return self.sweep(Walk(self.point, stops), signatures) if stops else []


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
        """
        best = self.estimate
        for finer in self.levels:
            if finer.step < best.step and math.isfinite(finer.error):
                if not abs(finer.value - analytic) < FADING * abs(best.value - analytic):
                    break
                best = replace(finer, settled=best.settled)
        return best

    def kinked(self, gap: float) -> bool:
        """Whether a kink right at the point, unseen by the signature, explains that a gradient is off by `gap`.

        A subgradient lies between the one-sided slopes; their distance then stays while h falls.
        """
        if len(self.bends) < 3:
            return False
        before, middle, last = self.bends[-3:]
        return last >= 0.5 * middle >= 0.25 * before and gap <= 1.1 * last

    def steady(self, gap: float) -> bool:
        """Whether the last quotients agree far better with each other than a gradient that is off by `gap` does with them."""
        last = [q for q in self.quotients[-3:] if q == q]
        return len(last) == 3 and max(last) - min(last) <= 0.1 * gap


def _significant(bends: Sequence[float], line: Line, noise: float) -> tuple[float, ...]:
    pairs = zip(bends, _steps(line, len(bends)), strict=True)
    return tuple(bend for bend, step in pairs if bend > SIGNIFICANT_BEND * noise / step)


def _steps(line: Line, count: int) -> list[float]:
    return [line.step / RATIO**n for n in range(count)]


def _next_steps(line: Line, done: int) -> list[float]:
    steps = [line.step / RATIO**n for n in range(done, done + CAREFUL_LEVELS)]
    return [step for step in steps if step >= line.ladder.smallest]


def make_ground(sweep: Sweep, point: Point, dout: Any, base: Any = None, signature: bytes | None = None) -> Ground | None:
    """The ground at a point, evaluated there unless its output is known; None where the function does not run, or gives nothing that `dout` fits."""
    if base is None:
        base = sweep([point], False)[0][0]
    return Ground(sweep, point, dout, base, signature) if base is not None and fits(base, dout) else None
