"""What a picture of a lesson's gradients is made of: the student's arrays beside the right ones, and ladders of differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.course.spec import Layer, Lesson
from autograd_check.errors import SubmissionError
from autograd_check.grade.kinds.base import draw
from autograd_check.requests import Candidate
from autograd_check.verify.candidate import Point
from autograd_check.verify.contract import type_text
from autograd_check.verify.differences import climb
from autograd_check.verify.rays import draw_rays
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.slope import Row, Sweep, slopes_at
from autograd_check.verify.tensors import compare, named_leaves
from autograd_check.verify.tolerances import RATIO, gradient_tolerance
from autograd_check.verify.trial import draw_cotangent, unpack


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
    slopes = slopes_at(sweep, point, dout)
    if slopes is None:
        return None
    line = draw_rays(point.primals, [name], ("uniform",), Generator().manual_seed(seed))[0]
    settled = slopes.settle([line])[0].step
    measured = slopes.careful([line], whole=True)[0]
    steps = tuple(line.step / RATIO**n for n in range(len(measured.quotients)))
    analytic, _ = line.slope(grads[name])
    noise = measured.estimate.roundoff * measured.estimate.step
    smooth = [(q, h) for q, h in zip(measured.quotients, steps, strict=True) if h <= settled] or [
        (measured.quotients[-1], steps[-1])
    ]
    return Curve(
        primal=name,
        steps=steps,
        errors=tuple(abs(quotient - analytic) for quotient in measured.quotients),
        truncation=tuple(abs(a - b) * 16 / 15 for a, b in zip(measured.quotients, measured.quotients[1:], strict=False)),
        roundoff=tuple(noise / step for step in steps),
        chosen=climb([q for q, _ in smooth], [h for _, h in smooth], noise / 1.5).step,
        smooth_below=settled,
    )


@dataclass(frozen=True)
class Picture:
    """One gradient on one probe: `got` and `expected` of one shape, and the error of finite differences against their step.

    `curve` is measured against the right gradient, `own` against the student's where that is another one; both are None for a
    part of a nested primal, and where the forward cannot be differenced.
    """

    subject: str
    probe: str
    got: Tensor
    expected: Tensor
    curve: Curve | None
    own: Curve | None

    @property
    def right(self) -> bool:
        """Whether the two arrays agree to rounding."""
        return compare(self.got, self.expected, gradient_tolerance(self.expected)) is None


def pictures(candidate: Candidate, lesson: Lesson, *, seed: int = 0, probe: str | None = None) -> list[Picture]:
    """The gradients of a lesson's layer on the named probe; by default on the first where one is wrong, or else the first.

    Raises `SubmissionError` where the lesson has no backward, has no such probe, or the code gives nothing to draw.
    """
    task = next((task for task in lesson.tasks if isinstance(task, Layer)), None)
    if task is None:
        raise SubmissionError(f"{lesson.name} has no forward and backward, so there is no gradient to draw.")
    ordinary = [(number, one) for number, one in enumerate(task.probes) if one.convention is None]
    chosen = [(number, one) for number, one in ordinary if probe in (None, one.name)]
    if not chosen:
        raise SubmissionError(f"{lesson.name} has no probe {probe!r}; there are: {', '.join(one.name for _, one in ordinary)}.")
    first: list[Picture] = []
    for number, one in chosen:
        found = _on(candidate, task, draw(one, seed + number), one.name, seed)
        first = first or found
        if not all(picture.right for picture in found):
            return found
    return first


def _on(candidate: Candidate, task: Layer, point: Point, probe: str, seed: int) -> list[Picture]:
    out = task.oracle(*point.primals.values(), **point.hyper)
    dout = draw_cotangent(out, Generator().manual_seed(seed))
    _, expected = oracle_vjp(task.oracle, point, task.wrt, dout)
    outcome = candidate.vjp(task.forward, task.backward, point, [dout])
    answer = unpack(outcome.value[1][0], task.wrt) if outcome.ok and outcome.value is not None else None
    if outcome.failure is not None and outcome.failure.cause == Cause.NOT_IMPLEMENTED:
        raise SubmissionError(f"{task.forward} and {task.backward} are not both written yet, so there is nothing to draw.")
    if answer is None:
        said = f" ({outcome.failure.says})" if outcome.failure is not None and outcome.failure.says else ""
        raise SubmissionError(f"{task.backward} gives no gradients to draw on the probe {probe!r}{said}; run check first.")

    def sweep(points: Sequence[Point], signatures: bool) -> Sequence[Row]:
        swept = candidate.sweep(task.forward, points, signatures=signatures)
        return [(None, None)] * len(points) if swept.value is None else list(swept.value)

    found: list[Picture] = []
    for name in task.wrt:
        parts = task.leaves.get(name, ())
        got = dict(named_leaves(answer[f"d{name}"].value, f"d{name}", parts))
        for subject, right in named_leaves(expected[name], f"d{name}", parts):
            mine = got.get(subject)
            if not isinstance(mine, Tensor) or mine.shape != right.shape:
                wanted = f"expected a tensor of shape {tuple(right.shape)}"
                raise SubmissionError(f"{subject} is {type_text(mine)}, {wanted}; run check first.")
            if right.numel():
                found.append(_picture(sweep, point, dout, name, subject, probe, mine.to(right.dtype), right, seed))
    return found


def _picture(
    sweep: Any, point: Point, dout: Any, name: str, subject: str, probe: str, got: Tensor, right: Tensor, seed: int
) -> Picture:
    if not isinstance(point.primals[name], Tensor):
        return Picture(subject, probe, got, right, None, None)
    curve = step_curve(sweep, point, {name: right}, dout, name, seed=seed)
    drawn = Picture(subject, probe, got, right, curve, None)
    if drawn.right:
        return drawn
    return Picture(subject, probe, got, right, curve, step_curve(sweep, point, {name: got}, dout, name, seed=seed))
