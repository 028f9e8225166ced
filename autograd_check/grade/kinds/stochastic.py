"""Checks of a `Stochastic` layer, in training and out of it.

Out of training it is a pair like any other. In training the mask of each forward is read from that forward's own output, and
the backward of the same call is held against the gradient under that very mask. Only the rate is left to statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.course.spec import Probe, Stochastic
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, draw
from autograd_check.grade.kinds.mask import TESTS, Drawn, judge_rate, limit, read_mask, surprise
from autograd_check.grade.kinds.pair import forbidden_operations
from autograd_check.verify.candidate import Outcome, Point, Seed
from autograd_check.verify.case import Case, PairNames, draw_cotangent
from autograd_check.verify.check import check_pair, condense, lost_process
from autograd_check.verify.contract import (
    check_aliases,
    check_cache_reusable,
    check_count,
    check_float32,
    check_out_form,
    check_unchanged,
    failure_finding,
)
from autograd_check.verify.evidence import Evidence
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status
from autograd_check.verify.oracle import oracle_spread, oracle_vjp
from autograd_check.verify.tree import is_tensor, leaves
from autograd_check.verify.trial import Reference, Trial, unpack
from autograd_check.verify.values import check_gradient, check_out, evidence


@dataclass(frozen=True)
class Draw:
    """One call in training: what came, under the mask that its output shows. `blind` are entries that showed it in dx only."""

    trial: Trial
    names: PairNames
    p: float
    kept_blind: int = 0
    blind: int = 0


@check_task.register
def check(task: Stochastic, context: Context) -> list[Finding]:
    """First without noise; then value and gradient of every probe at every rate; then the statistics."""
    findings = check_pair(
        context.candidate,
        _names(task, lambda base: base),
        [_case(task, probe, 0.5 + 0.4 * (number % 2), False, context.seed + number) for number, probe in enumerate(task.probes)],
        seed=context.seed,
        explain=context.explain,
        directions=context.directions,
    )
    if any(finding.check in ("loads", "defined") or finding.status is Status.TODO or lost_process(finding) for finding in findings):
        return findings
    numbered = [(probe, p) for p in task.rates for probe in task.probes]
    cases = [_case(task, probe, p, True, context.seed * 997 + number) for number, (probe, p) in enumerate(numbered)]
    draws: list[Draw] = []
    for case in cases:
        found = _try(task, case, context)
        if isinstance(found, Draw):
            draws.append(found)
        else:
            findings += found
    findings += [finding for one in draws for finding in _judge(one)]
    findings = _explained(task, draws, findings, context)
    findings += _blind(task, draws)
    findings += _quality(task, cases[-1], context)
    findings += forbidden_operations(_names(task, lambda base: base), cases[-1], context)
    shapes_fit = not any(finding.check in ("shape", "runs") and finding.subject == "out" for finding in findings)
    return condense(findings + (_statistics(task, context) if shapes_fit else []))


def _names(task: Stochastic, noise: Callable[[Tensor], Tensor]) -> PairNames:
    """The pair of functions with an oracle to which some noise is done."""
    return PairNames(task.forward, task.backward, task.wrt, lambda *primals, **_: noise(task.oracle(*primals)))


def _case(task: Stochastic, probe: Probe, p: float, train: bool, seed: int) -> Case:
    hyper = {"p": p, "train": train, "generator": Seed(seed)}
    where = f"{probe.name}, p = {p:g}" if train else f"{probe.name}, not in training"
    return Case(where, Point(draw(probe, seed).primals, hyper))


def _try(task: Stochastic, case: Case, context: Context) -> Draw | list[Finding]:
    """One forward and one backward; findings where there is nothing to judge."""
    base = task.oracle(*case.point.primals.values())
    dout = draw_cotangent(base, Generator().manual_seed(context.seed + 1))
    outcome = context.candidate.vjp(task.forward, task.backward, case.point, [dout])
    if outcome.value is None and outcome.failure is not None:
        return [failure_finding("runs", "out", case.name, task.forward, outcome.failure, Kind.VALUE)]
    names = _names(task, lambda base: base)
    trial = _trial(outcome, names, case, Reference(base, {}, None, {}), dout)
    problems = list(check_out_form(trial, names))
    if any(finding.kind is Kind.VALUE for finding in problems):
        return problems
    return _under_its_mask(task, outcome, trial, base, dout)


def _trial(outcome: Outcome, names: PairNames, case: Case, reference: Reference, dout: Tensor) -> Trial:
    out, answers = outcome.value
    unpacked = [unpack(answer, names.wrt) for answer in answers]
    return Trial(
        case=case,
        reference=reference,
        douts=(dout,),
        out=out,
        answers=tuple(answers),
        forward_failure=None,
        backward_failure=outcome.failure,
        changed=outcome.changed,
        aliases=outcome.aliases,
        unpacked=tuple(one for one in unpacked if one is not None),
    )


def _under_its_mask(task: Stochastic, outcome: Outcome, trial: Trial, base: Tensor, dout: Tensor) -> Draw:
    p = trial.case.point.hyper["p"]
    kept = read_mask(torch.as_tensor(trial.out, dtype=base.dtype), base)
    unseen = (base == 0) & _matters(task, trial, base, dout, p)
    if bool(unseen.any()):
        kept = kept | (unseen & _shown_by_gradient(trial, _masked(task, torch.ones_like(kept), p), dout))
    names = _masked(task, kept, p)
    out, grads = oracle_vjp(names.oracle, trial.case.point, names.wrt, dout)
    out_spread, spreads = oracle_spread(names.oracle, trial.case.point, names.wrt, dout)
    reference = Reference(out, _by_subject(grads), out_spread, _by_subject(spreads))
    return Draw(
        _trial(outcome, names, trial.case, reference, dout), names, p, int((kept & unseen).sum()), int(unseen.sum())
    )


def _masked(task: Stochastic, kept: Tensor, p: float) -> PairNames:
    return _names(task, lambda base: base * kept.to(base.dtype) / (1 - p))


def _by_subject(grads: Mapping[str, Any]) -> dict[str, Any]:
    return {f"d{name}": grad for name, grad in grads.items()}


def _matters(task: Stochastic, trial: Trial, base: Tensor, dout: Tensor, p: float) -> Tensor:
    """Where the layer's gradient depends on its mask entry by entry: an entrywise oracle with a slope."""
    everything = _masked(task, torch.ones_like(base, dtype=torch.bool), p)
    _, grads = oracle_vjp(everything.oracle, trial.case.point, everything.wrt, dout)
    first = grads[task.wrt[0]]
    return first != 0 if is_tensor(first) and first.shape == base.shape else torch.zeros_like(base, dtype=torch.bool)


def _shown_by_gradient(trial: Trial, everything: PairNames, dout: Tensor) -> Tensor:
    """Where the first gradient is nearer to that of a kept entry than to 0."""
    _, grads = oracle_vjp(everything.oracle, trial.case.point, everything.wrt, dout)
    full = grads[everything.wrt[0]]
    got = trial.gradients[f"d{everything.wrt[0]}"].value if trial.gradients else None
    if not is_tensor(got) or got.shape != full.shape:
        return torch.zeros_like(full, dtype=torch.bool)
    return (got - full).abs() < got.abs()


def _judge(one: Draw) -> list[Finding]:
    trial, names = one.trial, one.names
    findings = [*check_out(trial, names), *check_unchanged(trial, names)]
    if trial.backward_failure is not None:
        return findings + [
            failure_finding("runs", f"d{name}", trial.case.name, names.backward, trial.backward_failure, Kind.GRADIENT)
            for name in names.wrt
        ]
    findings += [*check_count(trial, names), *check_aliases(trial, names)]
    for gradient in trial.gradients.values():
        findings += check_gradient(gradient, trial, names)
    return findings


def _explained(task: Stochastic, draws: list[Draw], findings: list[Finding], context: Context) -> list[Finding]:
    """The findings, with a cause for every wrong value and gradient that has none yet."""
    by_name = {one.trial.case.name: one for one in draws}
    open_ones = [f for f in findings if f.status is Status.FAILED and f.diagnosis is None and f.probe in by_name]
    forward_right = all(finding.subject != "out" for finding in open_ones)
    causes: dict[str, Diagnosis | None] = {}
    for subject in dict.fromkeys(finding.subject for finding in open_ones):
        wrong = [by_name[finding.probe] for finding in open_ones if finding.subject == subject]
        pieces = [evidence(subject, one.trial, one.names, {}, forward_right) for one in wrong]
        causes[subject] = _cause(task, [piece for piece in pieces if piece is not None], wrong[0], context)
    return [f.with_diagnosis(causes[f.subject]) if f in open_ones else f for f in findings]


def _cause(task: Stochastic, pieces: list[Evidence], one: Draw, context: Context) -> Diagnosis | None:
    found = context.explain(pieces)
    if not pieces or pieces[0].subject == "out" or (found is not None and found.cause != "unknown"):
        return found
    subject = pieces[0].subject
    everything = [_unmasked(task, piece) for piece in pieces]
    if all(torch.equal(piece.got, full * scale) for piece, full in zip(pieces, everything, strict=True) for scale in (1.0,)):
        says = f"{subject} passes dout on where the forward dropped entries: the mask is missing in the backward."
        return Diagnosis("mask_missing", says)
    again = context.candidate.vjp(task.forward, task.backward, one.trial.case.point, [one.trial.douts[0]] * 2, share_cache=True)
    if again.ok and any(not torch.equal(a, b) for a, b in zip(*map(_tensors, again.value[1]), strict=False)):
        says = (
            f"{subject} belongs to another mask than the forward's: the backward draws a new one. Draw it once, in the forward, "
            "and keep it in the cache."
        )
        return Diagnosis("mask_redrawn", says)
    return found


def _unmasked(task: Stochastic, piece: Evidence) -> Tensor:
    """The gradient with nothing dropped and nothing scaled."""
    point = Point(piece.primals, piece.hyper)
    names = _names(task, lambda base: base)
    full: Tensor = oracle_vjp(names.oracle, point, names.wrt, piece.dout)[1][piece.subject[1:]]
    return full


def _tensors(answer: Any) -> list[Tensor]:
    return [leaf for leaf in leaves(answer) if is_tensor(leaf)]


def _blind(task: Stochastic, draws: list[Draw]) -> list[Finding]:
    """Where the layer's value is 0, dropped or not, the gradient must still follow the mask."""
    bound = limit(task.false_alarm, _tests(task))
    subject = f"d{task.wrt[0]}"
    for one in draws:
        if surprise(one.kept_blind, one.blind, 1 - one.p) <= bound:
            continue
        text = f"{subject} is nonzero in {one.kept_blind} of the {one.blind} entries where the layer's value is 0; a share of {1 - one.p:g} was kept"
        says = f"{text}: the mask was taken from where the output is not 0, but a kept entry may be 0 as well. Keep the mask itself."
        diagnosis = Diagnosis("wrong_operand", says, {"kept": one.kept_blind, "entries": one.blind, "p": one.p})
        return [Finding("mask", subject, one.trial.case.name, Status.FAILED, text, Kind.GRADIENT, None, diagnosis)]
    return []


def _tests(task: Stochastic) -> int:
    return len(task.rates) * (TESTS + len(task.probes))


def _quality(task: Stochastic, case: Case, context: Context) -> list[Finding]:
    """Conventions in training: the cache may be used again, float32 stays float32."""
    names = _names(task, lambda base: base)
    dout = draw_cotangent(task.oracle(*case.point.primals.values()), Generator().manual_seed(context.seed + 1))
    shared = context.candidate.vjp(task.forward, task.backward, case.point, [dout, dout], share_cache=True)
    findings = list(check_cache_reusable(shared, names, case.name))
    single = case.as_float32()
    outcome = context.candidate.vjp(task.forward, task.backward, single.point, [dout.float()])
    if outcome.ok and outcome.value is not None:
        reference = Reference(task.oracle(*single.point.primals.values()), {}, None, {})
        findings += check_float32(_trial(outcome, names, single, reference, dout.float()), names)
    return findings


def _statistics(task: Stochastic, context: Context) -> list[Finding]:
    """The rate of every p, whether entries are dropped independently, and whether the generator decides."""
    bound = limit(task.false_alarm, _tests(task))
    findings: list[Finding] = []
    for number, p in enumerate(task.rates):
        case = _case(task, task.bulk, p, True, context.seed * 1013 + 4 * number)
        base = task.oracle(*case.point.primals.values())
        drawn = [_drawn(task, case, seed, base, context) for seed in range(4)]
        masks = [one for one in drawn if one is not None]
        if len(masks) < len(drawn):
            return findings
        wrong = judge_rate(masks, p, bound)
        passed = f"keeps a share of {1 - p:g} for p = {p:g}"
        status = Status.PASSED if wrong is None else Status.FAILED
        findings.append(Finding("rate", "out", case.name, status, wrong.says if wrong else passed, Kind.VALUE, None, wrong))
        if 0 < p < 1:
            findings.append(_generator(task, case, masks[0], base, context))
    return findings


def _drawn(task: Stochastic, case: Case, seed: int, base: Tensor, context: Context) -> Drawn | None:
    first: Seed = case.point.hyper["generator"]
    point = replace(case.point, hyper={**case.point.hyper, "generator": Seed(first.value + seed)})
    outcome = context.candidate.vjp(task.forward, task.backward, point, [])
    out = outcome.value[0] if outcome.ok and outcome.value is not None else None
    return Drawn(base, read_mask(out, base)) if is_tensor(out) and out.shape == base.shape else None


def _generator(task: Stochastic, case: Case, first: Drawn, base: Tensor, context: Context) -> Finding:
    """A convention: the same seed gives the same mask. (That another seed gives another is part of the statistics.)"""
    again = _drawn(task, case, 0, base, context)
    if again is not None and torch.equal(first.kept, again.kept):
        text = "the generator decides the mask"
        return Finding("generator", task.forward, case.name, Status.PASSED, text, Kind.CONVENTION)
    text = f"{task.forward} gives another mask for the same seed: draw from the generator that is handed in, so that a run can be repeated"
    diagnosis = Diagnosis("nondeterministic", text)
    return Finding("generator", task.forward, case.name, Status.FAILED, text, Kind.CONVENTION, None, diagnosis)
