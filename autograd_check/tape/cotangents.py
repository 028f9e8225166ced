"""What autograd asks of a backward besides one cotangent: none at all, one output's alone, several in one call under vmap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Outcome, PairCandidate, Point
from autograd_check.verify.finding import Finding, Kind, failed, passed
from autograd_check.verify.precision import Rounding, compare_rounded
from autograd_check.verify.tensors import compare, is_differentiable, largest, leaves, mismatch_text, named_leaves, refilled
from autograd_check.verify.tolerances import of_its_size
from autograd_check.verify.trial import PairNames, Trial, parts, unpack

UNDEFINED = "undefined gradients"
BATCHED = "batched gradients"
NONE = "A backward gets None for an output that nothing uses; treat it as zero."


class TapeCandidate(PairCandidate, Protocol):
    """A callable under autograd, which can be asked for more than a vjp. Nests of `out` have None where no gradient goes."""

    def jvp(self, point: Point, tangents: Mapping[str, Any]) -> Outcome:
        """`(out, tangent)` by forward mode, for the tangents of some primals, in their nests; the others stand still."""
        ...

    def batched_jvp(self, point: Point, tangents: Sequence[Mapping[str, Any]]) -> Outcome:
        """The tangents of the tensors of `out`, in order, for several tangents in one call under vmap: theirs is the first axis."""
        ...

    def batched_vjp(self, point: Point, douts: Sequence[Any]) -> Outcome:
        """The gradients of all differentiable tensors in `wrt`, in order, for several cotangents in one call under vmap."""
        ...

    def undefined_vjp(self, point: Point) -> Outcome:
        """The gradients in `wrt` where the backward is given None for every output."""
        ...


def check_undefined(candidate: TapeCandidate, names: PairNames, trial: Trial, rounding: Rounding) -> Iterator[Finding]:
    """The backward copes with None for the outputs that nothing uses: for all of them, and for all but one.

    What the outputs give one at a time adds up to what they give together. `rounding` says what that does to it.
    """
    several = sum(map(is_differentiable, leaves(trial.out))) > 1
    found = list(_apart(candidate, names, trial, rounding)) if several else []
    text = "one output at a time, and none at all" if several else "a backward without a cotangent gives zero"
    found = found or list(_undefined(candidate, names, trial.case.point))
    yield from found or [passed(UNDEFINED, subject, "", text, Kind.GRADIENT) for subject in names.gradients]


def _undefined(candidate: TapeCandidate, names: PairNames, point: Point) -> Iterator[Finding]:
    outcome = candidate.undefined_vjp(point)
    if outcome.failure is not None:
        text = f"without a cotangent the backward raised {outcome.failure.exception}: {outcome.failure.says}"
        yield failed(UNDEFINED, "out", "", text, Kind.GRADIENT, Cause.CRASHED, says=NONE)
        return
    for name, gradient in zip(names.wrt, outcome.value, strict=True):
        for path, leaf in parts(gradient, f"d{name}", names):
            if is_differentiable(leaf) and largest(leaf) != 0:
                text = f"{path} is not zero where no output has a cotangent: its largest entry is {largest(leaf):.4g}"
                yield failed(UNDEFINED, path, "", text, Kind.GRADIENT, Cause.NONLINEAR_IN_UPSTREAM, says=NONE)
                return


def _apart(candidate: TapeCandidate, names: PairNames, trial: Trial, rounding: Rounding) -> Iterator[Finding]:
    dout, point = trial.douts[0], trial.case.point
    outs = [(place, path) for place, (path, leaf) in enumerate(named_leaves(trial.out, "out")) if is_differentiable(leaf)]

    def only(wanted: int) -> Any:
        return refilled(dout, (leaf if place == wanted else None for place, leaf in enumerate(leaves(dout))))

    outcome = candidate.vjp(names.forward, names.backward, point, [*(only(place) for place, _ in outs), dout])
    answers = [unpack(answer, names.wrt) or {} for answer in (outcome.value[1] if outcome.value else ())]
    if outcome.failure is not None:
        path, failure = outs[min(len(answers), len(outs) - 1)][1], outcome.failure
        text = f"with a cotangent for {path} alone the backward raised {failure.exception}: {failure.says}"
        yield failed(UNDEFINED, path, "", text, Kind.GRADIENT, Cause.CRASHED, says=NONE)
        return
    for name in names.wrt:
        rows = zip(*(parts(answer[f"d{name}"].value, f"d{name}", names) for answer in answers), strict=True)
        for place, row in enumerate(rows):
            path, given = row[0][0], [leaf for _, leaf in row]
            if not all(map(is_differentiable, given)):
                continue
            summed = torch.stack(given[:-1]).sum(0)
            tolerance = of_its_size(sum(map(largest, given)), given[0].numel())
            mismatch = compare_rounded(summed, given[-1], tolerance, rounding.largest, name, place)
            if mismatch is not None:
                text = f"cotangents for one output at a time give another {path} than all together: {mismatch_text(mismatch)}"
                says = "A backward gets None for an output that nothing uses; what it does then must be what a zero would give."
                yield failed(UNDEFINED, path, "", text, Kind.GRADIENT, Cause.NONLINEAR_IN_UPSTREAM, says=says, mismatch=mismatch)
                return


def check_batched(candidate: TapeCandidate, names: PairNames, point: Point, douts: Sequence[Any]) -> Iterator[Finding]:
    """Cotangents in one call under vmap give what they give one by one."""
    outcome = candidate.vjp(names.forward, names.backward, point, douts)
    answers = outcome.value[1] if outcome.ok and outcome.value is not None else ()
    batch = candidate.batched_vjp(point, douts)
    if batch.failure is not None:
        text = f"under vmap the backward raised {batch.failure.exception}: {batch.failure.says}"
        yield failed(BATCHED, "out", "", text, Kind.GRADIENT, Cause.CRASHED)
        return
    paths = [
        path for name in names.wrt for path, leaf in named_leaves(point.primals[name], f"d{name}") if is_differentiable(leaf)
    ]
    rows = [[leaf for part in answer for leaf in leaves(part) if is_differentiable(leaf)] for answer in answers]
    yield from compare_batched(BATCHED, paths, batch.value, list(zip(*rows, strict=True)), "cotangents", names.gradients)


def compare_batched(
    check: str,
    paths: Sequence[str],
    batched: Sequence[Tensor],
    singly: Sequence[Sequence[Tensor]],
    of: str,
    subjects: Sequence[str],
) -> Iterator[Finding]:
    """What one call under vmap gave, beside the answers of single calls; the first axis counts the calls."""
    for path, together, apart in zip(paths, batched, singly, strict=True):
        one_by_one = torch.stack(list(apart))
        if together.shape != one_by_one.shape:
            text = f"under vmap {path} has shape {tuple(together.shape[1:])}, expected {tuple(one_by_one.shape[1:])}"
            yield failed(check, path, "", text, Kind.GRADIENT, Cause.WRONG_SHAPE)
            return
        mismatch = compare(together, one_by_one, of_its_size(largest(one_by_one), one_by_one.numel()))
        if mismatch is not None:
            text = f"{len(one_by_one)} {of} under vmap give another {path} than one by one: {mismatch_text(mismatch)}"
            yield failed(check, path, "", text, Kind.GRADIENT, Cause.UNKNOWN, mismatch=mismatch)
            return
    for subject in subjects:
        yield passed(check, subject, "", f"{of} under vmap give what they give one by one", Kind.GRADIENT)
