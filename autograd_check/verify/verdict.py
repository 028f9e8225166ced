"""From a measured slope and a gradient to a verdict: the tolerance comes from the measured error alone, nobody sets it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import Estimate
from autograd_check.verify.finding import Finding, Kind, Status, failed, inconclusive, passed
from autograd_check.verify.memo import Memo
from autograd_check.verify.rays import KINDS, Bundle, Path, Ray, Walk, draw_rays, only, real_dtype, steps_of
from autograd_check.verify.slope import SMOOTH, Careful, Slopes, Sweep, quick_walk, slopes_at
from autograd_check.verify.tensors import is_differentiable, largest, leaves, map_leaves, map_tensors, norm, number_pair
from autograd_check.verify.tolerances import (
    CLOSE,
    COARSE,
    EPS,
    FAINT,
    FAR,
    FINER,
    GRANTED,
    INCONCLUSIVE_SHARE,
    JUMP,
    MOVED,
    NEAR,
    NO_LEAVE,
    PRECISION,
    QUIET,
    RATIO,
    RESOLVED,
    ROUGH,
    ROUNDOFF,
    SAFETY,
    SHORT,
    SINGLE,
    STILL,
    TIGHT,
    Leave,
)

Spread = Callable[[str], Sequence[Tensor]]
"""How far every entry of a primal's gradient may be off by rounding, for each of its tensors."""

GROUPS = 512
"""In so many groups the entries are measured where the user grants an error."""

ON_A_KINK = "the point lies on a kink"
OTHER_FORM = "the output has another shape or dtype right beside the point"
WITHIN = "within your tolerance"
DROWNED = "rounding drowns the signal"


class ProbeResult(NamedTuple):
    """The verdict on one primal: of its worst direction, or of those that could tell.

    `numeric` and `analytic` are the two directional derivatives and `tolerance` the bound on their difference; `resolution`
    is the size of a single-entry error that would have been seen, `moved` whether the point lay on a kink and was moved,
    `leaf` the number of the tensor in a nested primal, `error` that of an entry, in the mean, where the user grants it.
    """

    status: Status
    numeric: float = 0.0
    analytic: float = 0.0
    tolerance: float = 0.0
    resolution: float = 0.0
    moved: bool = False
    reason: str = ""
    leaf: int = 0
    error: float = 0.0

    @property
    def gap(self) -> float:
        """By how much the two derivatives differ."""
        return abs(self.numeric - self.analytic)


UNMOVED = ProbeResult(Status.PASSED, reason="constant around the point")
"""The verdict on a gradient of zero where the function does not change at all, to the last bit, at large steps and small ones."""


class Says(Protocol):
    """What a derivative under test says along rays, and what may be said for it where it disagrees with the function."""

    def slope(self, path: Path) -> tuple[float, float]:
        """The slope along the path, and the size of what was added up for it."""
        ...

    def sizes(self, rays: Sequence[Ray]) -> list[float]:
        """The size of each ray's own part of that, where all of them are walked at once."""
        ...

    def shake(self, ray: Ray) -> float:
        """What rounding does to that slope; asked for only where the derivative disagrees, before anything is said of it."""
        ...

    def leave(self, ray: Ray) -> float:
        """The error of the slope that the user grants."""
        ...


@dataclass(frozen=True)
class Gradients:
    """Gradients by primal. `spread` is what rounding does to them; `granted` what the user lets pass."""

    grads: Mapping[str, Any]
    spread: Spread | None = None
    granted: Leave = NO_LEAVE

    _known: dict[int, tuple[Ray, tuple[float, float]]] = field(default_factory=dict, repr=False)

    def slope(self, path: Path) -> tuple[float, float]:
        """⟨g, u⟩ and ‖g·u‖₂."""
        for ray in path.rays:
            if id(ray.u) not in self._known:  # a ray with another step is the same question
                self._known[id(ray.u)] = ray, ray.slope(self.grads[ray.primal])
        slopes, sizes = zip(*(self._known[id(ray.u)][1] for ray in path.rays), strict=True)
        return sum(slopes), math.hypot(*sizes)

    def sizes(self, rays: Sequence[Ray]) -> list[float]:
        """‖g·u‖₂ for every ray."""
        return [self.slope(ray)[1] for ray in rays]

    def shake(self, ray: Ray) -> float:
        """‖δg·u‖₂ for what rounding does to the gradient."""
        change = self.spread(ray.primal) if self.spread is not None else []
        size = ray.slope(change)[1] if len(change) > ray.leaf else 0.0
        return size if math.isfinite(size) else 0.0

    def leave(self, ray: Ray) -> float:
        """What the errors δ that are granted may amount to: Σ |δ·u| at most, and for many of them four times ‖δ·u‖₂."""
        if not self.granted:
            return 0.0
        delta = map_leaves(lambda g: self.granted.of(g) if isinstance(g, Tensor) else 0.0, self.grads[ray.primal])
        size = leaves(delta)[ray.leaf].to(torch.float64) * ray.u.abs()
        return min(float(size.sum()), GRANTED * norm(size))


@dataclass(frozen=True)
class UnderTest:
    """A derivative under test on some slopes. `single` is whether float32 takes part, asked for only where it disagrees."""

    slopes: Slopes
    says: Says
    single: Callable[[], bool] = lambda: False

    def slope(self, path: Path) -> tuple[float, float]:
        """See `Says`."""
        return self.says.slope(path)

    def shake(self, ray: Ray, beside: Estimate | None = None) -> float:
        """See `Says`. Beside a slope measured well, what moves by more than all of it, and than the rounding of ones, excuses no more."""
        exact = beside is not None and beside.error < TIGHT * abs(beside.value)
        tail = EPS * self.slopes.pairing.unit() * largest(ray.u)
        most = max(EPS / COARSE * max(self.slope(ray)[1], self.slopes.pairing.size()), tail) if exact else math.inf
        return min(self.says.shake(ray), most)


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


def finding_of(verdict: ProbeResult, check: str, subject: str, probe: str, says: str, *, resolution: bool = False) -> Finding:
    """The finding about a derivative, which a message calls `says`; `resolution` is whether the error is named that would have been seen."""
    if verdict.status is Status.INCONCLUSIVE:
        return inconclusive(check, subject, probe, f"finite differences cannot tell here: {verdict.reason}")
    if verdict.status is Status.PASSED:
        text = "matches finite differences of your own forward"
        if verdict.reason == WITHIN:
            text += f", {WITHIN}; the measured error is {verdict.error:.1g}"
        if resolution and verdict.resolution:
            text += f"; an error above {verdict.resolution:.1g} in one entry would have been seen"
        return passed(check, subject, probe, text, Kind.GRADIENT)
    if verdict.reason == OTHER_FORM:
        return failed(check, subject, probe, f"{OTHER_FORM}: there is no derivative", Kind.GRADIENT, Cause.WRONG_SHAPE)
    analytic, numeric = number_pair(verdict.analytic, verdict.numeric)
    bounds = f"error bound {verdict.tolerance:.1g}, resolution {verdict.resolution:.1g}"
    text = f"along a random direction your forward changes by {numeric}, {says} says {analytic} ({bounds})"
    return failed(check, subject, probe, text, Kind.GRADIENT)


def verdict_on(test: UnderTest, ray: Ray, careful: Careful, *, last: bool = False, jump: float = math.inf) -> ProbeResult:
    """What a careful measurement says of the gradient along a ray; the `last` word is no failure where rounding may be all there is.

    `jump` is the least change that counts as a jump, where it is smaller than usual.
    """
    analytic, size = test.slope(ray)
    result, signal = measured(ray, analytic, size, careful.estimate)
    gap = result.gap
    if gap == gap and max(signal, gap) <= FAINT * test.slopes.pairing.unit() and _is_noise(test, ray, careful):
        return result._replace(reason="no larger than rounding")
    shake = 0.0
    if result.tolerance < gap < math.inf:
        shake = test.shake(ray, careful.estimate)
        result, signal = measured(ray, analytic, size, careful.against(analytic), shake)
        gap = result.gap
        if gap <= result.tolerance and signal <= SAFETY * shake:
            return result._replace(reason="no larger than rounding")
    if result.tolerance < gap <= result.tolerance + SINGLE * size and test.single():
        result, signal = measured(ray, analytic, size, careful.against(analytic), shake, SINGLE)
    if gap != gap and result.numeric == result.numeric and abs(result.numeric) != float("inf"):
        return result._replace(status=Status.FAILED, reason="the gradient is not finite")
    if gap != gap or gap == float("inf"):
        return result._replace(status=Status.INCONCLUSIVE, reason="the function is not finite around the point")
    if gap > result.tolerance and gap <= result.tolerance + test.says.leave(ray) and _granted_everywhere(test, ray):
        return result._replace(reason=WITHIN, error=gap / float(torch.linalg.vector_norm(ray.u)))
    if gap > result.tolerance:
        if careful.kinked(gap) or careful.jumps(min(jump, JUMP * test.slopes.pairing.size())):
            return result._replace(status=Status.INCONCLUSIVE, reason=ON_A_KINK)
        rough = careful.estimate.roundoff * careful.estimate.step > ROUGH * test.slopes.pairing.size()
        if rough and not _is_noise(test, ray, careful):
            return result._replace(status=Status.INCONCLUSIVE, reason="the function is rough at the smallest steps")
        if careful.estimate.settled or careful.steady(gap):
            drowned = _drowned(test, ray, careful, shake) if last else None
            return drowned or result._replace(status=Status.FAILED, reason="the slopes differ")
        return result._replace(status=Status.INCONCLUSIVE, reason="the differences do not converge")
    if result.tolerance <= TIGHT * signal:
        return result
    quiet = careful.estimate.error <= QUIET * test.slopes.pairing.size() or _is_noise(test, ray, careful)
    if quiet and signal <= max(2 * careful.estimate.roundoff, careful.estimate.error):
        return result._replace(reason="no larger than rounding")
    if signal <= SAFETY * (shake or test.shake(ray, careful.estimate)):
        return result._replace(reason="no larger than rounding")
    if result.tolerance > INCONCLUSIVE_SHARE * signal and (signal > 0 or result.tolerance > 0):
        return result._replace(status=Status.INCONCLUSIVE, reason=DROWNED)
    if not careful.estimate.settled:
        return result._replace(status=Status.INCONCLUSIVE, reason="the differences do not converge")
    return result


def _drowned(test: UnderTest, ray: Ray, careful: Careful, shake: float) -> ProbeResult | None:
    """The verdict where entries that stand still hide from the differences how coarsely the function rounds."""
    noise = test.slopes.hidden(ray, careful.estimate.step)
    coarse, signal = measured(ray, *test.slope(ray), careful.noisier(noise), shake)
    drowned = noise > 0 and coarse.gap <= coarse.tolerance and coarse.tolerance > INCONCLUSIVE_SHARE * signal
    return coarse._replace(status=Status.INCONCLUSIVE, reason=DROWNED) if drowned else None


def _granted_everywhere(test: UnderTest, ray: Ray) -> bool:
    """Whether every entry (of many: every group of neighbours) is within what is granted: one that is not would drown in the rest."""
    count, flat = ray.u.numel(), ray.u.reshape(-1)
    bounds = [count * group // min(count, GROUPS) for group in range(min(count, GROUPS) + 1)]
    groups = (slice(*ends) for ends in zip(bounds, bounds[1:], strict=False))
    rays = [replace(ray, u=only(ray.u, group, flat[group])) for group in groups]
    for ray, estimate in zip(rays, test.slopes.quick(rays), strict=True):
        result, _ = measured(ray, *test.slope(ray), estimate)
        if not result.gap <= result.tolerance + test.says.leave(ray):
            return False
    return True


def _is_noise(test: UnderTest, ray: Ray, careful: Careful) -> bool:
    return test.slopes.is_noise(ray, careful.estimate.roundoff * careful.estimate.step)


def combined(verdicts: Sequence[ProbeResult]) -> ProbeResult:
    """One verdict for a primal: failed where any direction fails, passed where every tensor has one that passes."""
    if not verdicts:
        return ProbeResult(Status.PASSED, reason="it has no entries")
    wrong = [verdict for verdict in verdicts if verdict.status is Status.FAILED]
    if wrong:
        return wrong[0]
    best = []
    for leaf in dict.fromkeys(verdict.leaf for verdict in verdicts):
        of_leaf = [verdict for verdict in verdicts if verdict.leaf == leaf]
        right = [verdict for verdict in of_leaf if verdict.status is Status.PASSED]
        kinked = [verdict for verdict in of_leaf if verdict.reason == ON_A_KINK]
        if not right and kinked:
            return kinked[0]
        best.append(min(right or of_leaf, key=lambda verdict: verdict.resolution))
        if not right:
            return best[-1]
    return max(best, key=lambda verdict: verdict.resolution)


MOVES = 3
"""How often a point that lies on a kink is moved."""
DIRECTIONS = 1 << 32
"""Where the seeds of directions begin: a direction drawn like the cotangent has its signs, and tells less."""


@dataclass(frozen=True)
class Probe:
    """A function at a point, its slopes there and the rays along which they are asked for; what is measured of them is kept.

    `base` is the output at the point, where it is known already, `jitter` by how much it differs from run to run. `slopes` is
    None where the function does not run.
    """

    sweep: Sweep
    point: Point
    dout: Any
    wrt: Sequence[str]
    seed: int
    base: Any = None
    jitter: Any = None
    memo: Memo = field(default_factory=Memo)

    @cached_property
    def slopes(self) -> Slopes | None:
        """The slopes at the point."""
        return slopes_at(self.sweep, self.point, self.dout, self.base, jitter=self.jitter)

    @cached_property
    def first(self) -> tuple[list[Ray], list[Bundle], Walk]:
        """See `first_rays`."""
        return first_rays(self.point, tuple(self.wrt), self.seed, self.memo)

    @property
    def rays(self) -> list[Ray]:
        """A ray of each kind through every tensor."""
        return self.first[0]

    def groups(self, says: Says) -> list[Bundle]:
        """The bundles in which a derivative is measured first."""
        return bundled(dict(zip(self.rays, says.sizes(self.rays), strict=True)), self.slopes.model if self.slopes else 0.0)

    @cached_property
    def estimates(self) -> Sequence[tuple[Bundle, Estimate]]:
        """The quick measurement of all tensors at once."""
        _, bundles, walk = self.first
        return list(zip(bundles, self.slopes.quick(bundles, walk), strict=True)) if self.slopes is not None else ()

    def verdicts(
        self, says: Says, elsewhere: Callable[[Point], Says | None], single: Callable[[], bool] = lambda: False
    ) -> dict[str, ProbeResult]:
        """What the slopes say of a derivative, by primal. `elsewhere` gives it at a point to which one on a kink is moved."""
        generator = Generator().manual_seed(DIRECTIONS + 2 * self.seed + 1)
        if self.slopes is None:
            return dict.fromkeys(self.wrt, ProbeResult(Status.INCONCLUSIVE, reason="the forward does not run here"))
        test = UnderTest(self.slopes, says, single)
        results = _on(test, self.wrt, self.rays, generator, self)
        for move in range(MOVES):
            kinked = [name for name, result in results.items() if result.reason == ON_A_KINK]
            if not kinked:
                break
            there = _moved(self.point, kinked, generator)
            derivative = elsewhere(there)
            # where the point and two drawn near it seem to lie on a kink, rounding decides the branches: at the last they are not looked at
            seen = SMOOTH if move == MOVES - 1 else None
            moved = slopes_at(self.sweep, there, self.dout, None, seen, self.jitter) if derivative is not None else None
            if moved is None or derivative is None or not moved.pairing.regular(self.slopes.base):
                break
            rays = draw_rays(there.primals, kinked, KINDS, generator)
            found = _on(UnderTest(moved, derivative, single), kinked, rays, generator)
            results |= {name: result._replace(moved=True) for name, result in found.items()}
        return results


def first_rays(point: Point, wrt: tuple[str, ...], seed: int, memo: Memo) -> tuple[list[Ray], list[Bundle], Walk]:
    """A ray of each kind through every tensor of a point, all of a kind in a bundle, and the points of a quick measurement."""

    def make() -> tuple[list[Ray], list[Bundle], Walk]:
        rays = draw_rays(point.primals, wrt, KINDS, DIRECTIONS + 2 * seed, memo)
        bundles = bundled(dict.fromkeys(rays, 1.0))
        return rays, bundles, quick_walk(point, bundles)

    return memo.once(("rays", wrt, seed), [point], make)


def _moved(point: Point, names: Sequence[str], generator: Generator) -> Point:
    def nudge(x: Tensor) -> Tensor:
        if not is_differentiable(x) or not x.numel():
            return x
        size = x.abs()[torch.isfinite(x)]
        scale = float(size.mean()) if bool(size.any()) else 1.0
        wide = torch.complex128 if x.is_complex() else torch.float64
        noise = torch.randn(x.shape, generator=generator, dtype=wide, device="cpu").to(x.device, x.dtype)
        return x + MOVED * scale * noise

    primals = {name: map_tensors(nudge, value) if name in names else value for name, value in point.primals.items()}
    return Point(primals, point.hyper)


def _on(
    test: UnderTest, names: Sequence[str], rays: Sequence[Ray], generator: Generator, probe: Probe | None = None
) -> dict[str, ProbeResult]:
    """The verdicts at one point (that of a probe whose estimates serve): quick for what agrees at once, careful for the rest."""
    verdicts, rest = _together(test, rays, probe)
    if rest:  # large steps cross kinks that small ones do not reach
        fine = [replace(ray, step=ray.step / FINER) for ray in rest if ray.step / FINER > ray.smallest * RATIO**2]
        fine = [ray for ray in fine if test.slope(ray)[1]]
        agreed = _at_once(test, fine) if fine else []
        known = {id(ray.u) for ray, _ in agreed}
        verdicts += agreed
        rest = [ray for ray in rest if id(ray.u) not in known]
    if rest:
        careful = _carefully(test, rest)
        untold = {(ray.primal, ray.leaf) for ray, verdict in careful if verdict.status is Status.INCONCLUSIVE}
        # a second opinion is coarse: where the first cannot tell, care is taken with it as well
        coarse = [ray for ray, verdict in verdicts if verdict.tolerance > CLOSE["uniform"] * test.slope(ray)[1]]
        alone = [ray for ray in coarse if (ray.primal, ray.leaf) in untold]
        verdicts = [*(one for one in verdicts if one[0] not in alone), *careful, *_carefully(test, alone)]
        wrong = [ray for ray, verdict in verdicts if verdict.status is Status.FAILED]
        verdicts = _confirmed(test, verdicts, wrong, generator) if wrong else verdicts
        verdicts = [_better(test, ray, verdict, generator) for ray, verdict in verdicts]
    return {name: combined([verdict for ray, verdict in verdicts if ray.primal == name]) for name in names}


def _together(test: UnderTest, rays: Sequence[Ray], probe: Probe | None) -> tuple[list[tuple[Ray, ProbeResult]], list[Ray]]:
    """The verdicts of rays that agree while all tensors move, each to its own tolerance, and the rays that this leaves open.

    What rounding is known to drown moves far; what the other tensors drown moves again, far and without those that are settled. A
    bundle that disagrees moves in halves: where one of them agrees, whoever disagrees is in the other.
    """
    found: list[tuple[Ray, ProbeResult]] = []
    rest: list[Ray] = []
    sizes = dict(zip(rays, test.says.sizes(rays), strict=True))

    def measure(bundles: Sequence[Bundle]) -> dict[Bundle, Estimate]:
        return dict(zip(bundles, test.slopes.quick(bundles), strict=True)) if bundles else {}

    groups = bundled(sizes, test.slopes.model)
    usual = all(sizes.values()) and not any(bundle.far for bundle in groups)
    estimates = dict(probe.estimates) if probe is not None and usual else measure(groups)
    families = [[bundle] for bundle in estimates]
    while families:
        following: list[list[Bundle]] = []
        for family in families:
            wrong: list[Bundle] = []
            for bundle in family:
                agreed, drowned = _judged(test, bundle, estimates[bundle], sizes)
                if not agreed and len(bundle.rays) > 1 and test.slope(bundle) == (0, 0):
                    agreed = _constant(test, bundle)
                found += agreed
                settled = {ray for ray, _ in agreed}
                left = [ray for ray in bundle.rays if ray not in settled]
                if left and (agreed or (drowned and not bundle.far)):
                    following += [[one] for one in bundled({ray: sizes[ray] for ray in left}, math.inf)]
                elif left:
                    wrong.append(bundle)
            for bundle in wrong:
                if len(bundle.rays) > 1 and not len(wrong) == len(family) > 1:
                    following.append(bundle.halves())
                elif len(bundle.rays) > 1 or bundle.far or not sizes[bundle.rays[0]]:
                    rest += bundle.rays
                else:  # what rounds coarsely shows its slope to larger steps
                    following += [[one] for one in bundled({bundle.rays[0]: sizes[bundle.rays[0]]}, math.inf)]
        families = following
        estimates = measure([bundle for family in families for bundle in family])
    return found, rest


def _judged(
    test: UnderTest, bundle: Bundle, estimate: Estimate, sizes: Mapping[Ray, float]
) -> tuple[list[tuple[Ray, ProbeResult]], bool]:
    """The verdicts on the rays of a bundle that its slope settles, and whether the slope fits but tells too little of all others."""
    analytic, size = test.slope(bundle)
    if analytic == 0 == size and estimate.error == 0:
        return [(ray, UNMOVED._replace(leaf=ray.leaf)) for ray in bundle.rays], False
    # a size that was seen in the function may be that of a jump: the derivative itself has to say as much
    owns = {ray: min(sizes[ray], size) for ray in bundle.rays}
    judged = [(ray, measured(ray, analytic, owns[ray], estimate)[0]) for ray in bundle.rays]
    agreed = [(ray, result) for ray, result in judged if _is_close(result, ray, owns[ray])]
    return agreed, all(result.gap <= result.tolerance for _, result in judged) and any(owns.values())


def bundled(sizes: Mapping[Ray, float], noise: float = 0.0) -> list[Bundle]:
    """All rays of a kind in one bundle, but for those along which nothing is to change, and those that the noise of a difference drowns.

    These move far: all of them where the noise is infinite.
    """
    groups: dict[tuple[str, bool, bool], list[Ray]] = {}
    for ray, size in sizes.items():
        rounding = SAFETY * ROUNDOFF * noise / (NEAR[ray.kind][-1] * ray.step)
        far = size != 0 and (noise == math.inf or not rounding + PRECISION * size <= CLOSE[ray.kind] * size)
        groups.setdefault((ray.kind, size == 0, far), []).append(ray)
    return [
        Bundle(tuple(rays), tuple(share * rays[0].step for share in (STILL if still else FAR if far else NEAR)[kind]), far)
        for (kind, still, far), rays in groups.items()
    ]


def _constant(test: UnderTest, bundle: Bundle) -> list[tuple[Ray, ProbeResult]]:
    """The verdicts on gradients of zero where a large step leaves the piece of the function, and nothing changes on it."""
    (constant,) = test.slopes.constant([bundle], [step for step, _ in test.slopes.reach([bundle], RATIO**2)])
    return [(ray, UNMOVED._replace(leaf=ray.leaf)) for ray in bundle.rays] if constant else []


def _is_close(result: ProbeResult, ray: Ray, size: float) -> bool:
    """Whether a quick measurement settles it."""
    return size > 0 and result.gap <= result.tolerance <= CLOSE[ray.kind] * size


def _at_once(test: UnderTest, rays: Sequence[Ray]) -> list[tuple[Ray, ProbeResult]]:
    """The verdicts that a quick measurement of each ray for itself settles."""
    estimates = test.slopes.quick(rays)
    judged = [(ray, *measured(ray, *test.slope(ray), estimate)) for ray, estimate in zip(rays, estimates, strict=True)]
    return [(ray, result) for ray, result, signal in judged if _is_close(result, ray, signal)]


def _carefully(
    test: UnderTest, rays: Sequence[Ray], *, whole: bool = False, jump: float = math.inf
) -> list[tuple[Ray, ProbeResult]]:
    """The verdict of each ray, in order, from settled steps on a ladder."""
    reached = test.slopes.reach(rays, RATIO)
    settled = [replace(ray, step=step) for ray, (step, _) in zip(rays, reached, strict=True)]
    zeros = [ray for ray in settled if test.slope(ray) == (0, 0)]
    still = test.slopes.constant(zeros, [ray.step for ray in zeros])
    constant = {ray for ray, stands in zip(zeros, still, strict=True) if stands}
    measurements = iter(test.slopes.careful([ray for ray in settled if ray.step and ray not in constant], whole=whole))
    found = []
    for ray, given, (_, by_rounding) in zip(settled, rays, reached, strict=True):
        if ray in constant:
            found.append((ray, UNMOVED._replace(leaf=ray.leaf)))
            continue
        verdict = verdict_on(test, ray, next(measurements), last=whole, jump=jump) if ray.step else _unsettled(test, ray)
        found.append((ray, _unwatched(test, given, verdict, jump) if by_rounding else verdict))
    return found


def _unwatched(test: UnderTest, ray: Ray, verdict: ProbeResult, jump: float) -> ProbeResult:
    """A verdict from all steps of a ray, where branches that rounding chooses have left none, or only such as rounding drowns."""
    coarse = verdict.reason == ON_A_KINK or verdict.tolerance > RESOLVED * max(abs(verdict.numeric), test.slope(ray)[1])
    if verdict.status is Status.FAILED or not coarse or ray.step < ray.smallest:
        return verdict
    (careful,) = test.slopes.careful([ray], whole=True)
    if not careful.estimate.settled or careful.kinked(0):
        return verdict
    longer = verdict_on(test, ray, careful, last=True, jump=jump)
    better = verdict.reason == ON_A_KINK or longer.tolerance < verdict.tolerance
    return longer if better and longer.status is not Status.INCONCLUSIVE else verdict


def _whole(test: UnderTest, rays: Iterable[Ray], jump: float = math.inf) -> list[ProbeResult]:
    return [verdict for _, verdict in _carefully(test, list(rays), whole=True, jump=jump)]


def _unsettled(test: UnderTest, ray: Ray) -> ProbeResult:
    """What there is to say where no step stays on one piece of the function: a kink, or an output that changes its form there."""
    if test.slopes.other_form(ray):
        return ProbeResult(Status.FAILED, reason=OTHER_FORM, leaf=ray.leaf)
    analytic, _ = test.slope(ray)
    bound = test.slopes.flat(replace(ray, step=steps_of(ray.u)[0]))
    # pieces that differ by rounding alone: rounding chooses among them
    if bound is not None and abs(analytic) <= bound + SAFETY * test.shake(ray):
        return ProbeResult(Status.PASSED, analytic=analytic, tolerance=bound, leaf=ray.leaf, reason="no larger than rounding")
    return ProbeResult(Status.INCONCLUSIVE, reason=ON_A_KINK, leaf=ray.leaf)


def _better(test: UnderTest, ray: Ray, verdict: ProbeResult, generator: Generator) -> tuple[Ray, ProbeResult]:
    """A verdict from larger steps, where those of the tensor's own size resolve too little.

    A bias of 1e-13 says nothing of how far it has to move before a layer's output does: a direction as long as 1 does. Any
    other moves by its own size where rounding drowns what a 64th of it does. A failure stands where a second direction fails as well,
    unless the function changes by the same at every step: then it bends on the tensor's own scale, of which long steps say nothing.
    """
    signal = max(abs(verdict.numeric), abs(verdict.analytic))
    unresolved = verdict.status is Status.INCONCLUSIVE and verdict.reason != ON_A_KINK
    short = ray.narrowest <= SHORT and (unresolved or verdict.tolerance > RESOLVED * signal)
    if ray.kind != "uniform" or not (short or verdict.reason == DROWNED):
        return ray, verdict
    drawn = draw_rays(test.slopes.point.primals, [ray.primal], ("uniform",), generator)
    longer = [_as_long_as_one(one) if short else replace(one, step=1.0) for one in (ray, *drawn) if one.leaf == ray.leaf]
    found = _whole(test, longer, test.slopes.model)
    if all(result.status is Status.FAILED for result in found):
        return ray, found[0]
    right = [result for result in found if result.status is Status.PASSED and result.resolution < verdict.resolution]
    return (ray, right[0]) if len(right) == len(found) and verdict.status is not Status.FAILED else (ray, verdict)


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
    answers = dict(zip(again, _whole(test, again.values()), strict=True))
    longer = {key: replace(again[key], step=1.0) for key, verdict in answers.items() if verdict.reason == DROWNED}
    answers |= zip(longer, _whole(test, longer.values()), strict=True)
    left = [ray for ray in wrong if answers[ray.primal, ray.leaf, ray.kind].status is not Status.FAILED]
    seen = {id(ray.u): verdict for ray, verdict in _carefully(test, left, whole=True)}
    doubt = "one direction disagrees and another does not"
    clear = {u: verdict.status is Status.PASSED or verdict.reason == ON_A_KINK for u, verdict in seen.items()}
    seen = {u: verdict if clear[u] else verdict._replace(status=Status.INCONCLUSIVE, reason=doubt) for u, verdict in seen.items()}
    return [(ray, seen.get(id(ray.u), verdict)) for ray, verdict in verdicts]
