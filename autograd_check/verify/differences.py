"""A derivative from central differences on a ladder of steps, with an estimate of its own error.

D(h) = (φ(h) − φ(−h)) / 2h has an error in even powers of h, so a ladder of ratio 4 shrinks it sixteenfold a level and
Richardson's columns (16 D' − D)/15 and (256 D'' − D')/255 remove the first two powers. (Ridders 1982; Press et al.,
Numerical Recipes, section 5.7.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autograd_check.verify.tolerances import ASYMPTOTIC, BENDS, ROUNDOFF, SIGNIFICANT, VETO


class Estimate(NamedTuple):
    """A derivative, its two error parts, and the step it rests on; `settled` where the ladder was seen to converge."""

    value: float
    truncation: float
    roundoff: float
    step: float
    settled: bool = False

    @property
    def error(self) -> float:
        """Truncation and round-off together."""
        return self.truncation + self.roundoff


def central_differences(f: Callable[[Tensor], Any], x: Tensor, *, h: float) -> Tensor:
    """(f(x + h e) − f(x − h e)) / 2h for the unit vector e of every entry of x, like x; f(x) is a number or 0-d."""
    units = torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)
    rises = [torch.as_tensor(f(x + h * unit) - f(x - h * unit), dtype=x.dtype) for unit in units]
    return torch.stack(rises).reshape(x.shape) / (2 * h)


def measured_noise(values: Sequence[float], places: tuple[float, ...]) -> float:
    """Noise of a function from its values at seven places close together: 2·√mean(δ²) for their fourth divided differences δ.

    These cancel every cubic; δ is divided by the length of its weights, which leaves the noise of one value. (Moré and Wild,
    Estimating computational noise, 2011, section 3, have places of equal distance.)
    """
    rows = [sum(w * v for w, v in zip(weights, values[n:], strict=False)) for n, weights in enumerate(_fourth(places))]
    return 2 * math.hypot(*rows) / math.sqrt(len(rows))


@cache
def _fourth(places: tuple[float, ...]) -> list[list[float]]:
    """The weights of the fourth divided difference of any five places in a row, of length 1."""
    rows = [places[n : n + 5] for n in range(len(places) - 4)]
    weights = [[1 / math.prod(one - other for other in row if other != one) for one in row] for row in rows]
    return [[weight / math.hypot(*row) for weight in row] for row in weights]


def levels(quotients: Sequence[float], steps: Sequence[float], noise: float) -> list[Estimate]:
    """The estimate of every level of a ladder: `quotients` D(h) at falling `steps` h, `noise` of one difference.

    Truncation is the difference of the last two columns of Richardson's scheme, round-off `ROUNDOFF`·noise/h.
    """
    found = [Estimate(quotients[0], math.inf, ROUNDOFF * noise / steps[0], steps[0])]
    for level in range(1, len(quotients)):
        value = _richardson(quotients[level - 1], quotients[level], 16)
        error = abs(value - quotients[level])
        if level >= 2:
            before = _richardson(quotients[level - 2], quotients[level - 1], 16)
            finer = _richardson(before, value, 256)
            if abs(finer - value) < error:
                value, error = finer, abs(finer - value)
        found.append(Estimate(value, error, ROUNDOFF * noise / steps[level], steps[level]))
    return found


def climb(quotients: Sequence[float], steps: Sequence[float], noise: float) -> Estimate:
    """The best estimate of a ladder: of least error, and not contradicted by any finer level (a large step aliases)."""
    candidates = levels(quotients, steps, noise)
    kept = [
        estimate
        for level, estimate in enumerate(candidates)
        if math.isfinite(estimate.error) and not any(_contradicts(estimate, finer) for finer in candidates[level + 1 :])
    ]
    best = min(kept, key=lambda estimate: estimate.error, default=candidates[-1])
    return Estimate(best.value, best.truncation, best.roundoff, best.step, converged(quotients, steps, noise))


def brief(quotients: Sequence[float], steps: Sequence[float], noise: float) -> Estimate:
    """The estimate of a ladder of at most three steps, on which convergence cannot be seen yet.

    One or two quotients tell their own error, not that of Richardson's value made of them: it is smaller by (h/`BENDS`)², as
    is that of a single quotient than the quotient.
    """
    if len(quotients) > 2:
        return climb(quotients, steps, noise)
    last = levels(quotients, steps, noise)[-1]
    change = last.truncation if len(quotients) > 1 else abs(last.value)
    return Estimate(last.value, change * (steps[0] / BENDS) ** 2, last.roundoff, last.step)


def _richardson(coarse: float, fine: float, power: int) -> float:
    return (power * fine - coarse) / (power - 1)


def _contradicts(coarse: Estimate, fine: Estimate) -> bool:
    return math.isfinite(fine.value) and not abs(coarse.value - fine.value) <= VETO * (coarse.error + fine.error)


def converged(quotients: Sequence[float], steps: Sequence[float], noise: float) -> bool:
    """Whether, twice in a row, the differences of successive levels fell like h² (by 8 to 32) or had sunk below the noise."""
    changes = [abs(a - b) for a, b in zip(quotients, quotients[1:], strict=False)]
    drowned = [change <= SIGNIFICANT * noise / step for change, step in zip(changes, steps[1:], strict=True)]
    orderly = [
        drowned[level]
        or (level > 0 and changes[level] > 0 and ASYMPTOTIC[0] <= changes[level - 1] / changes[level] <= ASYMPTOTIC[1])
        for level in range(len(changes))
    ]
    return any(one and two for one, two in zip(orderly, orderly[1:], strict=False))
