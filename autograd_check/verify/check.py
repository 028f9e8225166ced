"""A forward and its backward, checked: the order of the checks.

Contract first (cheap, structural), then every entry against autograd of the oracle, then finite differences of the code's
own forward. A failed check skips what depends on it, and says so. Every gradient has its own findings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autograd_check.causes import Cause
from autograd_check.verify.candidate import PairCandidate
from autograd_check.verify.case import Case, PairNames
from autograd_check.verify.condense import LOSES_PROCESS, condense, lost_process
from autograd_check.verify.conduct import (
    check_aliases,
    check_cache_reusable,
    check_forward_repeatable,
    check_own_cache,
    check_repeatable,
    check_unchanged,
)
from autograd_check.verify.contract import (
    UsesSingle,
    check_count,
    check_float32,
    check_linear,
    check_out_form,
    failure_finding,
)
from autograd_check.verify.conventions import check_convention
from autograd_check.verify.differencing import check_differences, own_gradients
from autograd_check.verify.evidence import Evidence
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Source, Status, root_subject
from autograd_check.verify.oracle import oracle_vjp
from autograd_check.verify.rounding import Rounding
from autograd_check.verify.shared import Shared
from autograd_check.verify.trial import Trial, try_case
from autograd_check.verify.unreferenced import Explain
from autograd_check.verify.values import FLOAT64, check_gradient, check_gradient_form, check_out, evidence, narrowed

DIFFERENCED = 2
"""How many cases are checked by finite differences as well."""


EXPLAINED = ("autograd", "shape", "value")
"""The checks whose failures are compared with the reference, so that their cause can be looked for."""


def no_explanation(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The explanation of those who want none."""
    return None


def unseen(trial: Trial) -> bool:
    """The answer of those who cannot look: float32 is not blamed."""
    return False


def check_pair(
    candidate: PairCandidate,
    names: PairNames,
    cases: Sequence[Case],
    *,
    seed: int = 0,
    explain: Explain = no_explanation,
    uses_single: UsesSingle = unseen,
    shared: Shared | None = None,
) -> list[Finding]:
    """Check a pair on all cases; findings are condensed to one for each check and subject.

    Args:
        candidate: the code under test, wherever it runs.
        names: its functions, and the oracle.
        cases: ordinary cases first; the first one also carries the float32 check and the reuse of the cache.
        seed: of the cotangents and of the directions.
        explain: turns evidence about a wrong gradient into a diagnosis.
        uses_single: whether float32 takes part in a trial: asked before an error is put down to it.
        shared: what other checks of the same cases have computed already.

    """
    unusable = _unusable(candidate, names)
    if unusable:
        return unusable
    kept = shared or Shared()
    ordinary = [case for case in cases if case.convention is None]
    trials = list(_trials(candidate, names, ordinary, seed, kept))
    roundings = {trial.case.name: _rounding(candidate, names, trial) for trial in trials}
    single = AskedOnce(uses_single)
    findings = [found for trial in trials for found in _check_trial(trial, names, roundings[trial.case.name], single)]
    if any(finding.status is Status.TODO or lost_process(finding) for finding in findings):
        return condense(findings)
    forward_right = not any(f.subject == "out" and f.status is Status.FAILED for f in findings)
    findings = _explained(candidate, names, trials, findings, forward_right, explain)
    sound = [trial for trial in trials if trial.gradients]
    if sound:
        wrong = {root_subject(finding.subject) for finding in findings if finding.status is Status.FAILED}
        findings += _conventions(candidate, names, sound[0], cases, seed, wrong, single, kept)
        wanted, skipped = _wanted(names, trials, findings, single, forward_right)
        findings += skipped
        for trial in sound[:DIFFERENCED] if wanted else ():
            findings += check_differences(
                candidate, names, trial, wanted, seed, explain, roundings[trial.case.name], single, kept
            )
    if names.oracle is None and any(single.known.values()):
        findings.append(narrowed("out"))
    return condense(findings)


@dataclass(frozen=True)
class AskedOnce:
    """A `UsesSingle` that is asked once for each case: the answer takes a run of the code under test."""

    ask: UsesSingle
    known: dict[str, bool] = field(default_factory=dict)

    def __call__(self, trial: Trial) -> bool:
        """Whether float32 takes part in a trial."""
        if trial.case.name not in self.known:
            self.known[trial.case.name] = self.ask(trial)
        return self.known[trial.case.name]


def _rounding(candidate: PairCandidate, names: PairNames, trial: Trial) -> Rounding:
    """What rounding does to the gradients of a trial: to the definition's, and without one to the code's own."""
    dout = trial.douts[0] if trial.douts else None
    if names.oracle is None:
        return Rounding(own_gradients(candidate, names, dout), trial.case.point)
    return Rounding(lambda point: oracle_vjp(names.oracle, point, names.wrt, dout)[1], trial.case.point)


def _trials(candidate: PairCandidate, names: PairNames, cases: Sequence[Case], seed: int, shared: Shared) -> Iterator[Trial]:
    """One trial a case, up to the first that cost the process: code that hangs once would hang on every case."""
    for number, case in enumerate(cases):
        trial = try_case(candidate, names, case, seed=seed * 1009 + number, full=True, shared=shared)
        yield trial
        failures = (trial.forward_failure, trial.backward_failure)
        if any(failure is not None and failure.cause in LOSES_PROCESS for failure in failures):
            return


def _unusable(candidate: PairCandidate, names: PairNames) -> list[Finding]:
    """Findings where the file did not load or a function is missing; else nothing."""
    gradients = [f"d{name}" for name in names.wrt]
    loaded = candidate.loaded()
    if loaded.failure is not None:
        return [
            failure_finding("loads", subject, "", "the file", loaded.failure, kind)
            for subject, kind in [("out", Kind.VALUE)] + [(gradient, Kind.GRADIENT) for gradient in gradients]
        ]
    missing = [name for name in (names.forward, names.backward) if name not in candidate.functions()]
    if names.forward in missing:
        text = f"{names.forward} is not defined in this file"
        diagnosis = Diagnosis(Cause.MISSING, text)
        return [
            Finding("defined", subject, "", Status.FAILED, text, kind, None, diagnosis)
            for subject, kind in [("out", Kind.VALUE)] + [(gradient, Kind.GRADIENT) for gradient in gradients]
        ]
    return []


def _check_trial(trial: Trial, names: PairNames, rounding: Rounding, uses_single: UsesSingle) -> list[Finding]:
    """Contract and values of one ordinary case."""
    where, gradients = trial.case.name, [f"d{name}" for name in names.wrt]
    if trial.forward_failure is not None:
        failed = failure_finding("runs", "out", where, names.forward, trial.forward_failure, Kind.VALUE)
        if failed.status is Status.TODO:
            return [failed] + [replace(failed, subject=subject, kind=Kind.GRADIENT) for subject in gradients]
        return [failed] + [_skipped("runs", subject, where, f"{names.forward} does not run here") for subject in gradients]
    if names.oracle is None:
        findings = list(check_forward_repeatable(trial, names))
    else:
        findings = list(check_out_form(trial, names))
        if not any(finding.kind is Kind.VALUE for finding in findings):
            findings += check_out(trial, names, uses_single)
    findings += check_unchanged(trial, names)
    if trial.backward_failure is not None:
        failure = trial.backward_failure
        return findings + [
            failure_finding("runs", subject, where, names.backward, failure, Kind.GRADIENT) for subject in gradients
        ]
    findings += check_count(trial, names)
    findings += check_aliases(trial, names)
    for gradient in trial.gradients.values():
        if names.oracle is None:
            findings += check_gradient_form(gradient, trial, names)
        else:
            findings += check_gradient(gradient, trial, names, uses_single)
    findings += check_linear(trial, rounding, uses_single)
    findings += check_repeatable(trial, names)
    return findings


def _skipped(check: str, subject: str, where: str, reason: str) -> Finding:
    return Finding(check, subject, where, Status.SKIPPED, f"not checked: {reason}", Kind.GRADIENT)


def _explained(
    candidate: PairCandidate,
    names: PairNames,
    trials: Sequence[Trial],
    findings: list[Finding],
    forward_right: bool,
    explain: Explain,
) -> list[Finding]:
    """The findings, with a diagnosis for every wrong value and gradient."""
    by_probe = {trial.case.name: trial for trial in trials}
    wrong: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.status is Status.FAILED and finding.check in EXPLAINED and finding.diagnosis is None:
            wrong.setdefault(finding.subject, []).append(finding)
    tapes = {
        probe: _tape(candidate, names, by_probe[probe])
        for probe in dict.fromkeys(finding.probe for found in wrong.values() for finding in found)
    }
    nonlinear = {f.subject: f.diagnosis for f in findings if f.check == "linear in dout" and f.status is Status.FAILED}
    causes: dict[str, Diagnosis | None] = {}
    for subject, found in wrong.items():
        pieces = [evidence(subject, by_probe[f.probe], names, tapes[f.probe], forward_right) for f in found]
        cause = explain([piece for piece in pieces if piece is not None])
        certain = cause is not None and (cause.cause is Cause.IGNORES_UPSTREAM or cause.source is Source.FINGERPRINT)
        root = root_subject(subject)
        causes[subject] = nonlinear[root] if root in nonlinear and not certain else cause
    for subject in wrong:
        if causes[subject] is None:  # the whole of a nested gradient: what is wrong with its first wrong part
            parts_of = (causes[part] for part in wrong if root_subject(part) == subject and causes[part] is not None)
            causes[subject] = next(parts_of, None)
    return [
        finding.with_diagnosis(causes[finding.subject]) if finding in wrong.get(finding.subject, ()) else finding
        for finding in findings
    ]


def _tape(candidate: PairCandidate, names: PairNames, trial: Trial) -> Mapping[str, Any]:
    outcome = candidate.taped(names.forward, trial.case.point, trial.douts[0], names.wrt)
    if not outcome.ok or outcome.value is None:
        return {}
    return {f"d{name}": grad for name, grad in zip(names.wrt, outcome.value, strict=True) if grad is not None}


def _conventions(
    candidate: PairCandidate,
    names: PairNames,
    first: Trial,
    cases: Sequence[Case],
    seed: int,
    wrong: Collection[str],
    uses_single: UsesSingle,
    shared: Shared,
) -> list[Finding]:
    """What is right or wrong apart from the mathematics: dtype, reuse of the cache, and the lesson's named conventions."""
    findings: list[Finding] = []
    others = [case.point for case in cases if case.convention is None and case.point is not first.case.point]
    reused = candidate.vjp(
        names.forward,
        names.backward,
        first.case.point,
        [first.douts[0], first.douts[3], first.douts[0]],  # the zeros in between wipe out a cache that is written into
        share_cache=True,
        between=others[0] if others else None,
    )
    findings += check_own_cache(reused, first, names)
    findings += check_cache_reusable(reused, names, first.case.name)
    if names.oracle is not None:
        narrow = shared.once("float32", [first.case.point], first.case.as_float32)
        single = try_case(candidate, names, narrow, seed=seed, full=False, shared=shared)
        if single.forward_failure is None and single.backward_failure is None:
            findings += check_float32(single, names)
    for number, case in enumerate(case for case in cases if case.convention is not None):
        tried = try_case(candidate, names, case, seed=seed + 7 * number, full=False, shared=shared)
        findings += check_convention(tried, names, uses_single, wrong)
    checked = {(finding.check, finding.subject) for finding in findings}
    passed = [
        ("unmodified", names.forward),
        ("unmodified", names.backward),
        ("repeatable", names.backward),
        ("cache reusable", names.backward),
        ("aliasing", names.backward),
        *([("keeps float32", names.backward)] if names.oracle is not None else []),
    ]
    return findings + [
        Finding(check, subject, first.case.name, Status.PASSED, "as it should be", Kind.CONVENTION)
        for check, subject in passed
        if (check, subject) not in checked
    ]


def _wanted(
    names: PairNames, trials: Sequence[Trial], findings: Sequence[Finding], uses_single: UsesSingle, forward_right: bool
) -> tuple[list[str], list[Finding]]:
    """The primals whose gradients finite differences are asked about, and a skipped finding for most of the others.

    What float32 made coarse leaves nothing for differences to see, and is a finding already.
    """
    failed = {root_subject(f.subject) for f in findings if f.kind is Kind.GRADIENT and f.status is Status.FAILED}
    blamed = [f for f in findings if f.check == FLOAT64 and f.diagnosis is not None]
    coarse = {trial.case.name for trial in trials if blamed and uses_single(trial)}
    rough = {root_subject(f.diagnosis.evidence["subject"]) for f in blamed if f.probe in coarse and f.diagnosis is not None}
    wanted, skipped = [], []
    for name in names.wrt:
        subject = f"d{name}"
        if subject in failed:
            skipped.append(_skipped("finite differences", subject, "", f"{subject} already differs from autograd"))
        elif rough & {"out", subject}:
            continue
        elif forward_right:
            wanted.append(name)
        else:
            skipped.append(_skipped("finite differences", subject, "", "the forward is not the one of the definition"))
    return wanted, skipped
