"""Forward mode as a check of its own: jvp against finite differences along the same rays, and against the vjp.

⟨d, J u⟩ is the slope of ⟨d, f⟩ along u, so a jvp is judged like a gradient, on the same measurements. Where the backward is right as well,
⟨d, J u⟩ = ⟨Jᵀ d, u⟩ holds to rounding. A wrong jvp is located through the gradient that it stands for, ⟨d, J eₖ⟩ in every entry.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.tape.cotangents import TapeCandidate, compare_batched
from autograd_check.verify.candidate import Failure, Outcome, Point
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Mismatch, Status, failed, passed
from autograd_check.verify.locate import MOST_ENTRIES, Suspect, locate
from autograd_check.verify.precision import RandomRounding, compare_rounded
from autograd_check.verify.rays import Bundle, Path, Ray, draw_rays, only
from autograd_check.verify.slope import Slopes
from autograd_check.verify.tensors import (
    is_differentiable,
    largest,
    leaves,
    map_leaves,
    mismatch_text,
    named_leaves,
    norm,
    number_pair,
    paired,
    refilled,
    replaced,
)
from autograd_check.verify.tolerances import COARSE, DRAWS, EPS, GRANTED, LARGE, PRECISION, ROUNDINGS, SAFETY, Leave, of_its_size
from autograd_check.verify.verdict import OTHER_FORM, Gradients, Probe, ProbeResult, finding_of

FORWARD = "forward mode"
AGREE = "forward against reverse mode"
BATCHED = "batched forward gradients"
UNDEFINED = "undefined tangents"


def _zeros(nest: Any) -> Any:
    return map_leaves(lambda leaf: torch.zeros_like(leaf) if is_differentiable(leaf) else leaf, nest)


class Answer(NamedTuple):
    """What forward mode gave along a path for tangents that are `stretch` times as long, and the slope."""

    path: Path
    outcome: Outcome
    stretch: float
    slope: tuple[float, float]


@dataclass(frozen=True)
class Tangents:
    """What forward mode says at a point: a `Says` for the cotangent `dout`. Each ray is asked for once."""

    candidate: TapeCandidate
    point: Point
    dout: Any
    wrt: Sequence[str]
    granted: Leave
    slopes: Slopes | None = None
    _known: dict[tuple[int, ...], Answer] = field(default_factory=dict, repr=False)
    _sizes: dict[Ray, float] = field(default_factory=dict, repr=False)

    def along(self, path: Path) -> Outcome:
        """`(out, tangent)` along a path; along a relative one `stretch` times as far, so that tangents of two sizes are seen."""
        return self._asked(path).outcome

    def slope(self, path: Path) -> tuple[float, float]:
        """⟨d, J u⟩ and ‖d·J u‖₂; nan where forward mode does not run or its tangent does not fit."""
        return self._asked(path).slope

    def together(self, rays: Sequence[Ray]) -> Answer:
        """What forward mode gave along all of some rays: the sum of what it gave for parts of them, where these were asked already."""
        whole, parts = Bundle(tuple(rays)), list[Answer]()
        left = {id(ray.u) for ray in rays}
        for key, answer in self._known.items():
            if left.issuperset(key) and answer.outcome.failure is None and answer.stretch == (parts or [answer])[0].stretch:
                parts.append(answer)
                left.difference_update(key)
        if left or len(parts) < 2 or tuple(id(ray.u) for ray in rays) in self._known:
            return self._asked(whole)
        (out, tangent), others = parts[0].outcome.value, [leaves(part.outcome.value[1]) for part in parts[1:]]
        sums = [
            sum(row, start=one) if is_differentiable(one) else one for one, *row in zip(leaves(tangent), *others, strict=True)
        ]
        total = Outcome((out, refilled(tangent, sums)))
        return Answer(whole, total, parts[0].stretch, self._paired(total, parts[0].stretch))

    def values(self) -> list[tuple[Any, Any]]:
        """`(out, tangent)` along every path that was asked for, where forward mode gave something."""
        return [answer.outcome.value for answer in self._known.values() if answer.outcome.failure is None]

    def failure(self) -> Failure | None:
        """Why forward mode gave nothing along some path; None where it gave something along each."""
        return next((answer.outcome.failure for answer in self._known.values() if answer.outcome.failure is not None), None)

    def stretch(self, path: Path) -> float:
        """How many times as far forward mode went along a path."""
        return self._asked(path).stretch

    def _asked(self, path: Path) -> Answer:
        key = tuple(id(ray.u) for ray in path.rays)  # a ray with another step is the same question
        first = next(iter(self._known.values()), None)
        if first is not None and first.outcome.failure is not None:  # forward mode does not run here
            return first
        if key not in self._known:
            answer = self._answer(path, LARGE if path.rays and path.kind == "relative" else 1.0)
            if answer.stretch > 1 and not math.isfinite(answer.slope[0]):  # it may have overflown
                answer = self._answer(path, 1.0)
            self._known[key] = answer
        return self._known[key]

    def _answer(self, path: Path, stretch: float) -> Answer:
        tangents = self.tangents(path, stretch)
        outcome = self.candidate.jvp(self.point, tangents)
        if outcome.failure is not None:  # an input without a tangent is a matter of its own
            zeros = {name: _zeros(self.point.primals[name]) for name in self.wrt}
            outcome = self.candidate.jvp(self.point, {**zeros, **tangents})
        return Answer(path, outcome, stretch, self._paired(outcome, stretch))

    def sizes(self, rays: Sequence[Ray]) -> list[float]:
        """‖d·J u‖₂ for every ray, as a small step of the function shows it where several tensors matter: forward mode costs more."""
        new = [ray for ray in rays if ray not in self._sizes]
        self._sizes.update(zip(new, self._measured(new), strict=True))
        return [self._sizes[ray] for ray in rays]

    def _measured(self, rays: Sequence[Ray]) -> list[float]:
        first = {(ray.primal, ray.leaf): ray for ray in reversed(rays)}
        if self.slopes is None or len(first) <= 1:
            return [self.slope(ray)[1] for ray in rays]
        found = dict(zip(first.values(), self.slopes.sizes(list(first.values())), strict=True))
        still = {tensor for tensor, ray in first.items() if found[ray] == 0}
        found |= {ray: 0.0 for ray in rays if (ray.primal, ray.leaf) in still}
        if len(first) - len(still) == 1:  # then nothing else is in its tangent
            return [found[ray] if (ray.primal, ray.leaf) in still else self.slope(ray)[1] for ray in rays]
        left = [ray for ray in rays if ray not in found]
        found.update(zip(left, self.slopes.sizes(left), strict=True))
        return [found[ray] for ray in rays]

    def shake(self, path: Path) -> float:
        """How far that moves when every operation rounds anew."""
        exact, _ = self.slope(path)
        moved = [abs(self._paired(outcome, self.stretch(path))[0] - exact) for outcome in self.rounded(path)]
        return EPS / COARSE * max(filter(math.isfinite, moved), default=0.0)

    def rounded(self, path: Path) -> Iterator[Outcome]:
        """`(out, tangent)` along a path, a few times, with every operation rounding anew."""
        for seed in range(DRAWS):
            with RandomRounding(Generator().manual_seed(seed)):
                outcome = self.candidate.jvp(self.point, self.tangents(path, self.stretch(path)))
            yield outcome

    def leave(self, path: Path) -> float:
        """What the errors δ of the tangent that the user grants may amount to: Σ |δ·d| at most, and for many four times ‖δ·d‖₂."""
        outcome = self.along(path)
        if not self.granted or outcome.failure is not None:
            return 0.0
        pairs = zip(leaves(outcome.value[1]), leaves(self.dout), strict=True)
        sizes = [self.granted.of(t / self.stretch(path)).to(torch.float64) * d.abs() for t, d in pairs if is_differentiable(t)]
        return min(sum(float(size.sum()) for size in sizes), GRANTED * math.hypot(*map(norm, sizes)))

    def tangents(self, path: Path, stretch: float = 1.0) -> dict[str, Any]:
        """The tangents of the primals along a path, `stretch` times as long."""
        along: dict[str, Any] = {}
        for ray in path.rays:
            u = stretch * ray.u  # never the direction itself, which a jvp might write into
            primal = self.point.primals[ray.primal]
            nest = u if isinstance(primal, Tensor) else along.get(ray.primal) or _zeros(primal)
            along[ray.primal] = replaced(nest, ray.leaf, u)
        return along

    def _paired(self, outcome: Outcome, stretch: float) -> tuple[float, float]:
        if outcome.failure is not None:
            return math.nan, math.nan
        total, sizes, finite = 0.0, [], self.slopes is not None and self.slopes.pairing.finite
        for out, tangent, d in zip(leaves(outcome.value[0]), leaves(outcome.value[1]), leaves(self.dout), strict=True):
            if is_differentiable(tangent) and is_differentiable(d):
                if tangent.shape != d.shape:
                    return math.nan, math.nan
                if not finite and not math.isfinite(largest(out)):  # such an entry counts as constant, as in a slope
                    tangent = torch.where(torch.isfinite(out), tangent, 0)
                product, size = paired(d, tangent)
                total += product
                sizes.append(size)
        return total / stretch, math.hypot(*sizes) / stretch


def _raised(name: str, failure: Failure) -> Finding:
    text = f"forward mode raised {failure.exception}: {failure.says}"
    return failed(FORWARD, f"d{name}", "", text, Kind.GRADIENT, Cause.CRASHED)


@dataclass(frozen=True)
class ForwardCheck:
    """What the checks of forward mode share: the probe, and the gradients of the backward where these are right already."""

    candidate: TapeCandidate
    probe: Probe
    gradients: Mapping[str, Any]
    explain: Callable[[Suspect, Tensor], Diagnosis | None]
    single: Callable[[], bool]
    granted: Leave
    undefined: bool

    def findings(self) -> Iterator[Finding]:
        """All findings about forward mode."""
        point = self.probe.point
        says = self._says(point)
        groups = self.probe.groups(says)
        failure = next((says.along(bundle).failure for bundle in groups[:1]), None)
        if failure is not None:
            yield from (_raised(name, failure) for name in self.probe.wrt)
            return
        yield from self._forms(says)
        verdicts = self.probe.verdicts(says, self._says, self.single)
        for name, verdict in verdicts.items():
            yield self._difference(name, verdict, says)
        sound = [name for name in self.probe.wrt if verdicts[name].status is Status.PASSED and not verdicts[name].moved]
        yield from self._agreement(says, groups, [name for name in sound if name in self.gradients])
        yield from self._linear(says)
        failure = says.failure()  # where all inputs move at once, as they do there for the first time
        yield from (_raised(name, failure) for name in self.probe.wrt if failure is not None)
        yield from self._forms(says)
        if self.undefined:
            yield from self._undefined(says)

    def _says(self, point: Point) -> Tangents:
        slopes = self.probe.slopes if point is self.probe.point else None
        return Tangents(self.candidate, point, self.probe.dout, self.probe.wrt, self.granted, slopes)

    def _forms(self, says: Tangents) -> Iterator[Finding]:
        for out, tangent in says.values():
            for (path, one), other in zip(named_leaves(out, "out"), leaves(tangent), strict=True):
                if is_differentiable(one) and one.shape != other.shape:
                    text = f"the tangent of {path} has shape {tuple(other.shape)}, expected {tuple(one.shape)}"
                    for name in self.probe.wrt:
                        yield failed(FORWARD, f"d{name}", "", text, Kind.GRADIENT, Cause.WRONG_SHAPE)
                    return

    def _difference(self, name: str, verdict: ProbeResult, says: Tangents) -> Finding:
        failure = says.failure()
        if verdict.status is not Status.PASSED and failure is not None:
            return _raised(name, failure)
        finding = finding_of(verdict, FORWARD, f"d{name}", "", f"the jvp with respect to {name}")
        wrong = verdict.status is Status.FAILED and verdict.reason != OTHER_FORM
        gradient = self._gradient(name, says) if wrong else None
        if gradient is None:
            return finding
        tape = self.gradients.get(name)
        suspect = Suspect(f"d{name}", name, self.probe.point, gradient, self.probe.dout, self.probe.sweep, tape, self.explain)
        return locate(finding, suspect, verdict.leaf)

    def _gradient(self, name: str, says: Tangents) -> Any:
        """The gradient that a jvp stands for, entry by entry; None for more entries than anybody would wait for."""
        primal = self.probe.point.primals[name]
        if sum(leaf.numel() for leaf in leaves(primal) if is_differentiable(leaf)) > MOST_ENTRIES:
            return None

        def found(place: int, leaf: Any) -> Any:
            if not is_differentiable(leaf):
                return leaf
            slopes: list[complex] = []
            for entry in range(leaf.numel()):
                slopes.append(0)
                for axis in (1.0, 1j) if leaf.is_complex() else (1.0,):
                    u = only(leaf, entry, torch.tensor(axis, dtype=leaf.dtype, device=leaf.device))
                    slopes[-1] += says.slope(Ray(name, place, "entry", u, 1, 1))[0] * axis
            return torch.tensor(slopes, dtype=leaf.dtype, device=leaf.device).reshape(leaf.shape)

        return refilled(primal, itertools.starmap(found, enumerate(leaves(primal))))

    def _agreement(self, says: Tangents, groups: Sequence[Bundle], names: Sequence[str]) -> Iterator[Finding]:
        """⟨d, J u⟩ = ⟨Jᵀ d, u⟩, where both match finite differences already."""
        if not names:
            return
        backward = Gradients(self.gradients, granted=self.granted)
        paths: Sequence[Path] = groups
        if len(names) < len(self.probe.wrt):
            paths = [ray for ray in self.probe.rays if ray.primal in names]
        for path in paths:
            least = min((size for size in backward.sizes(path.rays) if size), default=0.0)
            if abs(says.slope(path)[0] - backward.slope(path)[0]) <= PRECISION * least:
                continue  # whichever of them it was, it would be small enough
            found = {ray: self._apart(ray, says, backward) for ray in path.rays}
            if not any(found.values()):
                found = dict.fromkeys(path.rays, self._apart(path, says, backward))
            for ray, text in found.items():
                if text is not None:
                    yield failed(AGREE, f"d{ray.primal}", "", text, Kind.GRADIENT, Cause.UNKNOWN)
            if any(found.values()):
                return
        for name in names:
            yield passed(AGREE, f"d{name}", "", "⟨d, J u⟩ = ⟨Jᵀ d, u⟩", Kind.GRADIENT)

    def _apart(self, path: Path, says: Tangents, backward: Gradients) -> str | None:
        """What there is to say where the two modes are not the same, to `PRECISION` of their size."""
        (forward, size), (reverse, other) = says.slope(path), backward.slope(path)
        tolerance = PRECISION * max(size, other) + says.leave(path) + sum(map(backward.leave, path.rays))
        if abs(forward - reverse) <= tolerance or abs(forward - reverse) <= tolerance + SAFETY * ROUNDINGS * says.shake(path):
            return None
        one, two = number_pair(forward, reverse)
        return f"along a random direction forward mode gives {one}, the backward {two} (error bound {tolerance:.1g})"

    def _linear(self, says: Tangents) -> Iterator[Finding]:
        """J(u − K v) = J u − J(K v) for K = 2¹⁰ where all tensors of a size move: whatever depends on a sign sees both.

        Where that does not hold, the tensors for themselves say whose tangent it is, or none does.
        """
        for rays in self._of_one_size(says):
            found = self._nonlinear(says, rays)
            if found is None:
                continue
            alone = [(ray, own) for ray, own in ((ray, self._nonlinear(says, [ray])) for ray in rays) if own is not None]
            for ray, (mismatch, path) in alone[:1] or [(ray, found) for ray in rays]:
                text = f"the tangent of {path} is not linear in that of {ray.primal}: {mismatch_text(mismatch)}"
                check, cause = "linear in the tangent", Cause.UNKNOWN
                yield failed(check, f"d{ray.primal}", "", text, Kind.GRADIENT, cause, mismatch=mismatch)
            return

    def _of_one_size(self, says: Tangents) -> Iterator[list[Ray]]:
        """The uniform rays in groups: what is far smaller than the others would not be seen beside them. Zeros are seen beside any."""
        left = [ray for ray in self.probe.rays if ray.kind == "uniform"]
        sizes = dict(zip(left, says.sizes(left) if len(left) > 1 else [0.0] * len(left), strict=True))
        while left:
            most = max(sizes[ray] for ray in left)
            group = [ray for ray in left if sizes[ray] == 0 or not sizes[ray] * LARGE < most]
            yield group
            left = [ray for ray in left if ray not in group]

    def _nonlinear(self, says: Tangents, rays: Sequence[Ray]) -> tuple[Mismatch, str] | None:
        """The first tensor of the output whose tangents do not add up, and its path."""
        second = {(ray.primal, ray.leaf): ray for ray in self.probe.rays if ray.kind == "relative"}
        others = [second[ray.primal, ray.leaf] for ray in rays]
        near, far = says.together(rays), says.together(others)
        pairs = zip(rays, others, strict=True)
        both = Bundle(tuple(replace(one, kind="both", u=one.u - far.stretch * two.u) for one, two in pairs))
        outcomes = [near.outcome, far.outcome, says.along(both)]
        if any(outcome.failure is not None for outcome in outcomes):
            return None
        tangents = (leaves(outcome.value[1]) for outcome in outcomes)
        for (path, _), a, b, c in zip(named_leaves(outcomes[0].value[1], "out"), *tangents, strict=True):
            mismatch = self._not_the_sum(says, both, path, a, -b if is_differentiable(b) else b, c)
            if mismatch is not None:
                return mismatch, path
        return None

    def _moved(self, bundle: Bundle, says: Tangents, path: str) -> float:
        """How far the largest entry of a tangent moves when every operation rounds anew, or one of its size that nobody sees."""
        primals = says.point.primals
        stretch = max(norm(ray.u) / (norm(leaves(primals[ray.primal])[ray.leaf]) or math.inf) for ray in bundle.rays)
        unseen = EPS * stretch * largest(dict(named_leaves(says.along(bundle).value[0], "out"))[path])
        exact = dict(named_leaves(says.along(bundle).value[1], "out"))[path]
        rounded = (
            dict(named_leaves(outcome.value[1], "out"))[path] for outcome in says.rounded(bundle) if outcome.failure is None
        )
        moved = max((largest(torch.nan_to_num(other - exact, 0.0, 0.0, 0.0)) for other in rounded), default=0.0)
        return max(unseen, EPS / COARSE * moved)

    def _undefined(self, says: Tangents) -> Iterator[Finding]:
        """An input's tangent alone, and all others without it, add up to what all of them give: none counts as zeros."""
        rays = {name: [ray for ray in self.probe.rays if ray.primal == name and ray.kind == "uniform"] for name in self.probe.wrt}
        names = [name for name in rays if rays[name]]
        every = Bundle(tuple(ray for name in names for ray in rays[name]))
        for name in names[: len(names) if len(names) > 2 else len(names) - 1]:  # of two, each is all but the other
            alone = Bundle(tuple(rays[name]))
            others = Bundle(tuple(ray for ray in every.rays if ray.primal != name))
            outcomes = [self.candidate.jvp(self.probe.point, says.tangents(some)) for some in (alone, others)]
            outcomes.append(says.along(every))
            for outcome, which in zip(outcomes, (f"for {name} alone", f"for all but {name}", "for every input"), strict=True):
                if outcome.failure is not None:
                    text = f"with a tangent {which} forward mode raised {outcome.failure.exception}: {outcome.failure.says}"
                    yield failed(UNDEFINED, f"d{name}", "", text, Kind.GRADIENT, Cause.CRASHED)
                    return
            tangents = [leaves(outcome.value[1]) for outcome in outcomes]
            for (path, _), a, b, c in zip(named_leaves(outcomes[0].value[1], "out"), *tangents, strict=True):
                mismatch = self._not_the_sum(says, every, path, a, b, c)
                if mismatch is not None:
                    text = (
                        f"the tangent of {path} for {name} alone and that for all others do not add up: {mismatch_text(mismatch)}"
                    )
                    yield failed(UNDEFINED, f"d{name}", "", text, Kind.GRADIENT, Cause.UNKNOWN, mismatch=mismatch)
                    return
        for name in names if len(names) > 1 else ():
            yield passed(UNDEFINED, f"d{name}", "", "an input without a tangent counts as one with zeros", Kind.GRADIENT)

    def _not_the_sum(self, says: Tangents, whole: Bundle, path: str, one: Any, other: Any, both: Any) -> Mismatch | None:
        """How a tangent differs from the sum of two, by more than rounding."""
        if not is_differentiable(one) or not one.shape == other.shape == both.shape:
            return None
        size = largest(one) + largest(other)
        if not math.isfinite(size):
            return None
        tolerance = of_its_size(size, max([one.numel(), *(ray.u.numel() for ray in whole.rays)]))
        return compare_rounded(both, one + other, tolerance, self._moved, whole, says, path)


def check_batched_forward(candidate: TapeCandidate, point: Point, wrt: Sequence[str], seed: int) -> Iterator[Finding]:
    """Tangents in one call under vmap give what they give one by one."""
    generator = Generator().manual_seed(seed)
    for name in wrt:
        drawn = [[ray for ray in draw_rays(point.primals, [name], ("uniform",), generator) if ray.leaf == 0] for _ in range(2)]
        says = Tangents(candidate, point, None, wrt, Leave())
        if not all(drawn):
            continue
        singly = [candidate.jvp(point, says.tangents(rays[0])) for rays in drawn]
        if any(outcome.failure is not None for outcome in singly):
            return  # said by the check of forward mode
        batch = candidate.batched_jvp(point, [says.tangents(rays[0]) for rays in drawn])
        if batch.failure is not None:
            text = f"under vmap forward mode raised {batch.failure.exception}: {batch.failure.says}"
            yield failed(BATCHED, f"d{name}", "", text, Kind.GRADIENT, Cause.CRASHED)
            return
        rows = [[leaf for leaf in leaves(outcome.value[1]) if is_differentiable(leaf)] for outcome in singly]
        paths = [path for path, leaf in named_leaves(singly[0].value[1], "out") if is_differentiable(leaf)]
        found = list(compare_batched(BATCHED, paths, batch.value, list(zip(*rows, strict=True)), "tangents", [f"d{name}"]))
        if found[0].status is not Status.PASSED:
            yield from found
            return
        yield from found
