"""Gradients against finite differences of the forward, along a few random directions for each tensor.

A signed direction through every entry sees an error in any of them; the tolerance comes from the measured error of the
difference quotient alone. Requests are few and large, since they may cross a socket.
"""

from __future__ import annotations

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

    """
    generator = Generator().manual_seed(seed)
    ground = make_ground(sweep, point, dout, base)
    if ground is None:
        return dict.fromkeys(wrt, ProbeResult(Status.INCONCLUSIVE, reason="the forward does not run here"))
    kinds = tuple(KINDS[number % len(KINDS)] for number in range(directions))
    results = _on(ground, grads, wrt, kinds, generator)
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
        found = _on(moved, slopes, kinked, kinds, generator)
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


def _on(
    ground: Ground, grads: Mapping[str, Any], names: Sequence[str], kinds: tuple[str, ...], generator: Generator
) -> dict[str, ProbeResult]:
    """The verdicts at one point: quick for what agrees at once, careful for the rest."""
    lines = draw_lines(ground.point.primals, names, kinds, generator)
    verdicts: list[tuple[Line, ProbeResult]] = []
    rest: list[Line] = []
    for line, estimate in zip(lines, ground.quick(lines), strict=True):
        verdict = _judged(line, grads, estimate, agreement=True)
        if verdict is None:
            rest.append(line)
        else:
            verdicts.append((line, verdict))
    verdicts += _carefully(ground, grads, rest, generator)
    return {name: _combined(name, [v for v in verdicts if v[0].primal == name], ground) for name in names}


def _carefully(
    ground: Ground, grads: Mapping[str, Any], lines: Sequence[Line], generator: Generator, *, confirm: bool = True
) -> list[tuple[Line, ProbeResult]]:
    settled = ground.settle(lines) if lines else []
    verdicts = [(line, ProbeResult(Status.INCONCLUSIVE, reason=ON_A_KINK, leaf=line.leaf)) for line in settled if not line.step]
    steady = [line for line in settled if line.step]
    measured = ground.careful(steady)
    judged = [(line, _verdict(line, grads, careful, ground)) for line, careful in zip(steady, measured, strict=True)]
    wrong = [line for line, verdict in judged if verdict.status is Status.FAILED]
    if confirm and wrong:
        judged = _confirmed(ground, grads, judged, wrong, generator)
    return verdicts + judged


def _confirmed(
    ground: Ground,
    grads: Mapping[str, Any],
    judged: Sequence[tuple[Line, ProbeResult]],
    wrong: Sequence[Line],
    generator: Generator,
) -> list[tuple[Line, ProbeResult]]:
    """A failure stands where a second, independent direction of the same kind fails as well."""
    fresh = {
        (line.primal, line.leaf, line.kind): line
        for kind in dict.fromkeys(line.kind for line in wrong)
        for line in draw_lines(ground.point.primals, list(dict.fromkeys(w.primal for w in wrong)), (kind,), generator)
    }
    again = [fresh[key] for key in dict.fromkeys((w.primal, w.leaf, w.kind) for w in wrong)]
    second = {
        (line.primal, line.leaf, line.kind): verdict
        for line, verdict in _carefully(ground, grads, again, generator, confirm=False)
    }
    doubt = "one direction disagrees and another does not"
    return [
        (line, verdict)
        if verdict.status is not Status.FAILED or second[line.primal, line.leaf, line.kind].status is Status.FAILED
        else (line, replace(verdict, status=Status.INCONCLUSIVE, reason=doubt))
        for line, verdict in judged
    ]


def _result(line: Line, grads: Mapping[str, Any], estimate: Estimate) -> tuple[ProbeResult, float]:
    """What an estimate says, still undecided, and the signal: the size of what is being compared."""
    analytic, size = line.slope(grads[line.primal])
    tolerance = SAFETY * estimate.error + 8 * float(torch.finfo(real_dtype(line.u)).eps) * size
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


def _judged(line: Line, grads: Mapping[str, Any], estimate: Estimate, *, agreement: bool) -> ProbeResult | None:
    """`passed` where the two slopes agree too well for coincidence, else None: not decided."""
    result, signal = _result(line, grads, estimate)
    agrees = abs(result.numeric - result.analytic) <= result.tolerance <= TIGHT * signal
    return result if agreement and agrees else None


def _verdict(line: Line, grads: Mapping[str, Any], careful: Careful, ground: Ground) -> ProbeResult:
    result, signal = _result(line, grads, careful.estimate)
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
    if signal <= max(rounding, careful.estimate.error) and result.tolerance <= QUIET * ground.pairing.size():
        return replace(result, reason="no larger than rounding")
    if result.tolerance > INCONCLUSIVE_SHARE * signal and (signal > 0 or result.tolerance > 0):
        return replace(result, status=Status.INCONCLUSIVE, reason="rounding drowns the signal")
    if not careful.estimate.settled:
        return replace(result, status=Status.INCONCLUSIVE, reason="the differences do not converge")
    return result


def _combined(name: str, verdicts: Sequence[tuple[Line, ProbeResult]], ground: Ground) -> ProbeResult:
    """One verdict for a primal: failed where any direction fails, passed where every tensor has one that passes."""
    count = ground.counts.get(name, 0)
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
