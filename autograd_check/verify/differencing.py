"""The witness of finite differences: probes of the code's own forward, and what they say where there is no oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.case import PairNames
from autograd_check.verify.contract import UsesSingle
from autograd_check.verify.finding import Finding, Kind, Status
from autograd_check.verify.ground import Sweep
from autograd_check.verify.probes import probe_vjp
from autograd_check.verify.rounding import Rounding
from autograd_check.verify.rows import Batch, Row
from autograd_check.verify.scale import largest
from autograd_check.verify.shared import Shared
from autograd_check.verify.tree import as_tensors, leaves
from autograd_check.verify.trial import Trial, unpack
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
    explain: Explain,
    rounding: Rounding,
    uses_single: UsesSingle,
    shared: Shared | None = None,
) -> list[Finding]:
    """One finding for each primal in `wrt`; without an oracle a wrong one is located and explained as far as that goes."""
    sweep = own_sweep(candidate, names)
    point, dout = trial.case.point, trial.douts[0]

    def spread(name: str) -> Sequence[Tensor]:
        """What rounding does to a gradient; and what the definition's does where its inputs move, if there is one."""
        moved = rounding(name)
        if names.oracle is None:
            return moved
        right = zip(leaves(trial.reference.grads[f"d{name}"]), leaves(trial.reference.grad_spread[f"d{name}"]), strict=True)
        # out and the gradient agree with the definition's as far as a negligible constant in the forward lets them
        known = [change + NEGLIGIBLE * largest(leaf) for leaf, change in right]
        return [one + other for one, other in zip(known, moved, strict=True)] if moved else known

    grads = {gradient.primal: gradient.value for gradient in trial.gradients.values()}
    verdicts = probe_vjp(
        sweep,
        point,
        grads,
        dout,
        wrt=wrt,
        regrad=own_gradients(candidate, names, dout),
        seed=seed,
        base=as_tensors(trial.out),
        spread=spread,
        single=lambda: uses_single(trial),
        shared=shared,
    )
    findings = {name: _finding(f"d{name}", verdict, trial.case.name, names) for name, verdict in verdicts.items()}
    if names.oracle is None:
        for name, finding in findings.items():
            if finding.status is Status.FAILED:
                tape = _trusted_tape(candidate, names, trial, name, sweep, seed)
                suspect = Suspect(f"d{name}", name, point, grads[name], dout, sweep, tape.get(f"d{name}"), explain)
                findings[name] = locate(finding, suspect, verdicts[name].leaf)
    return list(findings.values())


def own_gradients(candidate: PairCandidate, names: PairNames, dout: Any) -> Callable[[Point], Mapping[str, Any] | None]:
    """The code's own gradients by primal at any point, None where it gives none."""

    def gradients(point: Point) -> Mapping[str, Any] | None:
        outcome = candidate.vjp(names.forward, names.backward, point, [dout])
        answer = unpack(outcome.value[1][0], names.wrt) if outcome.ok and outcome.value is not None else None
        return {gradient.primal: gradient.value for gradient in answer.values()} if answer is not None else None

    return gradients


def own_sweep(candidate: PairCandidate, names: PairNames) -> Sweep:
    """The code's own forward at many points."""

    def sweep(points: Sequence[Point], signatures: bool) -> Sequence[Row]:
        outcome = candidate.sweep(names.forward, points, signatures=signatures)
        if outcome.value is None:
            return [(None, None)] * len(points)
        if isinstance(outcome.value, Batch):
            return outcome.value
        return [(as_tensors(out), signature) for out, signature in outcome.value]

    return sweep


def _trusted_tape(
    candidate: PairCandidate, names: PairNames, trial: Trial, name: str, sweep: Any, seed: int
) -> Mapping[str, Any]:
    """Autograd of the own forward, where finite differences confirm it: `.item()` and `.detach()` cut a tape unseen."""
    point, dout = trial.case.point, trial.douts[0]
    outcome = candidate.taped(names.forward, point, dout, [name])
    if not outcome.ok or outcome.value is None or outcome.value[0] is None:
        return {}
    confirmed = probe_vjp(sweep, point, {name: outcome.value[0]}, dout, wrt=[name], regrad=lambda _: None, seed=seed)
    return {f"d{name}": outcome.value[0]} if confirmed[name].status is Status.PASSED else {}


def _finding(subject: str, verdict: ProbeResult, probe: str, names: PairNames) -> Finding:
    if verdict.status is Status.PASSED:
        text = "matches finite differences of your own forward"
        if names.oracle is None and verdict.resolution:
            text += f"; an error above {verdict.resolution:.1g} in one entry would have been seen"
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
