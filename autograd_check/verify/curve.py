"""The error of a difference quotient against its step: the V between truncation and round-off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Generator

from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import RATIO, climb
from autograd_check.verify.ground import Sweep, make_ground
from autograd_check.verify.lines import draw_lines


@dataclass(frozen=True)
class Curve:
    """One direction's ladder, from the largest step down.

    `errors` are |D(h) − ⟨g, u⟩|, `truncation` and `roundoff` the two parts as the ladder estimates them, `chosen` the step on
    which the verdict rests, `smooth_below` the step from which both ends take the branches of the point itself (0 on a kink).
    """

    primal: str
    steps: tuple[float, ...]
    errors: tuple[float, ...]
    truncation: tuple[float, ...]
    roundoff: tuple[float, ...]
    chosen: float
    smooth_below: float


def step_curve(sweep: Sweep, point: Point, grads: Mapping[str, Any], dout: Any, name: str, *, seed: int = 0) -> Curve | None:
    """The curve of one uniform direction through the primal `name`; None where the forward does not run."""
    ground = make_ground(sweep, point, dout)
    if ground is None:
        return None
    line = draw_lines(point.primals, [name], ("uniform",), Generator().manual_seed(seed))[0]
    settled = ground.settle([line])[0].step
    measured = ground.careful([line], whole=True)[0]
    steps = tuple(line.step / RATIO**n for n in range(len(measured.quotients)))
    slope, _ = line.slope(grads[name])
    noise = measured.estimate.roundoff * measured.estimate.step
    smooth = [(q, h) for q, h in zip(measured.quotients, steps, strict=True) if h <= settled] or [
        (measured.quotients[-1], steps[-1])
    ]
    return Curve(
        primal=name,
        steps=steps,
        errors=tuple(abs(quotient - slope) for quotient in measured.quotients),
        truncation=tuple(abs(a - b) * 16 / 15 for a, b in zip(measured.quotients, measured.quotients[1:], strict=False)),
        roundoff=tuple(noise / step for step in steps),
        chosen=climb([q for q, _ in smooth], [h for _, h in smooth], noise / 1.5).step,
        smooth_below=settled,
    )
