"""How fast a student's forward and backward are beside torch's: for whoever has passed, and no part of a verdict."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from torch import Generator

from autograd_check.course.spec import Layer, Lesson
from autograd_check.grade.bench import TURN, on_tape, seconds_of, sizes
from autograd_check.grade.kinds.base import draw
from autograd_check.requests import Candidate
from autograd_check.verify.reference import differentiate
from autograd_check.verify.trial import draw_cotangent

ROUNDS = 7
MOST = 0.2
"""Seconds for one forward and backward beyond which a single round has to do."""


@dataclass(frozen=True)
class OwnSpeed:
    """Seconds of one forward and backward, how many times torch's that is, and the sizes of the inputs."""

    seconds: float
    ratio: float
    sizes: str


def own_speed(candidate: Candidate, lesson: Lesson, seed: int = 0) -> OwnSpeed | None:
    """The speed of a lesson's first layer at the size that is worth timing; None where a lesson has no layer, or it fails there.

    The code's own side counts the seconds, so that the way to its process is not in them; both sides are timed in turn.
    """
    layer = next((task for task in lesson.tasks if isinstance(task, Layer)), None)
    if layer is None:
        return None
    point = draw(layer.bench or layer.probes[0], seed)
    dout = draw_cotangent(layer.oracle(*point.primals.values(), **point.hyper), Generator().manual_seed(seed))
    taped, inputs = on_tape(layer, point.primals)

    def theirs() -> None:
        differentiate(layer.oracle(*taped.values(), **point.hyper), dout, inputs)

    def mine(times: int) -> float:
        value = candidate.timed(layer.forward, layer.backward, point, dout, times).value
        return value if isinstance(value, float) and value > 0 else 0.0

    once = mine(1)
    if not once:
        return None
    theirs()
    repeats = max(1, round(TURN / max(mine(3), 1e-7))), max(1, round(TURN / max(seconds_of(theirs, 3), 1e-7)))
    rounds = [(mine(repeats[0]), seconds_of(theirs, repeats[1])) for _ in range(ROUNDS if once < MOST else 1)]
    if not all(own for own, _ in rounds):
        return None
    ratio = statistics.median(own / torchs for own, torchs in rounds)
    return OwnSpeed(statistics.median(own for own, _ in rounds), ratio, sizes(point.primals))
