"""From a measured slope and a gradient to a verdict: the tolerance comes from the measured error alone, nobody sets it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import Estimate
from autograd_check.verify.finding import Status
from autograd_check.verify.memo import Memo
from autograd_check.verify.rays import KINDS, Direction, Ray, draw_directions, draw_rays, real_dtype, steps_of
from autograd_check.verify.slope import Careful, Slopes, Sweep, slopes_at
from autograd_check.verify.tensors import is_differentiable, map_tensors
from autograd_check.verify.tolerances import (
    CLOSE,
    FAINT,
    INCONCLUSIVE_SHARE,
    MOVED,
    PRECISION,
    QUIET,
    RESOLVED,
    ROUGH,
    SAFETY,
    SHORT,
    SINGLE,
    TIGHT,
)

Spread = Callable[[str], Sequence[Tensor]]
"""How far every entry of a primal's gradient may be off by rounding, for each of its tensors."""

ON_A_KINK = "the point lies on a kink"


@dataclass(frozen=True)
class ProbeResult:
    """The verdict on one primal: of its worst direction, or of those that could tell.

    `numeric` and `analytic` are the two directional derivatives and `tolerance` the bound on their difference; `resolution`
    is the size of a single-entry error that would have been seen, `moved` whether the point lay on a kink and was moved,
    `leaf` the number of the tensor in a nested primal.
    """

    status: Status
    numeric: float = 0.0
    analytic: float = 0.0
    tolerance: float = 0.0
    resolution: float = 0.0
    moved: bool = False
    reason: str = ""
    leaf: int = 0


@dataclass(frozen=True)
class UnderTest:
    """Gradients under test on some slopes, and what may be said for them where they disagree with it.

    `spread` is what rounding does to them, `single` whether float32 takes part; both are asked for only where a gradient
    disagrees, before anything is said of it.
    """

    slopes: Slopes
    grads: Mapping[str, Any]
    spread: Spread | None = None
    single: Callable[[], bool] = lambda: False

    def slope(self, ray: Ray) -> tuple[float, float]:
        """⟨g, u⟩ and ‖g·u‖₂."""
        return ray.slope(self.grads[ray.primal])

    def shake(self, ray: Ray) -> float:
        """‖δg·u‖₂ for what rounding does to the gradient."""
        change = self.spread(ray.primal) if self.spread is not None else []
        size = ray.slope(change)[1] if len(change) > ray.leaf else 0.0
        return size if math.isfinite(size) else 0.0


def measured(
    ray: Ray, analytic: float, size: float, estimate: Estimate, shake: float = 0.0, precision: float = PRECISION
) -> tuple[ProbeResult, float]:
    """What an estimate says, still undecided, and the signal: the size of what is being compared."""
    precision = max(precision, 8 * float(torch.finfo(real_dtype(ray.u)).eps))
    tolerance = SAFETY * (estimate.error + shake) + precision * size
    result = ProbeResult(
        Status.PASSED,
        numeric=estimate.value,
        analytic=analytic,
        tolerance=tolerance,
        resolution=tolerance / ray.narrowest,
        leaf=ray.leaf,
    )
    return result, max(abs(estimate.value), size)


def verdict_on(test: UnderTest, ray: Ray, careful: Careful) -> ProbeResult:
    """What a careful measurement says of the gradient along a ray."""
    analytic, size = test.slope(ray)
    result, signal = measured(ray, analytic, size, careful.estimate)
    gap = abs(result.numeric - result.analytic)
    if max(signal, gap) <= FAINT * test.slopes.pairing.unit() and _is_noise(test, ray, careful):
        return replace(result, reason="no larger than rounding")
    shake = 0.0
    if result.tolerance < gap < math.inf:
        shake = test.shake(ray)
        result, signal = measured(ray, analytic, size, careful.against(analytic), shake)
        gap = abs(result.numeric - result.analytic)
        if gap <= result.tolerance and signal <= SAFETY * shake:
            return replace(result, reason="no larger than rounding")
    if result.tolerance < gap <= result.tolerance + SINGLE * size and test.single():
        result, signal = measured(ray, analytic, size, careful.against(analytic), shake, SINGLE)
    if gap != gap and result.numeric == result.numeric and abs(result.numeric) != float("inf"):
        return replace(result, status=Status.FAILED, reason="the gradient is not finite")
    if gap != gap or gap == float("inf"):
        return replace(result, status=Status.INCONCLUSIVE, reason="the function is not finite around the point")
    if gap > result.tolerance:
        rough = careful.estimate.roundoff * careful.estimate.step > ROUGH * test.slopes.pairing.size()
        if rough and not _is_noise(test, ray, careful):
            return replace(result, status=Status.INCONCLUSIVE, reason="the function is rough at the smallest steps")
        if careful.kinked(gap):
            return replace(result, status=Status.INCONCLUSIVE, reason=ON_A_KINK)
        if careful.estimate.settled or careful.steady(gap):
            return replace(result, status=Status.FAILED, reason="the slopes differ")
        return replace(result, status=Status.INCONCLUSIVE, reason="the differences do not converge")
    if result.tolerance <= TIGHT * signal:
        return result
    quiet = result.tolerance <= QUIET * test.slopes.pairing.size() or _is_noise(test, ray, careful)
    if quiet and signal <= max(2 * careful.estimate.roundoff, careful.estimate.error):
        return replace(result, reason="no larger than rounding")
    if signal <= SAFETY * (shake or test.shake(ray)):
        return replace(result, reason="no larger than rounding")
    if result.tolerance > INCONCLUSIVE_SHARE * signal and (signal > 0 or result.tolerance > 0):
        return replace(result, status=Status.INCONCLUSIVE, reason="rounding drowns the signal")
    if not careful.estimate.settled:
        return replace(result, status=Status.INCONCLUSIVE, reason="the differences do not converge")
    return result


def _is_noise(test: UnderTest, ray: Ray, careful: Careful) -> bool:
    return test.slopes.is_noise(ray, careful.estimate.roundoff * careful.estimate.step)


def combined(verdicts: Sequence[ProbeResult]) -> ProbeResult:
    """One verdict for a primal: failed where any direction fails, passed where every tensor has one that passes."""
    if not verdicts:
        return ProbeResult(Status.PASSED, reason="it has no entries")
    failed = [verdict for verdict in verdicts if verdict.status is Status.FAILED]
    if failed:
        return failed[0]
    best = []
    for leaf in dict.fromkeys(verdict.leaf for verdict in verdicts):
        of_leaf = [verdict for verdict in verdicts if verdict.leaf == leaf]
        passed = [verdict for verdict in of_leaf if verdict.status is Status.PASSED]
        kinked = [verdict for verdict in of_leaf if verdict.reason == ON_A_KINK]
        if not passed and kinked:
            return kinked[0]
        best.append(min(passed or of_leaf, key=lambda verdict: verdict.resolution))
        if not passed:
            return best[-1]
    return max(best, key=lambda verdict: verdict.resolution)


Regrad = Callable[[Point], Mapping[str, Any] | None]

MOVES = 3
"""How often a point that lies on a kink is moved."""
DIRECTIONS = 1 << 32
"""Where the seeds of directions begin: a direction drawn like the cotangent has its signs, and tells less."""


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
    memo: Memo | None = None,
) -> dict[str, ProbeResult]:
    """Check the gradient of every primal in `wrt` against finite differences of the forward behind `sweep`.

    `grads` are the gradients under test by primal, in its nest, for the cotangent `dout`; `regrad` gives them at another point,
    to which a point on a kink is moved. `base` is the output at the point, where it is known already. `spread` is what rounding
    does to a primal's gradient and `single` whether float32 takes part; both are asked for only where a gradient disagrees.
    """
    kept, generator = memo or Memo(), Generator().manual_seed(DIRECTIONS + 2 * seed + 1)

    def draw(tensors: Sequence[Tensor], kinds: tuple[str, ...], start: Generator) -> list[list[Direction]]:
        return kept.once(("directions", kinds, seed), tensors, lambda: draw_directions(tensors, kinds, start))

    slopes = slopes_at(sweep, point, dout, base)
    if slopes is None:
        return dict.fromkeys(wrt, ProbeResult(Status.INCONCLUSIVE, reason="the forward does not run here"))
    test = UnderTest(slopes, grads, spread, single)
    rays = draw_rays(point.primals, wrt, KINDS, Generator().manual_seed(DIRECTIONS + 2 * seed), draw)
    results = _on(test, wrt, rays, generator)
    for _ in range(MOVES):
        kinked = [name for name, result in results.items() if result.reason == ON_A_KINK]
        if not kinked:
            break
        elsewhere = _moved(point, kinked, generator)
        gradients = regrad(elsewhere)
        moved = slopes_at(sweep, elsewhere, dout) if gradients is not None else None
        if moved is None or gradients is None or not moved.pairing.regular(slopes.base):
            break
        rays = draw_rays(elsewhere.primals, kinked, KINDS, generator)
        found = _on(UnderTest(moved, gradients, single=single), kinked, rays, generator)
        results |= {name: replace(result, moved=True) for name, result in found.items()}
    return results


def _moved(point: Point, names: Sequence[str], generator: Generator) -> Point:
    def nudge(x: Tensor) -> Tensor:
        if not is_differentiable(x) or not x.numel():
            return x
        size = x.abs()[torch.isfinite(x)]
        scale = float(size.mean()) if bool(size.any()) else 1.0
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(real_dtype(x))
        return x + MOVED * scale * noise

    primals = {name: map_tensors(nudge, value) if name in names else value for name, value in point.primals.items()}
    return Point(primals, point.hyper)


def _on(test: UnderTest, names: Sequence[str], rays: Sequence[Ray], generator: Generator) -> dict[str, ProbeResult]:
    """The verdicts at one point: quick for what agrees at once, careful for the rest."""
    slopes = test.slopes
    verdicts: list[tuple[Ray, ProbeResult]] = []
    rest: list[Ray] = []
    for ray, estimate in zip(rays, slopes.quick(rays), strict=True):
        result, signal = measured(ray, *test.slope(ray), estimate)
        if abs(result.numeric - result.analytic) <= result.tolerance <= CLOSE[ray.kind] * signal:
            verdicts.append((ray, result))
        else:
            rest.append(ray)
    if rest:
        verdicts += _carefully(test, rest)
        wrong = [ray for ray, verdict in verdicts if verdict.status is Status.FAILED]
        verdicts = _confirmed(test, verdicts, wrong, generator) if wrong else verdicts
        verdicts = [_better(test, ray, verdict, generator) for ray, verdict in verdicts]
    return {name: combined([verdict for ray, verdict in verdicts if ray.primal == name]) for name in names}


def _carefully(test: UnderTest, rays: Sequence[Ray], *, whole: bool = False) -> list[tuple[Ray, ProbeResult]]:
    """The verdict of each ray, in order, from settled steps on a ladder."""
    settled = test.slopes.settle(rays)
    measurements = iter(test.slopes.careful([ray for ray in settled if ray.step], whole=whole))
    kinked = ProbeResult(Status.INCONCLUSIVE, reason=ON_A_KINK)
    return [(ray, verdict_on(test, ray, next(measurements)) if ray.step else replace(kinked, leaf=ray.leaf)) for ray in settled]


def _better(test: UnderTest, ray: Ray, verdict: ProbeResult, generator: Generator) -> tuple[Ray, ProbeResult]:
    """A verdict on a tensor of tiny numbers, from a direction as long as 1 where its own size resolves too little.

    A bias of 1e-13 says nothing of how far it has to move before a layer's output does. A failure stands where a second
    direction fails as well.
    """
    signal = max(abs(verdict.numeric), abs(verdict.analytic))
    unresolved = verdict.status is Status.INCONCLUSIVE and verdict.reason != ON_A_KINK
    if ray.kind != "uniform" or ray.narrowest > SHORT or not (unresolved or verdict.tolerance > RESOLVED * signal):
        return ray, verdict
    drawn = draw_rays(test.slopes.point.primals, [ray.primal], ("uniform",), generator)
    longer = [_as_long_as_one(one) for one in (ray, *drawn) if one.leaf == ray.leaf]
    found = [result for _, result in _carefully(test, longer, whole=True)]
    if all(result.status is Status.FAILED for result in found):
        return ray, found[0]
    passed = [result for result in found if result.status is Status.PASSED and result.resolution < verdict.resolution]
    return (ray, passed[0]) if len(passed) == len(found) and verdict.status is not Status.FAILED else (ray, verdict)


def _as_long_as_one(ray: Ray) -> Ray:
    factor = 2.0 ** min(-round(math.log2(ray.narrowest)), 1000)  # a subnormal has no reciprocal
    return replace(ray, u=ray.u * factor, narrowest=ray.narrowest * factor, step=steps_of(ray.u)[0])


def _confirmed(
    test: UnderTest, verdicts: Sequence[tuple[Ray, ProbeResult]], wrong: Sequence[Ray], generator: Generator
) -> list[tuple[Ray, ProbeResult]]:
    """A failure stands where a second direction fails as well, on the whole ladder: its finest steps suit every entry."""
    again: dict[tuple[str, int, str], Ray] = {}
    for kind in dict.fromkeys(ray.kind for ray in wrong):
        tensors = {(ray.primal, ray.leaf) for ray in wrong if ray.kind == kind}
        second = "capped" if kind == "uniform" else kind
        names = list(dict.fromkeys(name for name, _ in tensors))
        drawn = draw_rays(test.slopes.point.primals, names, (second,), generator)
        again |= {(ray.primal, ray.leaf, kind): ray for ray in drawn if (ray.primal, ray.leaf) in tensors}
    answers = [verdict for _, verdict in _carefully(test, list(again.values()), whole=True)]
    stands = {key: verdict.status is Status.FAILED for key, verdict in zip(again, answers, strict=True)}
    doubt = "one direction disagrees and another does not"
    return [
        (ray, verdict)
        if verdict.status is not Status.FAILED or stands[ray.primal, ray.leaf, ray.kind]
        else (ray, replace(verdict, status=Status.INCONCLUSIVE, reason=doubt))
        for ray, verdict in verdicts
    ]
