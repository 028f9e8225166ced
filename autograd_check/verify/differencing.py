"""The witness of finite differences: probes of the code's own forward, and what they say where there is no oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.case import PairNames, combine
from autograd_check.verify.finding import Finding, Kind, Status
from autograd_check.verify.probes import probe_vjp
from autograd_check.verify.rounding import alike, shaken
from autograd_check.verify.rows import Batch, Row
from autograd_check.verify.scale import largest
from autograd_check.verify.shared import Shared
from autograd_check.verify.tree import is_differentiable, map_leaves, map_tensors
from autograd_check.verify.trial import ALPHA, BETA, Trial, unpack
from autograd_check.verify.unreferenced import Explain, Suspect, locate
from autograd_check.verify.values import NEGLIGIBLE, number_pair
from autograd_check.verify.verdict import ProbeResult

CHECK = "finite differences"


def check_differences(
    candidate: PairCandidate,
    names: PairNames,
    trial: Trial,
    wrt: Sequence[str],
    seed: int,
    directions: int,
    explain: Explain,
    shared: Shared | None = None,
) -> list[Finding]:
    """One finding for each primal in `wrt`; without an oracle a wrong one is located and explained as far as that goes."""

    def sweep(points: Sequence[Point], signatures: bool) -> Sequence[Row]:
        outcome = candidate.sweep(names.forward, points, signatures=signatures)
        if outcome.value is None:
            return [(None, None)] * len(points)
        if isinstance(outcome.value, Batch):
            return outcome.value
        return [(_numbers_as_tensors(out), signature) for out, signature in outcome.value]

    def regrad(point: Point) -> Mapping[str, Any] | None:
        outcome = candidate.vjp(names.forward, names.backward, point, [trial.douts[0]])
        answer = unpack(outcome.value[1][0], names.wrt) if outcome.ok and outcome.value is not None else None
        return {gradient.primal: gradient.value for gradient in answer.values()} if answer is not None else None

    def rounding(name: str) -> Any:
        """What is left of v(αd₁ + βd₂) − αv(d₁) − βv(d₂): nothing but rounding, in a gradient that is linear."""
        if len(trial.unpacked) < 3:
            return None
        one, two, both = (answer[f"d{name}"].value for answer in trial.unpacked[:3])
        if not alike(two, one) or not alike(both, one):
            return None
        return combine(1.0, both, -1.0, combine(ALPHA, one, BETA, two))

    def spread(name: str) -> Any:
        change = shaken(point, name, grads[name], regrad)
        if names.oracle is None:
            return change
        # out and the gradient agree with the definition's as far as a negligible constant in the forward lets them
        negligible = map_leaves(
            lambda g: torch.full_like(g, NEGLIGIBLE * largest(g)) if is_differentiable(g) else 0.0, grads[name]
        )
        return negligible if change is None else combine(1.0, map_tensors(torch.abs, change), 1.0, negligible)

    point, dout = trial.case.point, trial.douts[0]
    grads = {gradient.primal: gradient.value for gradient in trial.gradients.values()}
    base = _numbers_as_tensors(trial.out)
    verdicts = probe_vjp(
        sweep,
        point,
        grads,
        dout,
        wrt=wrt,
        regrad=regrad,
        seed=seed,
        directions=directions,
        base=base,
        rounding=rounding,
        spread=spread,
        shared=shared,
    )
    findings = {name: _finding(f"d{name}", verdict, trial.case.name) for name, verdict in verdicts.items()}
    if names.oracle is None:
        for name, finding in findings.items():
            if finding.status is Status.FAILED:
                tape = _trusted_tape(candidate, names, trial, name, sweep, seed, directions)
                suspect = Suspect(f"d{name}", name, point, grads[name], dout, sweep, tape.get(f"d{name}"), explain)
                findings[name] = locate(finding, suspect, verdicts[name].leaf)
    return list(findings.values())


def _numbers_as_tensors(out: Any) -> Any:
    """`out` with python numbers as 0-d tensors: a loss that ends in `.item()` breaks a convention, and its gradient can be right."""
    return map_leaves(lambda leaf: torch.tensor(leaf, dtype=torch.float64) if type(leaf) in (int, float) else leaf, out)


def _trusted_tape(
    candidate: PairCandidate, names: PairNames, trial: Trial, name: str, sweep: Any, seed: int, directions: int
) -> Mapping[str, Any]:
    """Autograd of the own forward, where finite differences confirm it: `.item()` and `.detach()` cut a tape unseen."""
    point, dout = trial.case.point, trial.douts[0]
    outcome = candidate.taped(names.forward, point, dout, [name])
    if not outcome.ok or outcome.value is None or outcome.value[0] is None:
        return {}
    confirmed = probe_vjp(
        sweep, point, {name: outcome.value[0]}, dout, wrt=[name], regrad=lambda _: None, seed=seed, directions=directions
    )
    return {f"d{name}": outcome.value[0]} if confirmed[name].status is Status.PASSED else {}


def _finding(subject: str, verdict: ProbeResult, probe: str) -> Finding:
    if verdict.status is Status.PASSED:
        text = "matches finite differences of your own forward"
        return Finding(CHECK, subject, probe, Status.PASSED, text, Kind.GRADIENT)
    if verdict.status is Status.FAILED:
        analytic, numeric = number_pair(verdict.analytic, verdict.numeric)
        text = (
            f"along a random direction your forward changes by {numeric}, your {subject} says "
            f"{analytic} (error bound {verdict.tolerance:.1g}, resolution {verdict.resolution:.1g})"
        )
        return Finding(CHECK, subject, probe, Status.FAILED, text, Kind.GRADIENT)
    text = f"finite differences cannot tell here: {verdict.reason}"
    return Finding(CHECK, subject, probe, Status.INCONCLUSIVE, text, Kind.GRADIENT)
