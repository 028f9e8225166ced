"""A forward and its backward, checked: `CHECKS` is the order, and `check_pair` the loop over it.

Contract first (cheap, structural), then every entry against autograd of the oracle, then finite differences of the code's
own forward. A failed check skips what needs it. Every gradient has its own findings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify import contract, values
from autograd_check.verify.candidate import Outcome, PairCandidate, Point, Question
from autograd_check.verify.finding import (
    LOSES_PROCESS,
    Diagnosis,
    Finding,
    Kind,
    Status,
    aggregate,
    failed,
    lost_process,
    passed,
    root_subject,
    skipped,
)
from autograd_check.verify.locate import Suspect, locate
from autograd_check.verify.memo import Memo
from autograd_check.verify.precision import Rounding
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.slope import Row, Sweep
from autograd_check.verify.tensors import as_tensors, largest, leaves
from autograd_check.verify.tolerances import NEGLIGIBLE, NO_LEAVE, Leave
from autograd_check.verify.trial import Case, PairNames, Trial, UsesSingle, asked_of, own_gradients, try_case, vjp_question
from autograd_check.verify.values import FLOAT64
from autograd_check.verify.verdict import Gradients, Probe, finding_of, first_rays

DIFFERENCED = 2
"""How many cases are checked by finite differences as well."""


@dataclass(frozen=True)
class Pair:
    """The forward and backward under test, and what their checks share.

    `explain` attaches causes to what failed; `uses_single` says whether float32 takes part in a
    trial, and is asked before an error is put down to it. `points` are those of the ordinary cases.
    """

    candidate: PairCandidate
    names: PairNames
    seed: int
    explain: Explainer
    uses_single: UsesSingle
    memo: Memo
    points: tuple[Point, ...] = ()
    leave: Leave = NO_LEAVE
    _own: Memo = field(default_factory=Memo, repr=False)

    def rounding(self, trial: Trial) -> Rounding:
        """What rounding does to the gradients of a trial: to the definition's, and without one to the code's own."""
        names, dout = self.names, trial.douts[0] if trial.douts else None

        def definition(point: Point) -> Mapping[str, Any]:
            return oracle_vjp(names.oracle, point, names.wrt, dout)[1]

        gradients = definition if names.oracle is not None else own_gradients(self.candidate, names, dout)
        return self._own.once("rounding", [trial], lambda: Rounding(gradients, trial.case.point))

    def repeats(self, trial: Trial) -> Mapping[str, list[Tensor]]:
        """By how much each tensor of each gradient differs from repeat to repeat, where the user lets it; else zeros."""
        return self._own.once("repeats", [trial], lambda: contract.repeats(trial, self.candidate, self.names, self.leave))

    def caches(self, case: Case, douts: Sequence[Any]) -> Question:
        """One forward whose cache serves several backwards, and another forward before the first of them."""
        other = next((point for point in self.points if point is not case.point), None)
        reused = (douts[0], douts[3], douts[0])  # the zeros in between wipe out a cache that is written into
        question = vjp_question(self.names, case.point, reused, share_cache=True, between=other)
        return self.memo.once(("caches", self.names.forward, self.names.backward), [case.point, douts, other], lambda: question)

    def narrow(self, case: Case) -> Case:
        """A case in float32."""
        return self.memo.once("float32", [case.point], case.as_float32)

    def differences(self, point: Point) -> Question:
        """What finite differences ask first where all gradients are to be measured."""
        _, _, walk = first_rays(point, self.names.wrt, self.seed, self.memo)
        given = {"forward": self.names.forward, "points": walk, "signatures": False, "returns_cache": True}
        return self.memo.once(("sweep", self.names.forward), [walk], lambda: Question("sweep", given))

    def probe(self, trial: Trial, wrt: Sequence[str]) -> Probe:
        """The slopes of the code's own forward."""
        sweep, base = own_sweep(self.candidate, self.names, self.memo), as_tensors(trial.out)
        jitter = contract.jitter(trial) if self.names.oracle is None else None
        made = partial(Probe, sweep, trial.case.point, trial.douts[0], wrt, self.seed, base, jitter, self.memo)
        return self._own.once(("probe", tuple(wrt)), [trial], made)


@dataclass(frozen=True)
class Check:
    """A named check of one trial.

    It runs where none of the checks in `needs` failed on that trial (a convention never counts), and only with an oracle,
    or only without one, where `oracle` says so. A check `once` runs on the first trial that has gradients. A convention
    names in `holds` the functions (`forward`, `backward`) about which it found nothing to say.
    """

    name: str
    run: Callable[[Trial, Pair], Iterable[Finding]]
    needs: tuple[str, ...] = ()
    oracle: bool | None = None
    once: bool = False
    holds: tuple[str, ...] = ()


def check_forward_runs(trial: Trial, pair: Pair) -> Iterator[Finding]:
    """The forward gave a value; where it is not written yet, neither is any gradient."""
    names, where, failure = pair.names, trial.case.name, trial.forward_failure
    if failure is None:
        return
    finding = contract.failure_finding("runs", "out", where, names.forward, failure, Kind.VALUE)
    yield finding
    for subject in names.gradients:
        if finding.status is Status.TODO:
            yield replace(finding, subject=subject, kind=Kind.GRADIENT)
        else:
            yield skipped("runs", subject, where, f"{names.forward} does not run here")


def check_backward_runs(trial: Trial, pair: Pair) -> Iterator[Finding]:
    """The backward gave a value."""
    names, failure = pair.names, trial.backward_failure
    if failure is None:
        return
    for subject in names.gradients:
        yield contract.failure_finding("runs", subject, trial.case.name, names.backward, failure, Kind.GRADIENT)


def check_gradients(trial: Trial, pair: Pair) -> Iterator[Finding]:
    """Every entry of every gradient against autograd of the oracle."""
    for gradient in trial.gradients.values():
        yield from values.check_gradient(gradient, trial, pair.names, pair.uses_single)


def check_gradient_forms(trial: Trial, pair: Pair) -> Iterator[Finding]:
    """Every gradient has the form of its primal."""
    for gradient in trial.gradients.values():
        yield from values.check_gradient_form(gradient, trial, pair.names)


def check_caches(trial: Trial, pair: Pair) -> Iterator[Finding]:
    """The cache holds all that the backward needs, and is as good for a second call."""
    if pair.leave.nondet:  # repeats may differ, and how far is a finding of its own
        return
    if pair.candidate.one_cache:
        yield from contract.check_cache_reusable(Outcome((trial.out, trial.answers)), pair.names, trial.case.name)
        return
    reused = pair.candidate.ask(pair.caches(trial.case, trial.douts))
    yield from contract.check_own_cache(reused, trial, pair.names)
    yield from contract.check_cache_reusable(reused, pair.names, trial.case.name)


def keeps_float32(trial: Trial, pair: Pair) -> Iterator[Finding]:
    """With float32 inputs everything is float32."""
    single = try_case(pair.candidate, pair.names, pair.narrow(trial.case), seed=pair.seed, full=False, memo=pair.memo)
    if single.forward_failure is None and single.backward_failure is None:
        yield from contract.check_float32(single, pair.names)


def check_linear(trial: Trial, pair: Pair) -> Iterator[Finding]:
    """The backward is linear in its cotangent."""
    return contract.check_linear(trial, pair.rounding(trial), pair.uses_single, pair.repeats(trial), pair.leave)


BOTH = ("forward", "backward")
CHECKS = (
    Check("forward runs", check_forward_runs),
    Check("out repeatable", lambda t, p: contract.check_forward_repeatable(t, p.leave), ("forward runs",), oracle=False),
    Check("out form", lambda t, p: contract.check_out_form(t, p.names), ("forward runs",), oracle=True),
    Check("value", lambda t, p: values.check_out(t, p.names, p.uses_single), ("forward runs", "out form"), oracle=True),
    Check("unmodified", lambda t, p: contract.check_unchanged(t, p.names), ("forward runs",), holds=BOTH),
    Check("backward runs", check_backward_runs, ("forward runs",)),
    Check("returned", lambda t, p: contract.check_count(t, p.names), ("forward runs", "backward runs")),
    Check("aliasing", lambda t, p: contract.check_aliases(t, p.names), ("forward runs", "backward runs"), holds=("backward",)),
    Check("autograd", check_gradients, ("returned",), oracle=True),
    Check("form", check_gradient_forms, ("returned",), oracle=False),
    Check("linear in dout", check_linear, ("returned",)),
    Check(
        "repeatable",
        lambda t, p: contract.check_repeatable(t, p.names, p.repeats(t), p.leave),
        ("returned",),
        holds=("backward",),
    ),
    Check("cache reusable", check_caches, once=True, holds=("backward",)),
    Check("keeps float32", keeps_float32, oracle=True, once=True, holds=("backward",)),
)
"""The order of the checks on a trial. What a caller judges beside and finite differences follow (`check_pair`)."""

CONVENTIONS = tuple((check, function) for check in CHECKS for function in check.holds)
"""Each convention with the function (`forward`, `backward`) that keeps it or not."""


class Explainer:
    """Finds causes, and attaches them to what failed. This one finds none; diagnose has another."""

    def findings(self, pair: Pair, trials: Sequence[Trial], findings: list[Finding]) -> list[Finding]:
        """The findings of all trials, with a diagnosis for every wrong value and gradient."""
        return findings

    def suspect(self, suspect: Suspect, expected: Tensor) -> Diagnosis | None:
        """The cause of a gradient that finite differences contradict, given the right one as far as it is known."""
        return None


NO_EXPLAINER = Explainer()


@dataclass(frozen=True)
class Beside:
    """Further checks, where some gradient came back: what they ask of any code, what they find, and what is asked `later`."""

    asks: Callable[[Pair], Sequence[Question]] = lambda pair: ()
    findings: Callable[[Pair, Collection[str]], Iterable[Finding]] = lambda pair, wrong: ()
    later: Sequence[Question] = ()


After = Callable[[Trial, Pair, Sequence[Finding]], Iterable[Finding]]


def check_pair(
    candidate: PairCandidate,
    names: PairNames,
    cases: Sequence[Case],
    *,
    seed: int = 0,
    explain: Explainer = NO_EXPLAINER,
    uses_single: UsesSingle = lambda trial: False,
    memo: Memo | None = None,
    beside: Beside | None = None,
    leave: Leave = NO_LEAVE,
    after: After | None = None,
) -> list[Finding]:
    """Check a pair on all cases; findings are aggregated to one for each check and subject.

    Args:
        candidate: the code under test, wherever it runs.
        names: its functions, and the oracle.
        cases: the first one also carries the float32 check and the reuse of the cache.
        seed: of the cotangents and of the directions.
        explain: attaches causes to what failed.
        uses_single: whether float32 takes part in a trial: asked before an error is put down to it. By default nobody looks.
        memo: what other checks of the same cases have computed already.
        beside: checks of the caller's own, where some gradient came back.
        leave: what the user grants on top of what is measured.
        after: further checks of a trial, with what has been found of it.

    """
    known: dict[str, bool] = {}  # the answer takes a run of the code under test, so each case is asked about once

    def single(trial: Trial) -> bool:
        return known[trial.case.name] if trial.case.name in known else known.setdefault(trial.case.name, uses_single(trial))

    pair = Pair(candidate, names, seed, explain, single, memo or Memo(), tuple(case.point for case in cases), leave)
    further, foreseen = beside or Beside(), names.oracle is not None and memo is not None  # else questions are new each time
    if foreseen:
        asked = [asked_of(names, case, seed=_seed(pair, n), full=True, memo=pair.memo) for n, case in enumerate(cases)]
        candidate.expect([question for _, question in asked])
    unusable = _unusable(candidate, names)
    if unusable:
        return unusable
    trials, findings = list[Trial](), list[Finding]()
    for trial in _trials(pair, cases):
        trials.append(trial)
        findings += _checked(trial, pair, once=False)
        if foreseen and len(trials) == 1 and trial.gradients and not any(f.status is Status.FAILED for f in findings):
            candidate.expect(_rest(pair, cases, trial.douts, further))
    if any(finding.status is Status.TODO or lost_process(finding) for finding in findings):
        return aggregate(findings)
    forward_right = not any(f.subject == "out" and f.status is Status.FAILED for f in findings)
    if any(finding.status is Status.FAILED for finding in findings):
        findings = explain.findings(pair, trials, findings)
    sound = [trial for trial in trials if trial.gradients]
    if sound:
        wrong = {root_subject(finding.subject) for finding in findings if finding.status is Status.FAILED}
        findings += [*_checked(sound[0], pair, once=True), *further.findings(pair, wrong)]
        findings += _kept(sound[0], pair, findings)
        wanted, left = _wanted(pair, trials, findings, forward_right)
        findings += left
        for trial in sound[:DIFFERENCED] if wanted else ():
            findings += check_differences(trial, pair, wanted)
        findings += after(sound[0], pair, findings) if after is not None else ()
    if names.oracle is None and any(known.values()):
        findings.append(values.narrowed("out"))
    return aggregate(findings)


def _seed(pair: Pair, number: int) -> int:
    return pair.seed * 1009 + number


def _trials(pair: Pair, cases: Sequence[Case]) -> Iterator[Trial]:
    """One trial a case, up to the first that cost the process: code that hangs once would hang on every case."""
    for number, case in enumerate(cases):
        trial = try_case(pair.candidate, pair.names, case, seed=_seed(pair, number), full=True, memo=pair.memo)
        yield trial
        failures = (trial.forward_failure, trial.backward_failure)
        if any(failure is not None and failure.cause in LOSES_PROCESS for failure in failures):
            return


def _rest(pair: Pair, cases: Sequence[Case], douts: Sequence[Any], beside: Beside) -> list[Question]:
    """What is asked after trials that all go well, as they do where the first does."""
    _, single = asked_of(pair.names, pair.narrow(cases[0]), seed=pair.seed, full=False, memo=pair.memo)
    slopes = [pair.differences(case.point) for case in cases[:DIFFERENCED]]
    return [pair.caches(cases[0], douts), single, *beside.asks(pair), *slopes, *beside.later]


def _unusable(candidate: PairCandidate, names: PairNames) -> list[Finding]:
    """Findings where the file did not load or the forward is missing; else nothing. (A missing backward fails its calls.)"""
    subjects = [("out", Kind.VALUE), *((gradient, Kind.GRADIENT) for gradient in names.gradients)]
    failure = candidate.loaded().failure
    if failure is not None:
        return [contract.failure_finding("loads", subject, "", "the file", failure, kind) for subject, kind in subjects]
    if names.forward in candidate.functions():
        return []
    text = f"{names.forward} is not defined in this file"
    return [failed("defined", subject, "", text, kind, Cause.MISSING) for subject, kind in subjects]


def _checked(trial: Trial, pair: Pair, *, once: bool) -> Iterator[Finding]:
    """What the catalogue says of a trial."""
    blocked, without = set[str](), pair.names.oracle is None
    for check in CHECKS:
        if check.once is not once or check.oracle is without:
            continue
        if not blocked.isdisjoint(check.needs):
            blocked.add(check.name)
            continue
        for finding in check.run(trial, pair):
            yield finding
            if finding.status.severity >= Status.TODO.severity and finding.kind is not Kind.CONVENTION:
                blocked.add(check.name)


def _kept(first: Trial, pair: Pair, findings: Sequence[Finding]) -> list[Finding]:
    """A passed finding for every convention of the catalogue about which nothing was said."""
    said = {(finding.check, finding.subject) for finding in findings if finding.kind is Kind.CONVENTION}
    conventions = _conventions(pair.names.forward, pair.names.backward, first.case.name, pair.names.oracle is not None)
    return [finding for finding in conventions if (finding.check, finding.subject) not in said]


@lru_cache(maxsize=64)
def _conventions(forward: str, backward: str, where: str, oracle: bool) -> tuple[Finding, ...]:
    names = {"forward": forward, "backward": backward}
    kept = [(check.name, names[function]) for check, function in CONVENTIONS if check.oracle in (None, oracle)]
    return tuple(passed(check, subject, where, "as it should be", Kind.CONVENTION) for check, subject in kept)


# --- Finite differences ----------------------------------------------------------------------------------------------

DIFFERENCES = "finite differences"


def _wanted(
    pair: Pair, trials: Sequence[Trial], findings: Sequence[Finding], forward_right: bool
) -> tuple[list[str], list[Finding]]:
    """The primals whose gradients finite differences are asked about, and a skipped finding for most of the others.

    What float32 made coarse leaves nothing for differences to see, and is a finding already.
    """
    wrong = {root_subject(f.subject) for f in findings if f.kind is Kind.GRADIENT and f.status is Status.FAILED}
    blamed = [f for f in findings if f.check == FLOAT64 and f.diagnosis is not None]
    coarse = {trial.case.name for trial in trials if blamed and pair.uses_single(trial)}
    rough = {root_subject(f.diagnosis.evidence["subject"]) for f in blamed if f.probe in coarse and f.diagnosis is not None}
    wanted, left = [], []
    for name, subject in zip(pair.names.wrt, pair.names.gradients, strict=True):
        if subject in wrong:
            left.append(skipped(DIFFERENCES, subject, "", f"{subject} already differs from autograd"))
        elif rough & {"out", subject}:
            continue
        elif forward_right:
            wanted.append(name)
        else:
            left.append(skipped(DIFFERENCES, subject, "", "the forward is not the one of the definition"))
    return wanted, left


def check_differences(trial: Trial, pair: Pair, wrt: Sequence[str]) -> list[Finding]:
    """One finding for each primal in `wrt`; without an oracle a wrong one is located and explained as far as that goes."""
    candidate, names, point, dout = pair.candidate, pair.names, trial.case.point, trial.douts[0]
    probe, rounding, repeats = pair.probe(trial, wrt), pair.rounding(trial), pair.repeats(trial)

    def spread(name: str) -> Sequence[Tensor]:
        """What rounding does to a gradient; and what the definition's does where its inputs move, if there is one."""
        moved = rounding(name)
        if names.oracle is None:
            noise = repeats.get(name, [])
            return [one + other for one, other in zip(moved, noise, strict=True)] if moved and noise else moved or noise
        right = zip(leaves(trial.reference.grads[f"d{name}"]), leaves(trial.reference.grad_spread[f"d{name}"]), strict=True)
        # out and the gradient agree with the definition's as far as a negligible constant in the forward lets them
        known = [change + NEGLIGIBLE * largest(leaf) for leaf, change in right]
        return [one + other for one, other in zip(known, moved, strict=True)] if moved else known

    def elsewhere(there: Point) -> Gradients | None:
        grads = own_gradients(candidate, names, dout)(there)
        return None if grads is None else Gradients(grads, granted=pair.leave)

    grads = {gradient.primal: gradient.value for gradient in trial.gradients.values()}
    verdicts = probe.verdicts(Gradients(grads, spread, pair.leave), elsewhere, lambda: pair.uses_single(trial))
    findings = {
        name: finding_of(verdict, DIFFERENCES, f"d{name}", trial.case.name, f"your d{name}", resolution=names.oracle is None)
        for name, verdict in verdicts.items()
    }
    for name, finding in findings.items():
        if names.oracle is None and finding.status is Status.FAILED and not verdicts[name].moved:  # on a kink no entry is right
            tape = _trusted_tape(trial, pair, name, probe.sweep)
            suspect = Suspect(f"d{name}", name, point, grads[name], dout, probe.sweep, tape, pair.explain.suspect)
            findings[name] = locate(finding, suspect, verdicts[name].leaf)
    return list(findings.values())


def own_sweep(candidate: PairCandidate, names: PairNames, memo: Memo) -> Sweep:
    """The code's own forward at many points; a question of the memo is asked as such."""

    def sweep(points: Sequence[Point], signatures: bool) -> Sequence[Row]:
        known: Question | None = None if signatures else memo.known(("sweep", names.forward), [points])
        outcome = candidate.ask(known) if known else candidate.sweep(names.forward, points, signatures=signatures)
        if outcome.value is None:
            return [(None, None)] * len(points)
        if hasattr(outcome.value, "columns"):  # a batch of tensors
            batch: Sequence[Row] = outcome.value
            return batch
        return [row if isinstance(row[0], Tensor) else (as_tensors(row[0]), row[1]) for row in outcome.value]

    return sweep


def _trusted_tape(trial: Trial, pair: Pair, name: str, sweep: Sweep) -> Any:
    """Autograd of the own forward, where finite differences confirm it: `.item()` and `.detach()` cut a tape unseen."""
    point, dout = trial.case.point, trial.douts[0]
    outcome = pair.candidate.taped(pair.names.forward, point, dout, [name])
    tape = outcome.value[0] if outcome.ok and outcome.value is not None else None
    if tape is None:
        return None
    confirmed = Probe(sweep, point, dout, [name], pair.seed).verdicts(Gradients({name: tape}), lambda _: None)
    return tape if confirmed[name].status is Status.PASSED else None
