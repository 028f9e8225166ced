"""Gradients against finite differences of the forward, along a few random directions for each tensor.

A signed direction through every entry sees an error in any of them; the tolerance comes from the measured error of the
difference quotient alone. Requests are few and large, since they may cross a socket.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import Estimate
from autograd_check.verify.directions import KINDS, real_dtype
from autograd_check.verify.finding import Status
from autograd_check.verify.ground import Careful, Ground, Sweep, make_ground
from autograd_check.verify.lines import Line, draw_lines
from autograd_check.verify.tree import is_differentiable, map_tensors

Rounding = Callable[[str], Any]
Regrad = Callable[[Point], Mapping[str, Any] | None]

SAFETY = 8.0
"""Error bound over error estimate."""
INCONCLUSIVE_SHARE = 0.05
"""A bound wider than this share of the signal decides nothing."""
TIGHT = 1e-5
"""Agreement to this share of the signal is no coincidence, however the ladder looked."""
QUIET = 1e-10
"""A slope below the rounding error, and that below this share of the output, is zero as far as floating point can tell."""
MOVES = 3
ON_A_KINK = "the point lies on a kink"


@dataclass(frozen=True)
class ProbeResult:
    """The verdict on one primal: of its worst direction, or of those that could tell.

    `numeric` and `analytic` are the two directional derivatives and `tolerance` the bound on their difference (made of
    `truncation` and `roundoff` at the step `step`); `resolution` is the size of a single-entry error that would have been
    seen, `moved` whether the point lay on a kink and was moved, `evaluations` how often the forward ran for this primal,
    `leaf` the number of the tensor in a nested primal.
    """

    status: Status
    numeric: float = 0.0
    analytic: float = 0.0
    tolerance: float = 0.0
    resolution: float = 0.0
    moved: bool = False
    evaluations: int = 0
    reason: str = ""
    truncation: float = 0.0
    roundoff: float = 0.0
    step: float = 0.0
    leaf: int = 0


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
    base: Any = None,
    rounding: Rounding | None = None,
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
        directions: how many for each tensor, alternating between uniform and relative sizes.
        base: the output at the point, where it is known already.
        rounding: an estimate of the rounding error in every entry of a primal's gradient, asked for only where it matters.

    """
    generator = Generator().manual_seed(seed)
    ground = make_ground(sweep, point, dout, base)
    if ground is None:
        return dict.fromkeys(wrt, ProbeResult(Status.INCONCLUSIVE, reason="the forward does not run here"))
    kinds = tuple(KINDS[number % len(KINDS)] for number in range(directions))
    test = Test(ground, grads, rounding)
    results = _on(test, wrt, kinds, generator)
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
        found = _on(Test(moved, slopes, rounding), kinked, kinds, generator)
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


@dataclass(frozen=True)
class Test:
    """Gradients under test on some ground."""

    ground: Ground
    grads: Mapping[str, Any]
    rounding: Rounding | None

    def slope(self, line: Line) -> tuple[float, float]:
        """⟨g, u⟩ and ‖g·u‖₂."""
        return line.slope(self.grads[line.primal])

    def blur(self, line: Line) -> float:
        """‖δg·u‖₂ for the gradient's own rounding error δg."""
        error = self.rounding(line.primal) if self.rounding is not None else None
        size = line.slope(error)[1] if error is not None else 0.0
        return size if math.isfinite(size) else 0.0


def _on(test: Test, names: Sequence[str], kinds: tuple[str, ...], generator: Generator) -> dict[str, ProbeResult]:
    """The verdicts at one point: quick for what agrees at once, careful for the rest."""
    ground = test.ground
    lines = draw_lines(ground.point.primals, names, kinds, generator)
    verdicts: list[tuple[Line, ProbeResult]] = []
    rest: list[Line] = []
    for line, estimate in zip(lines, ground.quick(lines), strict=True):
        result, signal = _result(line, *test.slope(line), estimate)
        if abs(result.numeric - result.analytic) <= result.tolerance <= TIGHT * signal:
            verdicts.append((line, result))
        else:
            rest.append(line)
    if rest:
        verdicts += _carefully(test, rest)
        wrong = [line for line, verdict in verdicts if verdict.status is Status.FAILED]
        verdicts = _confirmed(test, verdicts, wrong, generator) if wrong else verdicts
    return {name: _combined([v for v in verdicts if v[0].primal == name], ground.counts.get(name, 0)) for name in names}


def _carefully(test: Test, lines: Sequence[Line], *, whole: bool = False) -> list[tuple[Line, ProbeResult]]:
    settled = test.ground.settle(lines)
    steady = [line for line in settled if line.step]
    measured = test.ground.careful(steady, whole=whole)
    kinked = [(line, ProbeResult(Status.INCONCLUSIVE, reason=ON_A_KINK, leaf=line.leaf)) for line in settled if not line.step]
    return kinked + [(line, _verdict(test, line, careful)) for line, careful in zip(steady, measured, strict=True)]


def _confirmed(
    test: Test, verdicts: Sequence[tuple[Line, ProbeResult]], wrong: Sequence[Line], generator: Generator
) -> list[tuple[Line, ProbeResult]]:
    """A failure stands where a second direction fails as well, on the whole ladder: its finest steps suit every entry."""
    again: dict[tuple[str, int, str], Line] = {}
    for kind in dict.fromkeys(line.kind for line in wrong):
        tensors = {(line.primal, line.leaf) for line in wrong if line.kind == kind}
        second = "capped" if kind == "uniform" else kind
        names = list(dict.fromkeys(name for name, _ in tensors))
        drawn = draw_lines(test.ground.point.primals, names, (second,), generator)
        again |= {(line.primal, line.leaf, kind): line for line in drawn if (line.primal, line.leaf) in tensors}
    answers = [verdict for _, verdict in sorted(
        _carefully(test, list(again.values()), whole=True), key=lambda pair: _place(pair[0], list(again.values()))
    )]
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


def _result(line: Line, analytic: float, size: float, estimate: Estimate, blur: float = 0.0) -> tuple[ProbeResult, float]:
    """What an estimate says, still undecided, and the signal: the size of what is being compared."""
    tolerance = SAFETY * (estimate.error + blur) + 8 * float(torch.finfo(real_dtype(line.u)).eps) * size
    result = ProbeResult(
        Status.PASSED,
        numeric=estimate.value,
        analytic=analytic,
        tolerance=tolerance,
        resolution=tolerance / line.narrowest,
        truncation=estimate.truncation,
        roundoff=estimate.roundoff,
        step=estimate.step,
        leaf=line.leaf,
    )
    return result, max(abs(estimate.value), size)


def _verdict(test: Test, line: Line, careful: Careful) -> ProbeResult:
    result, signal = _result(line, *test.slope(line), careful.estimate, test.blur(line))
    gap = abs(result.numeric - result.analytic)
    if gap != gap and result.numeric == result.numeric and abs(result.numeric) != float("inf"):
        return replace(result, status=Status.FAILED, reason="the gradient is not finite")
    if gap != gap or gap == float("inf"):
        return replace(result, status=Status.INCONCLUSIVE, reason="the function is not finite around the point")
    if gap > result.tolerance:
        if careful.kinked(gap):
            return replace(result, status=Status.INCONCLUSIVE, reason=ON_A_KINK)
        if careful.estimate.settled or careful.steady(gap):
            return replace(result, status=Status.FAILED, reason="the slopes differ")
        return replace(result, status=Status.INCONCLUSIVE, reason="the differences do not converge")
    if result.tolerance <= TIGHT * signal:
        return result
    rounding = 2 * careful.estimate.roundoff
    if signal <= max(rounding, careful.estimate.error) and result.tolerance <= QUIET * test.ground.pairing.size():
        return replace(result, reason="no larger than rounding")
    if result.tolerance > INCONCLUSIVE_SHARE * signal and (signal > 0 or result.tolerance > 0):
        return replace(result, status=Status.INCONCLUSIVE, reason="rounding drowns the signal")
    if not careful.estimate.settled:
        return replace(result, status=Status.INCONCLUSIVE, reason="the differences do not converge")
    return result


def _combined(verdicts: Sequence[tuple[Line, ProbeResult]], count: int) -> ProbeResult:
    """One verdict for a primal: failed where any direction fails, passed where every tensor has one that passes."""
    if not verdicts:
        return ProbeResult(Status.PASSED, evaluations=count, reason="it has no entries")
    failed = [verdict for _, verdict in verdicts if verdict.status is Status.FAILED]
    if failed:
        return replace(failed[0], evaluations=count)
    weakest: ProbeResult | None = None
    for leaf in dict.fromkeys(verdict.leaf for _, verdict in verdicts):
        of_leaf = [verdict for _, verdict in verdicts if verdict.leaf == leaf]
        passed = [verdict for verdict in of_leaf if verdict.status is Status.PASSED]
        best = min(passed or of_leaf, key=lambda verdict: verdict.resolution)
        if not passed:
            kinked = [verdict for verdict in of_leaf if verdict.reason == ON_A_KINK]
            return replace(kinked[0] if kinked else best, evaluations=count)
        weakest = best if weakest is None or best.resolution > weakest.resolution else weakest
    return replace(weakest or verdicts[0][1], evaluations=count)
