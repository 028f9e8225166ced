"""One call of a stochastic layer in training, judged under the mask that its own output shows, and why it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.course.spec import Stochastic
from autograd_check.diagnose.closeness import close
from autograd_check.diagnose.evidence import Evidence, evidence
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.mask import read_mask
from autograd_check.verify.candidate import Outcome, Point
from autograd_check.verify.contract import check_aliases, check_count, check_out_form, check_unchanged, failure_finding
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.tensors import equal_bits
from autograd_check.verify.trial import Case, PairNames, Reference, Trial, answered, draw_cotangent, reference_of
from autograd_check.verify.values import check_gradient, check_out


@dataclass(frozen=True)
class Draw:
    """One call in training: what came, under the mask that its output shows. `blind` are entries that showed it in dx only."""

    trial: Trial
    names: PairNames
    p: float
    kept_blind: int = 0
    blind: int = 0


def noisy_names(task: Stochastic, noise: Callable[[Tensor], Tensor]) -> PairNames:
    """The pair of functions with an oracle to which some noise is done."""
    return PairNames(task.forward, task.backward, task.wrt, lambda *primals, **_: noise(task.oracle(*primals)))


def try_draw(task: Stochastic, case: Case, context: Context) -> Draw | list[Finding]:
    """One forward and one backward; findings where there is nothing to judge."""
    base = task.oracle(*case.point.primals.values())
    dout = draw_cotangent(base, Generator().manual_seed(context.seed + 1))
    outcome = context.candidate.vjp(task.forward, task.backward, case.point, [dout], wrt=task.wrt)
    if outcome.value is None and outcome.failure is not None:
        return [failure_finding("runs", "out", case.name, task.forward, outcome.failure, Kind.VALUE)]
    names = noisy_names(task, lambda base: base)
    trial = answered(outcome, names, case, Reference(base, {}, None, {}), (dout,))
    problems = list(check_out_form(trial, names))
    if any(finding.kind is Kind.VALUE for finding in problems):
        return problems
    return _under_its_mask(task, outcome, trial, base, dout)


def _under_its_mask(task: Stochastic, outcome: Outcome, trial: Trial, base: Tensor, dout: Tensor) -> Draw:
    p = trial.case.point.hyper["p"]
    kept = read_mask(torch.as_tensor(trial.out, dtype=base.dtype), base)
    unseen = _matters(task, trial, base, dout, p)
    if bool(unseen.any()):
        kept = kept | (unseen & _shown_by_gradient(trial, _masked(task, torch.ones_like(kept), p), dout))
    names = _masked(task, kept, p)
    answer = oracle_vjp(names.oracle, trial.case.point, names.wrt, dout)
    reference = reference_of(names, trial.case, dout, answer)
    return Draw(answered(outcome, names, trial.case, reference, (dout,)), names, p, int((kept & unseen).sum()), int(unseen.sum()))


def _masked(task: Stochastic, kept: Tensor, p: float) -> PairNames:
    return noisy_names(task, lambda base: base * kept.to(base.dtype) / (1 - p))


def _matters(task: Stochastic, trial: Trial, base: Tensor, dout: Tensor, p: float) -> Tensor:
    """Where the output is 0, dropped or not, and yet the gradient of that very entry depends on which."""
    first = task.wrt[0]
    kept, dropped = (
        oracle_vjp(_masked(task, mask, p).oracle, trial.case.point, (first,), dout)[1][first]
        for mask in (torch.ones_like(base, dtype=torch.bool), base != 0)
    )
    if not isinstance(kept, Tensor) or kept.shape != base.shape:
        return torch.zeros_like(base, dtype=torch.bool)
    different: Tensor = (kept != dropped) & (base == 0)
    return different


def _shown_by_gradient(trial: Trial, everything: PairNames, dout: Tensor) -> Tensor:
    """Where the first gradient is nearer to that of a kept entry than to 0."""
    _, grads = oracle_vjp(everything.oracle, trial.case.point, everything.wrt, dout)
    full = grads[everything.wrt[0]]
    got = trial.gradients[f"d{everything.wrt[0]}"].value if trial.gradients else None
    if not isinstance(got, Tensor) or got.shape != full.shape:
        return torch.zeros_like(full, dtype=torch.bool)
    nearer: Tensor = (got - full).abs() < got.abs()
    return nearer


def judge_draw(one: Draw, context: Context) -> list[Finding]:
    """Value and gradients under the draw's own mask, and what the call did besides."""
    trial, names = one.trial, one.names
    uses_single = context.uses_single(names)
    findings = [*check_out(trial, names, uses_single), *check_unchanged(trial, names)]
    if trial.backward_failure is not None:
        return findings + [
            failure_finding("runs", f"d{name}", trial.case.name, names.backward, trial.backward_failure, Kind.GRADIENT)
            for name in names.wrt
        ]
    findings += [*check_count(trial, names), *check_aliases(trial, names)]
    for gradient in trial.gradients.values():
        findings += check_gradient(gradient, trial, names, uses_single)
    return findings


def explained(task: Stochastic, draws: Sequence[Draw], findings: list[Finding], context: Context) -> list[Finding]:
    """The findings, with a cause for every wrong value and gradient that has none yet."""
    by_name = {one.trial.case.name: one for one in draws}
    open_ones = [f for f in findings if f.status is Status.FAILED and f.diagnosis is None and f.probe in by_name]
    forward_right = all(finding.subject != "out" for finding in open_ones)
    causes: dict[str, Diagnosis | None] = {}
    for subject in dict.fromkeys(finding.subject for finding in open_ones):
        wrong = [by_name[finding.probe] for finding in open_ones if finding.subject == subject]
        wrong = [one for one in wrong if not one.blind] or wrong  # a wrong gradient shows no mask
        pieces = [evidence(subject, one.trial, one.names, {}, forward_right) for one in wrong]
        causes[subject] = _cause(task, [piece for piece in pieces if piece is not None], wrong[0], context)
    return [f.explained(causes[f.subject]) if f in open_ones else f for f in findings]


def _cause(task: Stochastic, pieces: list[Evidence], one: Draw, context: Context) -> Diagnosis | None:
    gradient = bool(pieces) and pieces[0].subject != "out"
    if gradient and _drops(task, one) and all(_nothing_dropped(task, piece) for piece in pieces):
        says = f"{pieces[0].subject} passes dout on where the forward dropped entries: the mask is missing in the backward."
        return Diagnosis(Cause.MASK_MISSING, says)
    found = context.explain(pieces)
    if not gradient or (found is not None and found.cause != Cause.UNKNOWN):
        return found
    again = context.candidate.vjp(task.forward, task.backward, one.trial.case.point, [one.trial.douts[0]] * 2, share_cache=True)
    if again.ok and not equal_bits(*again.value[1]):
        says = (
            f"{pieces[0].subject} belongs to another mask than the forward's: the backward draws a new one. Draw it once, in the "
            "forward, and keep it in the cache."
        )
        return Diagnosis(Cause.MASK_REDRAWN, says)
    return found


def _drops(task: Stochastic, one: Draw) -> bool:
    """Whether the forward's own output shows dropped entries."""
    base = task.oracle(*one.trial.case.point.primals.values())
    out = torch.as_tensor(one.trial.out, dtype=base.dtype)
    return bool(((out == 0) & (base != 0)).any())


def _nothing_dropped(task: Stochastic, piece: Evidence) -> bool:
    """Whether a gradient is the one without a mask, scaled or not."""
    names = noisy_names(task, lambda base: base)
    _, grads = oracle_vjp(names.oracle, Point(piece.primals, piece.hyper), names.wrt, piece.dout)
    full: Tensor = grads[piece.subject[1:]]
    return close(piece.got, full) or close(piece.got, full / (1 - piece.hyper["p"]))
