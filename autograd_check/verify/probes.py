"""Gradients against finite differences of the forward, along a few random directions for each tensor.

A signed direction through every entry sees an error in any of them; the tolerance comes from the measured error of the
difference quotient alone. Requests are few and large, since they may cross a socket.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.directions import KINDS, Direction, draw_directions, real_dtype
from autograd_check.verify.finding import Status
from autograd_check.verify.ground import Sweep, make_ground
from autograd_check.verify.lines import Line, draw_lines
from autograd_check.verify.shared import Shared
from autograd_check.verify.tree import is_differentiable, map_tensors
from autograd_check.verify.verdict import ON_A_KINK, TIGHT, ProbeResult, Spread, UnderTest, combined, measured, verdict_on

Regrad = Callable[[Point], Mapping[str, Any] | None]

MOVES = 3
SHORT = 2.0**-7
"""Tensors of at most this size are tried with a direction of size 1 as well, where that is needed."""
RESOLVED = 1e-6
"""What a direction should resolve, as a share of the signal."""
DIRECTIONS = 1 << 32
"""Where the seeds of directions begin: a direction drawn like the cotangent has its signs, and tells less."""
CLOSE = {"uniform": 1e-9, "relative": TIGHT}
"""What a quick measurement must resolve, as a share of the signal: it may hide an entry that matters no more than that.

The second opinion of the relative direction rests on two steps, which seldom reach further.
"""


def probe_vjp(
    sweep: Sweep,
    point: Point,
    grads: Mapping[str, Any],
    dout: Any,
    *,
    wrt: Sequence[str],
    regrad: Regrad,
    seed: int,
    base: Any = None,
    spread: Spread | None = None,
    single: Callable[[], bool] = lambda: False,
    shared: Shared | None = None,
) -> dict[str, ProbeResult]:
    """Check the gradient of every primal in `wrt` against finite differences of the forward behind `sweep`.

    Args:
        sweep: evaluates the forward at many points, with branch signatures where asked for.
        point: the arguments; integer and boolean primals stay as they are.
        grads: the gradients under test by primal, in the nest of the primal, for the cotangent `dout`.
        dout: the cotangent, in the nest of the output.
        wrt: names of the primals to check.
        regrad: the gradients at another point: where the point lies on a kink it is moved a little, and the result says so.
        seed: of the directions.
        base: the output at the point, where it is known already.
        spread: what rounding does to every entry of a primal's gradient, and
        single: whether float32 takes part; asked for only where the gradient disagrees.
        shared: what other checks at this point have drawn already.

    """
    kept, generator = shared or Shared(), Generator().manual_seed(DIRECTIONS + 2 * seed + 1)

    def draw(tensors: Sequence[Tensor], kinds: tuple[str, ...], start: Generator) -> list[list[Direction]]:
        return kept.once(("directions", kinds, seed), tensors, lambda: draw_directions(tensors, kinds, start))

    ground = make_ground(sweep, point, dout, base)
    if ground is None:
        return dict.fromkeys(wrt, ProbeResult(Status.INCONCLUSIVE, reason="the forward does not run here"))
    test = UnderTest(ground, grads, spread, single)
    lines = draw_lines(point.primals, wrt, KINDS, Generator().manual_seed(DIRECTIONS + 2 * seed), draw)
    results = _on(test, wrt, lines, generator)
    for _ in range(MOVES):
        kinked = [name for name, result in results.items() if result.reason == ON_A_KINK]
        if not kinked:
            break
        elsewhere = _moved(point, kinked, generator)
        slopes = regrad(elsewhere)
        moved = make_ground(sweep, elsewhere, dout) if slopes is not None else None
        if moved is None or slopes is None or not moved.pairing.regular(ground.base):
            break
        moved.counts.update(ground.counts)
        lines = draw_lines(elsewhere.primals, kinked, KINDS, generator)
        found = _on(UnderTest(moved, slopes, single=single), kinked, lines, generator)
        results |= {name: replace(result, moved=True) for name, result in found.items()}
    return results


def _moved(point: Point, names: Sequence[str], generator: Generator) -> Point:
    def nudge(x: Tensor) -> Tensor:
        if not is_differentiable(x) or not x.numel():
            return x
        size = x.abs()[torch.isfinite(x)]
        scale = float(size.mean()) if bool(size.any()) else 1.0
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(real_dtype(x))
        return x + 2.0**-7 * scale * noise

    primals = {name: map_tensors(nudge, value) if name in names else value for name, value in point.primals.items()}
    return Point(primals, point.hyper)


def _on(test: UnderTest, names: Sequence[str], lines: Sequence[Line], generator: Generator) -> dict[str, ProbeResult]:
    """The verdicts at one point: quick for what agrees at once, careful for the rest."""
    ground = test.ground
    verdicts: list[tuple[Line, ProbeResult]] = []
    rest: list[Line] = []
    for line, estimate in zip(lines, ground.quick(lines), strict=True):
        result, signal = measured(line, *test.slope(line), estimate)
        if abs(result.numeric - result.analytic) <= result.tolerance <= CLOSE[line.kind] * signal:
            verdicts.append((line, result))
        else:
            rest.append(line)
    if rest:
        verdicts += _carefully(test, rest)
        wrong = [line for line, verdict in verdicts if verdict.status is Status.FAILED]
        verdicts = _confirmed(test, verdicts, wrong, generator) if wrong else verdicts
        verdicts = [_better(test, line, verdict, generator) for line, verdict in verdicts]
    return {name: combined([v for v in verdicts if v[0].primal == name], ground.counts.get(name, 0)) for name in names}


def _carefully(test: UnderTest, lines: Sequence[Line], *, whole: bool = False) -> list[tuple[Line, ProbeResult]]:
    settled = test.ground.settle(lines)
    steady = [line for line in settled if line.step]
    slopes = test.ground.careful(steady, whole=whole)
    kinked = [(line, ProbeResult(Status.INCONCLUSIVE, reason=ON_A_KINK, leaf=line.leaf)) for line in settled if not line.step]
    return kinked + [(line, verdict_on(test, line, careful)) for line, careful in zip(steady, slopes, strict=True)]


def _better(test: UnderTest, line: Line, verdict: ProbeResult, generator: Generator) -> tuple[Line, ProbeResult]:
    """A verdict on a tensor of tiny numbers, from a direction as long as 1 where its own size resolves too little.

    A bias of 1e-13 says nothing of how far it has to move before a layer's output does. A failure stands where a second
    direction fails as well.
    """
    signal = max(abs(verdict.numeric), abs(verdict.analytic))
    unresolved = verdict.status is Status.INCONCLUSIVE and verdict.reason != ON_A_KINK
    if line.kind != "uniform" or line.narrowest > SHORT or not (unresolved or verdict.tolerance > RESOLVED * signal):
        return line, verdict
    drawn = draw_lines(test.ground.point.primals, [line.primal], ("uniform",), generator)
    longer = [_as_long_as_one(one) for one in (line, *drawn) if one.leaf == line.leaf]
    found = [result for _, result in _carefully(test, longer, whole=True)]
    if all(result.status is Status.FAILED for result in found):
        return line, found[0]
    passed = [result for result in found if result.status is Status.PASSED and result.resolution < verdict.resolution]
    return (line, passed[0]) if len(passed) == len(found) and verdict.status is not Status.FAILED else (line, verdict)


def _as_long_as_one(line: Line) -> Line:
    factor = 2.0 ** min(-round(math.log2(line.narrowest)), 1000)  # a subnormal has no reciprocal
    return replace(line, u=line.u * factor, narrowest=line.narrowest * factor, step=line.ladder.largest)


def _confirmed(
    test: UnderTest, verdicts: Sequence[tuple[Line, ProbeResult]], wrong: Sequence[Line], generator: Generator
) -> list[tuple[Line, ProbeResult]]:
    """A failure stands where a second direction fails as well, on the whole ladder: its finest steps suit every entry."""
    again: dict[tuple[str, int, str], Line] = {}
    for kind in dict.fromkeys(line.kind for line in wrong):
        tensors = {(line.primal, line.leaf) for line in wrong if line.kind == kind}
        second = "capped" if kind == "uniform" else kind
        names = list(dict.fromkeys(name for name, _ in tensors))
        drawn = draw_lines(test.ground.point.primals, names, (second,), generator)
        again |= {(line.primal, line.leaf, kind): line for line in drawn if (line.primal, line.leaf) in tensors}
    answers = [
        verdict
        for _, verdict in sorted(
            _carefully(test, list(again.values()), whole=True), key=lambda pair: _place(pair[0], list(again.values()))
        )
    ]
    stands = {key: verdict.status is Status.FAILED for key, verdict in zip(again, answers, strict=True)}
    doubt = "one direction disagrees and another does not"
    return [
        (line, verdict)
        if verdict.status is not Status.FAILED or stands[line.primal, line.leaf, line.kind]
        else (line, replace(verdict, status=Status.INCONCLUSIVE, reason=doubt))
        for line, verdict in verdicts
    ]


def _place(line: Line, lines: Sequence[Line]) -> int:
    return next(place for place, other in enumerate(lines) if other.u is line.u)
