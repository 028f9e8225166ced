"""Checks of an `UpdateRule`: the trajectory must follow torch's optimiser step by step, for every set of hyperparameters.

Gradients are random, so nothing converges and no error heals; the first step that leaves the trajectory is reported. The
whole run happens on the side of the code under test, so a state may be any object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.course.spec import UpdateRule
from autograd_check.diagnose.closeness import LOOSE
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.explain import no_mutants
from autograd_check.diagnose.fingerprints import Fingerprint, equals, match_fingerprint, match_mutant
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, failed_call, unchanged, unusable
from autograd_check.grade.trajectory import Parting, Run, draw, flat, parting, run, updates
from autograd_check.run.operations import SINGLE
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, aggregate
from autograd_check.verify.precision import looks_single
from autograd_check.verify.tensors import equal_bits, is_tensor
from autograd_check.verify.tolerances import UNSEEN

SMALL = 1e-4
"""Largest error of an update, relative to the largest update, that float32 in a state or a count of steps explains."""

NOISE = 1e-11
"""Smaller errors, relative to the largest update, are float64's own rounding."""

LIKE_THE_FIRST = 3
"""The place among the parameters of a run of one that has the first one's shape."""

FEW = 4
"""So many steps are enough to see of most mistakes that they are not the one that was made."""

FIRST_STEPS = 3
"""So many steps of one parameter are enough to see that it is not a mutant's."""

OFTEN = 0.3
"""Share of the updates in which float32 is seen, at least."""


@check_task.register
def check(task: UpdateRule, context: Context) -> list[Finding]:
    """One trajectory for each set of hyperparameters; arguments unchanged; float32 and float64 kept."""
    bad = unusable(context.candidate, task.functions)
    if bad:
        return bad
    runs: list[Run] = []
    for number, hyper in enumerate(task.hypers):
        runs.append(run(task, context.candidate, hyper, context.seed * 101 + number, context.memo))
        failure = runs[-1].outcome.failure
        if failure is not None and failure.cause == Cause.NOT_IMPLEMENTED:
            break
    partings = [parting(one, task.tolerance) for one in runs]
    whole = not any(map(_stopped, runs)) and all(part is None or part.mismatch is not None for part in partings)
    apart = [one for one, part in zip(runs, partings, strict=True) if part is not None]
    rounded = bool(apart) and whole and _right_to_float32(apart) and (not _large(apart) or _uses_single(task, apart[0], context))
    if rounded:
        partings = [None] * len(runs)
    apart = [one for one, parted in zip(runs, partings, strict=True) if parted is not None]
    known = _default(runs, apart) or _known(apart, context)
    edit = cache(partial(_edit, apart, context))
    findings: list[Finding] = []
    for one, parted in zip(runs, partings, strict=True):
        findings += [_verdict(task, one, parted, known, edit, context), *unchanged(task.functions[0], one.outcome, one.name)]
    if all(finding.kind is Kind.CONVENTION or finding.status is Status.PASSED for finding in findings):
        findings += [_keeps_float64(task, rounded), _keeps_float32(task, context)]
    return aggregate(findings)


def _stopped(one: Run) -> bool:
    """Whether a run ended before its last step."""
    return not one.outcome.ok or len(one.own) < len(one.gradients)


def _verdict(
    task: UpdateRule,
    one: Run,
    parted: Parting | None,
    known: Diagnosis | None,
    edit: Callable[[], Diagnosis | None],
    context: Context,
) -> Finding:
    """The one finding about a run: it parts from torch's, it stops, or it follows to the end."""
    failure = one.outcome.failure
    if parted is not None and parted.mismatch is None:
        return _failed(one, parted.says, Cause.WRONG_SHAPE)
    if parted is not None:
        found = known or _relation(one, parted, context)
        unnamed = parted.step == 1 and (found is None or found.cause == Cause.FORWARD_WRONG)
        return _left(one, parted, edit() or found if unnamed else found)
    if failure is not None and failure.cause == Cause.WRONG_ARITY:
        return _failed(one, failure.says, Cause.WRONG_ARITY)
    if _stopped(one):
        return failed_call(task.functions[0], one.outcome, f"{one.name}, step {len(one.own) + 1}")
    text = f"follows torch.optim for {task.steps} steps"
    return Finding("value", "out", one.name, Status.PASSED, text, Kind.VALUE)


def _failed(one: Run, text: str, cause: Cause) -> Finding:
    return Finding("value", "out", one.name, Status.FAILED, text, Kind.VALUE, None, Diagnosis(cause, text))


def _left(one: Run, parted: Parting, relation: Diagnosis | None) -> Finding:
    step = parted.step
    text = f"leaves torch.optim's trajectory at step {step}: {parted.says}"
    if step == 1:
        says = "The very first step is already different"
    else:
        right = "The first step is" if step == 2 else f"The first {step - 1} steps are"
        says = f"{right} right"
    where = "the update itself" if step == 1 else "what the state carries from step to step, and at how a step uses it"
    diagnosis = Diagnosis(Cause.FORWARD_WRONG if step == 1 else Cause.STALE_STATE, f"{says}, so look at {where}.", {"step": step})
    if relation is not None and relation.cause == Cause.WRONG_DEFAULT:
        diagnosis = relation
    elif step == 1 and parted.position == LIKE_THE_FIRST and torch.allclose(one.own[0][0], one.twin[0][0], rtol=1e-12, atol=0):
        says = "The first step of the first parameter is right, that of another of its shape is not: each needs its own state."
        diagnosis = Diagnosis(Cause.STALE_STATE, says, {"step": step})
    elif relation is not None and relation.cause == Cause.ZERO_GRADIENT and step == 1 and _moves_later(one, parted.position):
        says = f"{says}. The parameter does not move at the first step: what is new in the state comes one step late."
        diagnosis = Diagnosis(Cause.STALE_STATE, says, {"step": step})
    elif relation is not None and relation.cause != Cause.FORWARD_WRONG:
        said = f"{relation.says[:1].upper()}{relation.says[1:]}"
        diagnosis = Diagnosis(relation.cause, f"{says}. {said}", {"step": step, **relation.evidence}, relation.source)
    return Finding("value", "out", one.name, Status.FAILED, text, Kind.VALUE, parted.mismatch, diagnosis)


def _moves_later(one: Run, position: int) -> bool:
    return len(one.own) > 1 and not equal_bits(one.own[1][position], one.starts[position])


def _default(runs: Sequence[Run], apart: Sequence[Run]) -> Diagnosis | None:
    """A default at fault: all runs that leave a hyperparameter out are wrong, and all that give it are right.

    A run in which nothing moves, at a step size of 0, is right whatever the default, and says nothing.
    """
    right = [one for one in runs if one not in apart and not equal_bits(one.twin[-1], one.starts)]
    names = dict.fromkeys(name for one in runs for name in one.hyper)
    for name in names:
        if apart and right and all(name in one.hyper for one in right) and not any(name in one.hyper for one in apart):
            says = f"Every run that gives {name} is right, and every run that leaves it out is wrong: look at its default."
            return Diagnosis(Cause.WRONG_DEFAULT, says, {"default": name})
    return None


def _known(runs: Sequence[Run], context: Context) -> Diagnosis | None:
    """The lesson's own mistake that yields exactly these numbers in every run that leaves torch's, if there is one."""
    pieces = []
    for one in runs:
        got, expected = one.whole, one.torchs.whole
        if got.shape != expected.shape:
            return None
        pieces.append(_evidence(one, got, expected, one.primals))
    if not pieces:
        return None
    # what the known mistakes yield in these very runs, in this order (some remember the run before): the same for all files
    known = context.memo.once("known", [one.primals for one in runs], lambda: context.fingerprints)
    return match_fingerprint(pieces, context.known(_likely(runs[0], known, context)))


def _likely(one: Run, known: Sequence[Fingerprint], context: Context) -> list[Fingerprint]:
    """The mistakes whose first steps do not rule out that they yield this run; most are ruled out, and never run to the end.

    Whole runs that are close (`LOOSE`, relative to the largest entry of both) have largest entries that are about the same.
    """
    if len(one.gradients) <= FEW:
        return list(known)

    def first_steps() -> list[Mapping[str, Any]]:
        head = {"starts": one.starts, "gradients": one.gradients[:FEW]}
        return [each.gradients(head, one.hyper, None) for each in known]

    mine = one.whole[: FEW * one.whole.numel() // len(one.gradients)]
    bound = 2 * LOOSE * float(one.whole.abs().max())
    heads = [head.get("out") for head in context.memo.once("heads", [one.primals], first_steps)]
    alike = [head is not None and head.shape == mine.shape and float((head - mine).abs().max()) <= bound for head in heads]
    return [each for each, like in zip(known, alike, strict=True) if like]


def _edit(runs: Sequence[Run], context: Context) -> Diagnosis | None:
    """An edit of the definition's step that yields these numbers; those that differ within the first steps are put aside there."""
    pieces = [_evidence(one, flat(one.own), flat(one.twin), one.primals) for one in runs]
    one = runs[0]
    primals = context.memo.once("first steps", [one.primals], partial(_first_steps, one))
    got, expected = (flat([params[:1] for params in steps[:FIRST_STEPS]]) for steps in (one.own, one.twin))
    first = _evidence(one, got, expected, primals)
    alike = [mutant for mutant in context.mutants(True) if equals(first, mutant)]
    return match_mutant(pieces, alike)


def _first_steps(one: Run) -> dict[str, Any]:
    """A few steps of the first parameter."""
    return {"starts": one.starts[:1], "gradients": [grads[:1] for grads in one.gradients[:FIRST_STEPS]]}


def _relation(one: Run, parted: Parting, context: Context) -> Diagnosis | None:
    """How the first wrong update relates to the right one."""
    position, step = parted.position, parted.step
    before = one.before(step)[position]
    mine, right = one.own[step - 1][position], one.twin[step - 1][position]
    primals = {"param": before, "grad": one.gradients[step - 1][position]}
    # mistakes and edits are told by whole runs
    alone = replace(context, fingerprints=(), mutants=no_mutants)
    return alone.explain([_evidence(one, mine.to(right.dtype) - before, right - before, primals)])


def _evidence(one: Run, got: Tensor, expected: Tensor, primals: Mapping[str, Any]) -> Evidence:
    return Evidence(
        subject="out",
        got=got,
        expected=expected,
        primals=primals,
        hyper=one.hyper,
        out=expected,
        dout=None,
        vjp=lambda _: {},
        got_all={},
        probe=one.name,
        called="the update",
    )


def _right_to_float32(runs: Sequence[Run]) -> bool:
    """Whether all that is wrong in these runs is float32 somewhere inside: a little, and updates as often too large as too small."""
    outward = [_outward(one) for one in runs]
    found = [shares for shares in outward if shares is not None]
    every = torch.cat(found) if len(found) == len(runs) else torch.empty(0)
    return every.numel() > 0 and 0.1 < float(every.mean()) < 0.9


def _outward(one: Run) -> Tensor | None:
    """1 for every wrong update that is too large, 0 for one too small; None where float32 does not explain the errors."""
    got, expected = one.whole, one.torchs.whole
    if got.shape != expected.shape:
        return None
    right = updates(one.torchs.whole, one.starts)
    error = updates(one.whole, one.starts) - right
    largest = float(right.abs().max())
    seen = (error.abs() > NOISE * largest) & (right != 0)
    small = float(error.abs().max()) <= SMALL * largest or looks_single(got, expected)
    often = not largest or float(seen.to(torch.float64).mean()) > OFTEN
    return (error * right > 0)[seen].to(torch.float64) if small and often else None


def _large(runs: Sequence[Run]) -> bool:
    """Whether an error is larger than what is put down to float32 without a witness."""
    pairs = [(updates(one.whole, one.starts), updates(one.torchs.whole, one.starts)) for one in runs]
    return any(float((own - right).abs().max()) > UNSEEN * float(right.abs().max()) for own, right in pairs)


def _uses_single(task: UpdateRule, one: Run, context: Context) -> bool:
    """Whether float32 numbers take part in the first step, where a state is made."""
    grads = one.gradients[0]
    first: dict[str, Any] = {"param": one.starts[0], "grad": grads[0], "state": None}
    together: dict[str, Any] = {"params": list(one.starts), "grads": list(grads)}
    point = Point(together if task.together else first, one.hyper)
    outcome = context.candidate.operations(task.functions[0], point, returns_cache=False)
    return outcome.ok and SINGLE in outcome.value


def _keeps_float64(task: UpdateRule, rounded: bool) -> Finding:
    function = task.functions[0]
    if not rounded:
        return Finding("keeps float64", function, "float64", Status.PASSED, "as it should be", Kind.CONVENTION)
    text = f"{function} is right to float32 only, though the parameters are float64; give what you keep in the state their dtype"
    diagnosis = Diagnosis(Cause.WRONG_DTYPE, text)
    return Finding("keeps float64", function, "float64", Status.FAILED, text, Kind.CONVENTION, None, diagnosis)


def _keeps_float32(task: UpdateRule, context: Context) -> Finding:
    function = task.functions[0]
    starts, gradients = draw(context.seed, 2, torch.float32)
    outcome = context.candidate.trajectory(function, starts, gradients, task.hypers[0], together=task.together)
    params = [param for step in outcome.value or [] for param in step]
    if not outcome.ok or all(is_tensor(param) and param.dtype is torch.float32 for param in params):
        return Finding("keeps float32", function, "float32", Status.PASSED, "as it should be", Kind.CONVENTION)
    text = f"{function} returns another dtype for float32 parameters; make new tensors with the dtype of the parameters"
    diagnosis = Diagnosis(Cause.WRONG_DTYPE, text)
    return Finding("keeps float32", function, "float32", Status.FAILED, text, Kind.CONVENTION, None, diagnosis)
