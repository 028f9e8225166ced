"""Gradients against finite differences of the forward, along a few random directions for each primal.

A signed direction through every entry sees an error in any of them; the tolerance comes from the measured error of the
difference quotient alone. One request serves all primals and directions at once, since a request may cross a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import RATIO, Estimate, climb, converged, measured_noise
from autograd_check.verify.directions import LARGEST_STEP, SMALLEST_STEP, direction
from autograd_check.verify.finding import Status
from autograd_check.verify.tree import is_differentiable, is_tensor, leaves, map_leaves, map_tensors

Sweep = Callable[[Sequence[Point], bool], Sequence[tuple[Any, bytes | None]]]
Regrad = Callable[[Point], Mapping[str, Any] | None]

SAFETY = 8.0
"""Error bound over error estimate."""
INCONCLUSIVE_SHARE = 0.05
"""A bound wider than this share of the signal decides nothing."""
FIRST_LEVELS, MORE_LEVELS = 4, 3
MOVES = 3
KINDS = ("uniform", "relative")


@dataclass(frozen=True)
class ProbeResult:
    """The verdict of one primal's directions (the worst of them).

    `numeric` and `analytic` are the two directional derivatives, `tolerance` the bound on their difference, `resolution` the
    size of a single-entry error that would have been seen, `moved` whether the point lay on a kink and was moved.
    """

    status: Status
    numeric: float = 0.0
    analytic: float = 0.0
    tolerance: float = 0.0
    resolution: float = 0.0
    moved: bool = False
    evaluations: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Line:
    """One direction through one primal: the nest `u` of the primal's shape, and the step at which branches agree."""

    primal: str
    u: Any
    step: float = LARGEST_STEP


def probe_vjp(
    sweep: Sweep,
    point: Point,
    grads: Mapping[str, Any],
    dout: Any,
    *,
    wrt: Sequence[str],
    regrad: Regrad,
    seed: int,
    directions: int = 2,
) -> dict[str, ProbeResult]:
    """Check the gradient of every primal in `wrt` against finite differences of the forward behind `sweep`.

    Where the point lies on a kink it is moved a little, the gradient is taken there by `regrad`, and the result says so.
    """
    results = {name: ProbeResult(Status.INCONCLUSIVE, reason="the point lies on a kink") for name in wrt}
    generator = Generator().manual_seed(seed)
    for move in range(MOVES + 1):
        waiting = [name for name, result in results.items() if result.status is Status.INCONCLUSIVE]
        here = point if move == 0 else _moved(point, waiting, generator)
        slopes = grads if move == 0 else regrad(here)
        if not waiting or slopes is None:
            break
        found = _probe_at(sweep, here, slopes, dout, waiting, generator, directions)
        results |= {name: replace(result, moved=move > 0) for name, result in found.items()}
    return results


def _moved(point: Point, names: Sequence[str], generator: Generator) -> Point:
    def nudge(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return x
        scale = x.abs().mean() if bool(x.any()) else torch.ones((), dtype=x.dtype)
        return x + 2.0**-7 * scale * torch.randn(x.shape, generator=generator, dtype=x.dtype)

    primals = {name: map_tensors(nudge, value) if name in names else value for name, value in point.primals.items()}
    return Point(primals, point.hyper)


def _probe_at(
    sweep: Sweep,
    point: Point,
    grads: Mapping[str, Any],
    dout: Any,
    names: Sequence[str],
    generator: Generator,
    directions: int,
) -> dict[str, ProbeResult]:
    lines = [
        Line(name, _directions(point.primals[name], kind, generator))
        for name in names
        for kind in (KINDS[number % len(KINDS)] for number in range(directions))
    ]
    base, signature = sweep([point], True)[0]
    if base is None:
        return {name: ProbeResult(Status.INCONCLUSIVE, reason="the forward does not run here") for name in names}
    settled = _settle(sweep, point, lines, signature)
    found: dict[str, list[ProbeResult]] = {name: [] for name in names}
    steady = [line for line in settled if line.step > 0]
    for line, estimate in zip(steady, _estimates(sweep, point, steady, base, dout), strict=True):
        found[line.primal].append(_verdict(line, estimate, grads[line.primal]))
    return {
        name: max(verdicts, key=lambda verdict: verdict.status.severity)
        if verdicts
        else ProbeResult(Status.INCONCLUSIVE, reason="the point lies on a kink")
        for name, verdicts in found.items()
    }


def _directions(primal: Any, kind: str, generator: Generator) -> Any:
    return map_leaves(lambda leaf: direction(leaf, kind, generator) if is_differentiable(leaf) else leaf, primal)


def _shifted(point: Point, line: Line, t: float) -> Point:
    """x + t·u in one primal, the others as they are."""
    pairs = iter(leaves(line.u))
    moved = map_leaves(
        lambda leaf: leaf + t * u if (u := next(pairs)) is not leaf and is_differentiable(leaf) else leaf,
        point.primals[line.primal],
    )
    return Point({**point.primals, line.primal: moved}, point.hyper)


def _settle(sweep: Sweep, point: Point, lines: Sequence[Line], signature: bytes | None) -> list[Line]:
    """Shrink each line's step until both ends run, are finite and take the branches of the middle; step 0 where none does."""
    settled: list[Line] = list(lines)
    open_lines = list(range(len(lines)))
    while open_lines:
        ends = [_shifted(point, settled[k], sign * settled[k].step) for k in open_lines for sign in (1, -1)]
        answers = sweep(ends, True)
        still = []
        for place, k in enumerate(open_lines):
            if all(_regular(out, mark, signature) for out, mark in answers[2 * place : 2 * place + 2]):
                continue
            step = settled[k].step / RATIO
            settled[k] = replace(settled[k], step=step if step >= 2 * SMALLEST_STEP else 0.0)
            if settled[k].step:
                still.append(k)
        open_lines = still
    return settled


def _regular(out: Any, mark: bytes | None, signature: bytes | None) -> bool:
    return out is not None and mark == signature and all(bool(torch.isfinite(x).all()) for x in leaves(out) if is_tensor(x))


def _estimates(sweep: Sweep, point: Point, lines: Sequence[Line], base: Any, dout: Any) -> list[Estimate]:
    """The directional derivative along every line, from one or two requests for all."""
    if not lines:
        return []
    spacing = [min(4 * SMALLEST_STEP, line.step) for line in lines]
    shifts = [
        [k * gap for k in (-3, -2, -1, 1, 2, 3)] + [s * line.step / RATIO**n for n in range(FIRST_LEVELS) for s in (1, -1)]
        for line, gap in zip(lines, spacing, strict=True)
    ]
    rows = _evaluate(sweep, point, lines, shifts)
    model = 2 * torch.finfo(torch.float64).eps * _norm(base, dout)
    estimates: list[Estimate] = []
    again: list[int] = []
    quotients: list[list[float]] = []
    noises: list[float] = []
    for line, row in zip(lines, rows, strict=True):
        tiny = [_pair(out, base, dout) for out in row[:6]]
        noises.append(max(model, measured_noise([*tiny[:3], 0.0, *tiny[3:]])))
        quotients.append(_quotients(row[6:], dout, line.step))
        steps = [line.step / RATIO**n for n in range(FIRST_LEVELS)]
        estimates.append(climb(quotients[-1], steps, noises[-1]))
        if not converged(quotients[-1], steps, noises[-1]):
            again.append(len(estimates) - 1)
    if again:
        finer = [
            [s * lines[k].step / RATIO**n for n in range(FIRST_LEVELS, FIRST_LEVELS + MORE_LEVELS) for s in (1, -1)]
            for k in again
        ]
        for k, row in zip(again, _evaluate(sweep, point, [lines[k] for k in again], finer), strict=True):
            quotients[k] += _quotients(row, dout, lines[k].step / RATIO**FIRST_LEVELS)
            steps = [lines[k].step / RATIO**n for n in range(len(quotients[k]))]
            estimates[k] = climb(quotients[k], steps, noises[k])
    return estimates


def _evaluate(sweep: Sweep, point: Point, lines: Sequence[Line], shifts: Sequence[Sequence[float]]) -> list[list[Any]]:
    points = [_shifted(point, line, t) for line, row in zip(lines, shifts, strict=True) for t in row]
    answers = iter(sweep(points, False))
    return [[next(answers)[0] for _ in row] for row in shifts]


def _quotients(row: Sequence[Any], dout: Any, first_step: float) -> list[float]:
    pairs = zip(row[::2], row[1::2], strict=True)
    return [_pair(plus, minus, dout) / (2 * first_step / RATIO**n) for n, (plus, minus) in enumerate(pairs)]


def _pair(one: Any, other: Any, dout: Any) -> float:
    """⟨dout, one − other⟩, subtracted before it is summed; nan where a value is missing."""
    if one is None or other is None:
        return float("nan")
    triples = zip(leaves(one), leaves(other), leaves(dout), strict=True)
    return sum(
        float(((a - b) * d).sum(dtype=torch.float64)) for a, b, d in triples if is_differentiable(a) and is_differentiable(d)
    )


def _norm(base: Any, dout: Any) -> float:
    pairs = zip(leaves(base), leaves(dout), strict=True)
    return float(sum(float((a * d).to(torch.float64).pow(2).sum()) for a, d in pairs if is_differentiable(a)) ** 0.5)


def _verdict(line: Line, estimate: Estimate, grad: Any) -> ProbeResult:
    products = [(g * u).to(torch.float64) for g, u in zip(leaves(grad), leaves(line.u), strict=True) if is_differentiable(u)]
    analytic = sum(float(product.sum()) for product in products)
    size = sum(float(product.pow(2).sum()) for product in products) ** 0.5
    tolerance = SAFETY * estimate.error + 8 * torch.finfo(torch.float64).eps * size
    widest = max((float(u.abs().max()) for u in leaves(line.u) if is_differentiable(u) and u.numel()), default=1.0)
    result = ProbeResult(Status.PASSED, estimate.value, analytic, tolerance, tolerance / widest)
    signal = max(abs(estimate.value), size)
    if not estimate.settled:
        return replace(result, status=Status.INCONCLUSIVE, reason="the differences do not converge")
    if not abs(estimate.value - analytic) <= tolerance:
        return replace(result, status=Status.FAILED)
    if tolerance > INCONCLUSIVE_SHARE * signal and signal > 0:
        return replace(result, status=Status.INCONCLUSIVE, reason="rounding drowns the signal")
    return result
