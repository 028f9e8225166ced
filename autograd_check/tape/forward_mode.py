"""Forward mode as a check of its own: jvp against finite differences along the same rays, and against the vjp.

⟨d, J u⟩ is the slope of ⟨d, f⟩ along u, so a jvp is judged like a gradient, on the same measurements. Where the backward is right as well,
⟨d, J u⟩ = ⟨Jᵀ d, u⟩ holds to rounding. A wrong jvp is located through the gradient that it stands for, ⟨d, J eₖ⟩ in every entry.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.tape.cotangents import compare_batched
from autograd_check.verify.candidate import Outcome, Point, TapeCandidate
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, failed, passed
from autograd_check.verify.locate import MOST_ENTRIES, Suspect, locate
from autograd_check.verify.precision import RandomRounding, compare_rounded
from autograd_check.verify.rays import Ray, draw_rays, only
from autograd_check.verify.tensors import (
    compare,
    is_differentiable,
    largest,
    leaves,
    map_leaves,
    mismatch_text,
    named_leaves,
    norm,
    number_pair,
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


@dataclass(frozen=True)
class Tangents:
    """What forward mode says at a point: a `Says` for the cotangent `dout`. Each ray is asked for once."""

    candidate: TapeCandidate
    point: Point
    dout: Any
    wrt: Sequence[str]
    granted: Leave
    _known: dict[int, tuple[Ray, Outcome]] = field(default_factory=dict, repr=False)

    def along(self, ray: Ray) -> Outcome:
        """`(out, tangent)` along a ray."""
        if id(ray) not in self._known:
            outcome = self.candidate.jvp(self.point, {ray.primal: self._nest(ray)})
            if outcome.failure is not None:  # an input without a tangent is a matter of its own
                zeros = {name: _zeros(self.point.primals[name]) for name in self.wrt}
                outcome = self.candidate.jvp(self.point, {**zeros, ray.primal: self._nest(ray)})
            self._known[id(ray)] = ray, outcome
        return self._known[id(ray)][1]

    def slope(self, ray: Ray) -> tuple[float, float]:
        """⟨d, J u⟩ and ‖d·J u‖₂; nan where forward mode does not run or its tangent does not fit."""
        return self._paired(self.along(ray))

    def shake(self, ray: Ray) -> float:
        """How far that moves when every operation rounds anew."""
        exact, _ = self.slope(ray)
        moved = [abs(self._paired(outcome)[0] - exact) for outcome in self.rounded(ray)]
        return EPS / COARSE * max(filter(math.isfinite, moved), default=0.0)

    def rounded(self, ray: Ray) -> Iterator[Outcome]:
        """`(out, tangent)` along a ray, a few times, with every operation rounding anew."""
        for seed in range(DRAWS):
            with RandomRounding(Generator().manual_seed(seed)):
                outcome = self.candidate.jvp(self.point, {ray.primal: self._nest(ray)})
            yield outcome

    def leave(self, ray: Ray) -> float:
        """What the errors δ of the tangent that the user grants may amount to: Σ |δ·d| at most, and for many four times ‖δ·d‖₂."""
        outcome = self.along(ray)
        if not self.granted or outcome.failure is not None:
            return 0.0
        pairs = zip(leaves(outcome.value[1]), leaves(self.dout), strict=True)
        sizes = [self.granted.of(t).to(torch.float64) * d.abs() for t, d in pairs if is_differentiable(t)]
        return min(sum(float(size.sum()) for size in sizes), GRANTED * math.hypot(*map(norm, sizes)))

    def _nest(self, ray: Ray) -> Any:
        return replaced(_zeros(self.point.primals[ray.primal]), ray.leaf, ray.u)

    def _paired(self, outcome: Outcome) -> tuple[float, float]:
        if outcome.failure is not None:
            return math.nan, math.nan
        total, sizes = 0.0, []
        for out, tangent, d in zip(leaves(outcome.value[0]), leaves(outcome.value[1]), leaves(self.dout), strict=True):
            if is_differentiable(tangent) and is_differentiable(d):
                if tangent.shape != d.shape:
                    return math.nan, math.nan
                products = (d.conj() * tangent).real if d.is_complex() or tangent.is_complex() else d * tangent
                products = products.to(torch.float64)
                if not math.isfinite(largest(out)):  # an entry that is not finite counts as constant, as in a slope
                    products = torch.where(torch.isfinite(out), products, 0)
                total += float(products.sum())
                sizes.append(norm(products))
        return total, math.hypot(*sizes)


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
        failure = next((says.along(ray).failure for ray in self.probe.rays if says.along(ray).failure is not None), None)
        if failure is not None:
            for name in self.probe.wrt:
                text = f"forward mode raised {failure.exception}: {failure.says}"
                yield failed(FORWARD, f"d{name}", "", text, Kind.GRADIENT, Cause.CRASHED)
            return
        yield from self._forms(says)
        verdicts = self.probe.verdicts(says, self._says, self.single)
        for name, verdict in verdicts.items():
            yield self._difference(name, verdict, says)
        sound = [name for name in self.probe.wrt if verdicts[name].status is Status.PASSED and not verdicts[name].moved]
        yield from self._agreement(says, [name for name in sound if name in self.gradients])
        yield from self._linear(says)
        if self.undefined:
            yield from self._undefined()

    def _says(self, point: Point) -> Tangents:
        return Tangents(self.candidate, point, self.probe.dout, self.probe.wrt, self.granted)

    def _forms(self, says: Tangents) -> Iterator[Finding]:
        for ray in self.probe.rays:
            out, tangent = says.along(ray).value
            for (path, one), other in zip(named_leaves(out, "out"), leaves(tangent), strict=True):
                if is_differentiable(one) and one.shape != other.shape:
                    text = f"the tangent of {path} has shape {tuple(other.shape)}, expected {tuple(one.shape)}"
                    yield failed(FORWARD, f"d{ray.primal}", "", text, Kind.GRADIENT, Cause.WRONG_SHAPE)
                    return

    def _difference(self, name: str, verdict: ProbeResult, says: Tangents) -> Finding:
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

    def _agreement(self, says: Tangents, names: Sequence[str]) -> Iterator[Finding]:
        """⟨d, J u⟩ = ⟨Jᵀ d, u⟩, where both match finite differences already."""
        if not names:
            return
        backward = Gradients(self.gradients, granted=self.granted)
        for ray in self.probe.rays:
            if ray.primal not in names:
                continue
            (forward, size), (reverse, other) = says.slope(ray), backward.slope(ray)
            tolerance = PRECISION * max(size, other) + says.leave(ray) + backward.leave(ray)
            if abs(forward - reverse) > tolerance and abs(forward - reverse) > tolerance + SAFETY * ROUNDINGS * says.shake(ray):
                one, two = number_pair(forward, reverse)
                text = f"along a random direction forward mode gives {one}, the backward {two} (error bound {tolerance:.1g})"
                yield failed(AGREE, f"d{ray.primal}", "", text, Kind.GRADIENT, Cause.UNKNOWN)
                return
        for name in names:
            yield passed(AGREE, f"d{name}", "", "⟨d, J u⟩ = ⟨Jᵀ d, u⟩", Kind.GRADIENT)

    def _rays(self, kind: str) -> dict[str, Ray]:
        return {ray.primal: ray for ray in self.probe.rays if ray.kind == kind and ray.leaf == 0}

    def _linear(self, says: Tangents) -> Iterator[Finding]:
        """J(u − K v) = J u − J(K v) for K = 2¹⁰: whatever depends on a sign sees both."""
        first, second = self._rays("uniform"), self._rays("relative")
        for name in first.keys() & second.keys():
            one, two = first[name], second[name]
            far = Ray(name, one.leaf, "far", LARGE * two.u, 1, 1)
            both = Ray(name, one.leaf, "both", one.u - far.u, 1, 1)
            outcomes = [says.along(ray) for ray in (one, far, both)]
            if any(outcome.failure is not None for outcome in outcomes):
                continue
            tangents = (leaves(outcome.value[1]) for outcome in outcomes)
            for (path, _), a, b, c in zip(named_leaves(outcomes[0].value[1], "out"), *tangents, strict=True):
                if not is_differentiable(a) or not a.shape == b.shape == c.shape or not math.isfinite(largest(a - b)):
                    continue
                tolerance = of_its_size(largest(a) + largest(b), max(a.numel(), one.u.numel()))
                mismatch = compare_rounded(c, a - b, tolerance, self._moved, both, says, path)
                if mismatch is not None:
                    text = f"the tangent of {path} is not linear in that of {name}: {mismatch_text(mismatch)}"
                    yield failed("linear in the tangent", f"d{name}", "", text, Kind.GRADIENT, Cause.UNKNOWN, mismatch=mismatch)
                    return

    def _moved(self, ray: Ray, says: Tangents, path: str) -> float:
        """How far the largest entry of a tangent moves when every operation rounds anew, or one of its size that nobody sees."""
        stretch = norm(ray.u) / (norm(leaves(says.point.primals[ray.primal])[ray.leaf]) or math.inf)
        unseen = EPS * stretch * largest(dict(named_leaves(says.along(ray).value[0], "out"))[path])
        exact = dict(named_leaves(says.along(ray).value[1], "out"))[path]
        rounded = (dict(named_leaves(outcome.value[1], "out"))[path] for outcome in says.rounded(ray) if outcome.failure is None)
        moved = max((largest(torch.nan_to_num(other - exact, 0.0, 0.0, 0.0)) for other in rounded), default=0.0)
        return max(unseen, EPS / COARSE * moved)

    def _undefined(self) -> Iterator[Finding]:
        """An input without a tangent gives what one with a tangent of zeros gives."""
        point = self.probe.point
        full = {name: self._says(point)._nest(ray) for name, ray in self._rays("uniform").items()}
        names = list(full) if len(full) > 1 else []
        for name in names:
            without = self.candidate.jvp(point, {key: value for key, value in full.items() if key != name})
            with_zeros = self.candidate.jvp(point, {**full, name: _zeros(full[name])})
            if without.failure is not None:
                text = f"without a tangent for {name} forward mode raised {without.failure.exception}: {without.failure.says}"
                yield failed(UNDEFINED, f"d{name}", "", text, Kind.GRADIENT, Cause.CRASHED)
                return
            if with_zeros.failure is not None:
                continue
            for (path, one), other in zip(named_leaves(without.value[1], "out"), leaves(with_zeros.value[1]), strict=True):
                if is_differentiable(one) and one.shape == other.shape:
                    mismatch = compare(one, other, of_its_size(largest(other), other.numel()))
                    if mismatch is not None:
                        text = f"the tangent of {path} is another without a tangent for {name} than with zeros: {mismatch_text(mismatch)}"
                        yield failed(UNDEFINED, f"d{name}", "", text, Kind.GRADIENT, Cause.UNKNOWN, mismatch=mismatch)
                        return
        for name in names:
            yield passed(UNDEFINED, f"d{name}", "", "an input without a tangent counts as one with zeros", Kind.GRADIENT)


def check_batched_forward(candidate: TapeCandidate, point: Point, wrt: Sequence[str], seed: int) -> Iterator[Finding]:
    """Tangents in one call under vmap give what they give one by one."""
    generator = Generator().manual_seed(seed)
    for name in wrt:
        drawn = [[ray for ray in draw_rays(point.primals, [name], ("uniform",), generator) if ray.leaf == 0] for _ in range(2)]
        says = Tangents(candidate, point, None, wrt, Leave())
        tangents = [{name: says._nest(rays[0])} for rays in drawn if rays]
        if len(tangents) < 2:
            continue
        singly = [candidate.jvp(point, tangent) for tangent in tangents]
        if any(outcome.failure is not None for outcome in singly):
            return  # said by the check of forward mode
        batch = candidate.batched_jvp(point, tangents)
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
