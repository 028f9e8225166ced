"""Forward mode as a check of its own: jvp against finite differences along the same rays, and against the vjp.

⟨d, J u⟩ is the slope of ⟨d, f⟩ along u, so a jvp is judged like a gradient, on the same measurements. Where the backward is right as well,
⟨d, J u⟩ = ⟨Jᵀ d, u⟩ holds to rounding. A wrong jvp is located through the gradient that it stands for, ⟨d, J eₖ⟩ in every entry.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.tape.cotangents import compare_batched
from autograd_check.verify.candidate import Outcome, Point, TapeCandidate
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Mismatch, Status, failed, passed
from autograd_check.verify.locate import MOST_ENTRIES, Suspect, locate
from autograd_check.verify.precision import RandomRounding, compare_rounded
from autograd_check.verify.rays import Bundle, Path, Ray, draw_rays, only
from autograd_check.verify.slope import Slopes
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
    slopes: Slopes | None = None
    _known: dict[tuple[int, ...], tuple[Path, Outcome, tuple[float, float]]] = field(default_factory=dict, repr=False)

    def along(self, path: Path) -> Outcome:
        """`(out, tangent)` along a path; along a relative one `LARGE` times as far, so that tangents of two sizes are seen."""
        return self._asked(path)[0]

    def slope(self, path: Path) -> tuple[float, float]:
        """⟨d, J u⟩ and ‖d·J u‖₂; nan where forward mode does not run or its tangent does not fit."""
        return self._asked(path)[1]

    def _asked(self, path: Path) -> tuple[Outcome, tuple[float, float]]:
        key = tuple(map(id, path.rays))
        if key not in self._known:
            tangents = self.tangents(path)
            outcome = self.candidate.jvp(self.point, tangents)
            if outcome.failure is not None:  # an input without a tangent is a matter of its own
                zeros = {name: _zeros(self.point.primals[name]) for name in self.wrt}
                outcome = self.candidate.jvp(self.point, {**zeros, **tangents})
            self._known[key] = path, outcome, self._paired(outcome, path)
        return self._known[key][1:]

    def sizes(self, rays: Sequence[Ray]) -> list[float]:
        """‖d·J u‖₂ for every ray, as a small step of the function shows it where there are several: forward mode costs more."""
        if self.slopes is None or len({(ray.primal, ray.leaf) for ray in rays}) == 1:
            return [self.slope(ray)[1] for ray in rays]
        return self.slopes.sizes(rays)

    def shake(self, path: Path) -> float:
        """How far that moves when every operation rounds anew."""
        exact, _ = self.slope(path)
        moved = [abs(self._paired(outcome, path)[0] - exact) for outcome in self.rounded(path)]
        return EPS / COARSE * max(filter(math.isfinite, moved), default=0.0)

    def rounded(self, path: Path) -> Iterator[Outcome]:
        """`(out, tangent)` along a path, a few times, with every operation rounding anew."""
        for seed in range(DRAWS):
            with RandomRounding(Generator().manual_seed(seed)):
                outcome = self.candidate.jvp(self.point, self.tangents(path))
            yield outcome

    def leave(self, path: Path) -> float:
        """What the errors δ of the tangent that the user grants may amount to: Σ |δ·d| at most, and for many four times ‖δ·d‖₂."""
        outcome = self.along(path)
        if not self.granted or outcome.failure is not None:
            return 0.0
        pairs = zip(leaves(outcome.value[1]), leaves(self.dout), strict=True)
        sizes = [self.granted.of(t / _stretch(path)).to(torch.float64) * d.abs() for t, d in pairs if is_differentiable(t)]
        return min(sum(float(size.sum()) for size in sizes), GRANTED * math.hypot(*map(norm, sizes)))

    def tangents(self, path: Path) -> dict[str, Any]:
        """The tangents of the primals along a path."""
        along: dict[str, Any] = {}
        for ray in path.rays:
            u = ray.u if _stretch(path) == 1 else _stretch(path) * ray.u
            primal = self.point.primals[ray.primal]
            nest = u if isinstance(primal, Tensor) else along.get(ray.primal, None) or _zeros(primal)
            along[ray.primal] = replaced(nest, ray.leaf, u)
        return along

    def _paired(self, outcome: Outcome, path: Path) -> tuple[float, float]:
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
        return total / _stretch(path), math.hypot(*sizes) / _stretch(path)


def _stretch(path: Path) -> float:
    """How many times as far forward mode goes along a path: the same tangents serve the check that it is linear."""
    return LARGE if path.rays and path.kind == "relative" else 1.0


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
        outcomes = map(says.along, self.probe.first[1])
        failure = next((outcome.failure for outcome in outcomes if outcome.failure is not None), None)
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
        slopes = self.probe.slopes if point is self.probe.point else None
        return Tangents(self.candidate, point, self.probe.dout, self.probe.wrt, self.granted, slopes)

    def _forms(self, says: Tangents) -> Iterator[Finding]:
        for bundle in self.probe.first[1]:
            out, tangent = says.along(bundle).value
            for (path, one), other in zip(named_leaves(out, "out"), leaves(tangent), strict=True):
                if is_differentiable(one) and one.shape != other.shape:
                    text = f"the tangent of {path} has shape {tuple(other.shape)}, expected {tuple(one.shape)}"
                    for name in self.probe.wrt:
                        yield failed(FORWARD, f"d{name}", "", text, Kind.GRADIENT, Cause.WRONG_SHAPE)
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
        together = self.probe.first[1] if len(names) == len(self.probe.wrt) else self.probe.rays
        for path in together:
            if path.rays[0].primal not in names:
                continue
            (forward, size), (reverse, other) = says.slope(path), backward.slope(path)
            tolerance = PRECISION * max(size, other) + says.leave(path) + sum(map(backward.leave, path.rays))
            if abs(forward - reverse) > tolerance and abs(forward - reverse) > tolerance + SAFETY * ROUNDINGS * says.shake(path):
                one, two = number_pair(forward, reverse)
                text = f"along a random direction forward mode gives {one}, the backward {two} (error bound {tolerance:.1g})"
                for name in dict.fromkeys(ray.primal for ray in path.rays):
                    yield failed(AGREE, f"d{name}", "", text, Kind.GRADIENT, Cause.UNKNOWN)
                return
        for name in names:
            yield passed(AGREE, f"d{name}", "", "⟨d, J u⟩ = ⟨Jᵀ d, u⟩", Kind.GRADIENT)

    def _linear(self, says: Tangents) -> Iterator[Finding]:
        """J(u − K v) = J u − J(K v) for K = 2¹⁰ where all tensors move: whatever depends on a sign sees both.

        Where that does not hold, the tensors for themselves say whose tangent it is, or none does.
        """
        found = self._nonlinear(says, [ray for ray in self.probe.rays if ray.kind == "uniform"])
        if found is None:
            return
        mismatch, path = found
        alone = {ray.primal: self._nonlinear(says, [ray]) for ray in self.probe.rays if ray.kind == "uniform"}
        names = [name for name, own in alone.items() if own is not None][:1] or list(alone)
        for name in names:
            mismatch, path = alone[name] or found
            text = f"the tangent of {path} is not linear in that of {name}: {mismatch_text(mismatch)}"
            yield failed("linear in the tangent", f"d{name}", "", text, Kind.GRADIENT, Cause.UNKNOWN, mismatch=mismatch)

    def _nonlinear(self, says: Tangents, rays: Sequence[Ray]) -> tuple[Mismatch, str] | None:
        """The first tensor of the output whose tangents do not add up, and its path."""
        second = {(ray.primal, ray.leaf): ray for ray in self.probe.rays if ray.kind == "relative"}
        others = [second[ray.primal, ray.leaf] for ray in rays]
        moved = [replace(one, kind="both", u=one.u - LARGE * two.u) for one, two in zip(rays, others, strict=True)]
        near, far, both = (Bundle(tuple(some), ()) for some in (rays, others, moved))
        outcomes = [says.along(bundle) for bundle in (near, far, both)]
        if any(outcome.failure is not None for outcome in outcomes):
            return None
        tangents = (leaves(outcome.value[1]) for outcome in outcomes)
        for (path, _), a, b, c in zip(named_leaves(outcomes[0].value[1], "out"), *tangents, strict=True):
            if not is_differentiable(a) or not a.shape == b.shape == c.shape or not math.isfinite(largest(a - b)):
                continue
            terms = max([a.numel(), *(ray.u.numel() for ray in rays)])
            tolerance = of_its_size(largest(a) + largest(b), terms)
            mismatch = compare_rounded(c, a - b, tolerance, self._moved, both, says, path)
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

    def _undefined(self) -> Iterator[Finding]:
        """An input without a tangent gives what one with a tangent of zeros gives."""
        point = self.probe.point
        full = self._says(point).tangents(Bundle(tuple(ray for ray in self.probe.rays if ray.kind == "uniform"), ()))
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
        tangents = [says.tangents(rays[0]) for rays in drawn if rays]
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
