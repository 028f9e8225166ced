"""A derivative from central differences on a ladder of steps, with an estimate of its own error.

D(h) = (φ(h) − φ(−h)) / 2h has an error in even powers of h, so a ladder of ratio 4 shrinks it sixteenfold a level and
Richardson's columns (16 D' − D)/15 and (256 D'' − D')/255 remove the first two powers. (Ridders 1982; Press et al.,
Numerical Recipes, section 5.7.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

RATIO = 4.0


@dataclass(frozen=True)
class Estimate:
    """A derivative, its two error parts, and the step it rests on; `settled` where the ladder was seen to converge."""

    value: float
    truncation: float
    roundoff: float
    step: float
    settled: bool

    @property
    def error(self) -> float:
        """Truncation and round-off together."""
        return self.truncation + self.roundoff


def measured_noise(values: Sequence[float]) -> float:
    """Noise of a function from seven of its values at equal tiny spacing: 2·√(mean(Δ⁴)²/70).

    Fourth differences cancel every cubic and leave the noise, amplified by √70. (Moré and Wild, Estimating computational
    noise, 2011, section 3.)
    """
    row = list(values)
    for _ in range(4):
        row = [b - a for a, b in zip(row, row[1:], strict=False)]
    return 2 * math.sqrt(sum(d * d for d in row) / len(row) / 70)


def climb(quotients: Sequence[float], steps: Sequence[float], noise: float) -> Estimate:
    """The best estimate on a ladder: `quotients` D(h) at falling `steps` h, `noise` of one difference.

    An estimate that any finer level contradicts by more than four combined errors is vetoed (a large step aliases).
    """
    candidates = [Estimate(quotients[0], math.inf, noise / steps[0], steps[0], False)]
    for level in range(1, len(quotients)):
        value = _richardson(quotients[level - 1], quotients[level], 16)
        error = abs(value - quotients[level])
        if level >= 2:
            before = _richardson(quotients[level - 2], quotients[level - 1], 16)
            finer = _richardson(before, value, 256)
            if abs(finer - value) < error:
                value, error = finer, abs(finer - value)
        candidates.append(Estimate(value, error, 1.5 * noise / steps[level], steps[level], False))
    kept = [
        estimate
        for level, estimate in enumerate(candidates)
        if math.isfinite(estimate.error) and not any(_contradicts(estimate, finer) for finer in candidates[level + 1 :])
    ]
    best = min(kept, key=lambda estimate: estimate.error, default=candidates[-1])
    return Estimate(best.value, best.truncation, best.roundoff, best.step, converged(quotients, steps, noise))


def _richardson(coarse: float, fine: float, power: int) -> float:
    return (power * fine - coarse) / (power - 1)


def _contradicts(coarse: Estimate, fine: Estimate) -> bool:
    return not abs(coarse.value - fine.value) <= 4 * (coarse.error + fine.error)


def converged(quotients: Sequence[float], steps: Sequence[float], noise: float) -> bool:
    """Whether the last differences fall like h² (by 8 to 32 a level) or have sunk below the noise."""
    changes = [abs(a - b) for a, b in zip(quotients, quotients[1:], strict=False)]
    for level in range(1, len(changes)):
        if changes[level] <= 3 * noise / steps[level + 1]:
            return True
        if changes[level] > 0 and 8 <= changes[level - 1] / changes[level] <= 32:
            return True
    return False
