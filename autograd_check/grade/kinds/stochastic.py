"""Checks of a `Stochastic` layer, in training and out of it.

Out of training it is a layer like any other. In training the mask of each forward is read from that forward's own output, and
the backward of the same call is held against the gradient under that very mask. Only the rate is left to statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.course.spec import Probe, Stochastic
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, draw, stopped
from autograd_check.grade.kinds.edges import check_cases, non_contiguous_cases
from autograd_check.grade.kinds.layer import forbidden_operations, watched_runs
from autograd_check.grade.kinds.mask import TESTS, Drawn, judge_rate, limit, read_mask, slices, surprise
from autograd_check.grade.kinds.masked import Draw, explained, judge_draw, noisy_names, try_draw
from autograd_check.requests import Code, Seed
from autograd_check.verify.candidate import Point
from autograd_check.verify.contract import check_cache_reusable, check_float32
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, aggregate, failed, passed
from autograd_check.verify.tensors import equal_bits
from autograd_check.verify.trial import Case, PairNames, Reference, answered, draw_cotangent


@check_task.register
def check(task: Stochastic, context: Context) -> list[Finding]:
    """First without noise; then value and gradient of every probe at every rate; then the statistics."""
    quiet = [
        _case(task, probe, 0.5 + 0.4 * (number % 2), False, context.seed + number) for number, probe in enumerate(task.probes)
    ]
    findings = check_cases(_quiet(task), [*quiet, *non_contiguous_cases(quiet)], context)
    if stopped(findings):
        return findings
    numbered = [(probe, p) for p in task.rates for probe in task.probes]
    cases = [_case(task, probe, p, True, context.seed * 997 + number) for number, (probe, p) in enumerate(numbered)]
    draws: list[Draw] = []
    for case in [*cases, *non_contiguous_cases(cases)]:
        found = try_draw(task, case, context)
        if isinstance(found, Draw):
            draws.append(found)
        else:
            findings += found
    findings += [finding for one in draws for finding in judge_draw(one, context)]
    findings = explained(task, draws, findings, context)
    findings += _quality(task, cases[-1], context)
    names = _quiet(task)
    findings += forbidden_operations(names, cases[-1].name, watched_runs(names, cases[-1], context), context)
    shapes_fit = not any(finding.check in ("shape", "runs") and finding.subject == "out" for finding in findings)
    findings += _statistics(task, context) if shapes_fit else []
    rate_right = not any(finding.check == "rate" and finding.status is Status.FAILED for finding in findings)
    if rate_right and not any(finding.kind is Kind.GRADIENT and finding.status is Status.FAILED for finding in findings):
        findings += _blind(task, draws)
    return aggregate(findings)


def _quiet(task: Stochastic) -> PairNames:
    """The pair of functions without noise."""
    return noisy_names(task, lambda base: base)


def _case(task: Stochastic, probe: Probe, p: float, train: bool, seed: int) -> Case:
    hyper = {"p": p, "train": train, "generator": Seed(seed)}
    where = f"{probe.name}, p = {p:g}" if train else f"{probe.name}, not in training"
    return Case(where, Point(draw(probe, seed).primals, hyper))


def _blind(task: Stochastic, draws: Sequence[Draw]) -> list[Finding]:
    """Where the layer's value is 0, dropped or not, the gradient must still follow the mask."""
    bound = limit(task.false_alarm, _tests(task))
    subject = f"d{task.wrt[0]}"
    for one in draws:
        if surprise(one.kept_blind, one.blind, 1 - one.p) <= bound:
            continue
        text = f"{subject} is nonzero in {one.kept_blind} of the {one.blind} entries where the layer's value is 0; a share of {1 - one.p:g} was kept"
        says = (
            f"{text}: the mask was taken from where the output is not 0, but a kept entry may be 0 as well. Keep the mask itself."
        )
        diagnosis = Diagnosis(Cause.WRONG_OPERAND, says, {"kept": one.kept_blind, "entries": one.blind, "p": one.p})
        return [failed("mask", subject, one.trial.case.name, text, Kind.GRADIENT, diagnosis=diagnosis)]
    return []


def _tests(task: Stochastic) -> int:
    shapes = [task.oracle(*draw(bulk, 0).primals.values()).shape for bulk in (task.bulk, *task.bulks)]
    return len(task.rates) * (len(task.probes) + sum(TESTS + slices(shape) for shape in shapes))


def _quality(task: Stochastic, case: Case, context: Context) -> list[Finding]:
    """Conventions in training: the cache may be used again, float32 stays float32."""
    names = _quiet(task)
    dout = draw_cotangent(task.oracle(*case.point.primals.values()), Generator().manual_seed(context.seed + 1))
    shared = context.candidate.vjp(task.forward, task.backward, case.point, [dout, dout], share_cache=True)
    findings = [*check_cache_reusable(shared, names, case.name), *_own_cache(task, case, dout, context)]
    single = case.as_float32()
    outcome = context.candidate.vjp(task.forward, task.backward, single.point, [dout.float()])
    if outcome.ok and outcome.value is not None:
        reference = Reference(task.oracle(*single.point.primals.values()), {}, None, {})
        findings += check_float32(answered(outcome, names, single, reference, (dout.float(),)), names)
    return findings


def _own_cache(task: Stochastic, case: Case, dout: Tensor, context: Context) -> list[Finding]:
    """The backward belongs to its own forward's mask, also where the forward drew another one since."""
    seed: Seed = case.point.hyper["generator"]
    other = replace(case.point, hyper={**case.point.hyper, "generator": Seed(seed.value + 1)})
    alone = context.candidate.vjp(task.forward, task.backward, case.point, [dout, dout])
    mixed = context.candidate.vjp(task.forward, task.backward, case.point, [dout], share_cache=True, between=other)
    if not alone.ok or alone.value is None or mixed.value is None:
        return []
    first, again = alone.value[1]
    if not equal_bits(first, again) or (mixed.ok and equal_bits(first, mixed.value[1][0])):
        return []
    subject = f"d{task.wrt[0]}"
    text = (
        f"{subject} is another one as soon as {task.forward} draws a second mask before {task.backward}: the mask of this very call "
        "must be in the cache, and not in a variable outside of it"
    )
    return [failed("own cache", subject, case.name, text, Kind.GRADIENT, Cause.STALE_STATE)]


def _statistics(task: Stochastic, context: Context) -> list[Finding]:
    """The rate of every p, whether entries are dropped independently, and whether the generator decides."""
    bound = limit(task.false_alarm, _tests(task))
    findings: list[Finding] = []
    for number, (p, bulk) in enumerate((p, bulk) for bulk in (task.bulk, *task.bulks) for p in task.rates):
        case = _case(task, bulk, p, True, context.seed * 1013 + 4 * number)
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
            findings += [_generator(task, case, masks[0], base, context), *_anew(task, case, masks[0], base, context)]
    return findings


def _anew(task: Stochastic, case: Case, first: Drawn, base: Tensor, context: Context) -> list[Finding]:
    """A generator that was used before gives another mask: its first seed is not where a call may begin."""
    seed: Seed = case.point.hyper["generator"]
    used = Code("generator", f"generator = torch.Generator().manual_seed({seed.value})\ntorch.rand(11, generator=generator)")
    point = replace(case.point, hyper={**case.point.hyper, "generator": used})
    outcome = context.candidate.vjp(task.forward, task.backward, point, [])
    out = outcome.value[0] if outcome.ok and outcome.value is not None else None
    if not isinstance(out, Tensor) or out.shape != base.shape or not torch.equal(read_mask(out, base), first.kept):
        return []
    says = (
        "The same mask comes again from a generator that was used before: every call would drop the same entries. Draw from the "
        "generator as it is handed in, without a seed of its own."
    )
    return [failed("rate", "out", case.name, says, Kind.VALUE, Cause.WRONG_DISTRIBUTION)]


def _drawn(task: Stochastic, case: Case, seed: int, base: Tensor, context: Context) -> Drawn | None:
    first: Seed = case.point.hyper["generator"]
    point = replace(case.point, hyper={**case.point.hyper, "generator": Seed(first.value + seed)})
    outcome = context.candidate.vjp(task.forward, task.backward, point, [])
    out = outcome.value[0] if outcome.ok and outcome.value is not None else None
    return Drawn(base, read_mask(out, base)) if isinstance(out, Tensor) and out.shape == base.shape else None


def _generator(task: Stochastic, case: Case, first: Drawn, base: Tensor, context: Context) -> Finding:
    """A convention: the same seed gives the same mask. (That another seed gives another is part of the statistics.)"""
    again = _drawn(task, case, 0, base, context)
    if again is not None and torch.equal(first.kept, again.kept):
        text = "the generator decides the mask"
        return passed("generator", task.forward, case.name, text, Kind.CONVENTION)
    text = f"{task.forward} gives another mask for the same seed: draw from the generator that is handed in, so that a run can be repeated"
    return failed("generator", task.forward, case.name, text, Kind.CONVENTION, Cause.NONDETERMINISTIC)
