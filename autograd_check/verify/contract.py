"""What a forward and a backward owe whatever their mathematics: form, linearity, and no side effects.

Cheap and structural; these checks come before any number is judged. A convention's finding names the function, never the
gradient: code that writes into `dout` or returns float64 for float32 may still have the right derivative.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Failure, Opaque, Outcome, PairCandidate
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Mismatch, Status, failed, passed
from autograd_check.verify.precision import Rounding
from autograd_check.verify.tensors import (
    compare,
    equal_bits,
    is_differentiable,
    is_tensor,
    largest,
    leaves,
    map_leaves,
    natural_size,
    refilled,
    same_structure,
)
from autograd_check.verify.tolerances import (
    EPS,
    GAIN,
    LAST_BITS,
    NO_LEAVE,
    REPEATS,
    ROUNDINGS,
    SINGLE_EPS,
    WEIGHTS,
    Leave,
    of_its_size,
)
from autograd_check.verify.trial import Gradient, PairNames, Trial, UsesSingle, parts, unpack

# --- Calls that gave no value ----------------------------------------------------------------------------------------

_SAYS = {
    Cause.NOT_IMPLEMENTED: "not written yet",
    Cause.MISSING: "is not defined in this file",
    Cause.CRASHED: "raised",
    Cause.EXITED: "ended the program",
    Cause.TIMED_OUT: "did not return in time",
    Cause.DIED: "killed its own process",
    Cause.FORBIDDEN_OPERATION: "uses what this lesson forbids",
}


def failure_finding(
    check: str, subject: str, probe: str, function: str, failure: Failure, kind: Kind, means: Diagnosis | None = None
) -> Finding:
    """The finding for a call that gave no value; an unwritten function is `todo`, all else `failed`.

    `means` is the cause where the call can have failed for one reason only.
    """
    status = Status.TODO if failure.cause is Cause.NOT_IMPLEMENTED else Status.FAILED
    message = f"{function} {_SAYS.get(failure.cause, 'gave no value')}"
    if failure.cause is Cause.CRASHED and failure.exception:
        message = f"{function} raised {failure.exception}: {failure.says}"
    elif failure.says and failure.cause not in (Cause.NOT_IMPLEMENTED, Cause.MISSING):
        message = f"{message}: {failure.says}"
    if failure.where:
        message = f"{message} ({failure.where})"
    evidence = {"exception": failure.exception, "where": failure.where, "trace": failure.trace}
    why = means or Diagnosis(failure.cause, failure.says or message, evidence)
    return Finding(check, subject, probe, status, message, kind, None, why)


# --- Form ------------------------------------------------------------------------------------------------------------


def shape_text(shape: Any) -> str:
    """A shape as `(3, 5)`."""
    return str(tuple(shape))


def type_text(value: Any) -> str:
    """What kind of thing a value is, for a message."""
    if isinstance(value, Opaque):
        return value.type_name
    if isinstance(value, Tensor):
        return f"a tensor of shape {shape_text(value.shape)}"
    return "None" if value is None else type(value).__name__


def _nest_text(value: Any) -> str:
    return f"a {type(value).__name__} of {len(value)}" if isinstance(value, (tuple, list)) else type_text(value)


def plain_number(value: Any) -> bool:
    """Whether a value is a python number (which stands for a 0-d tensor)."""
    return isinstance(value, (int, float, complex)) and not isinstance(value, bool)


def check_out_form(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """`out` is a tensor (or the nest that the definition gives) of the right shape."""
    expected, where = trial.reference.out, trial.case.name
    if not same_structure(trial.out, expected):
        text = f"{names.forward} returned {type_text(trial.out)} as out, expected {_nest_text(expected)}"
        yield failed("shape", "out", where, text, Kind.VALUE, Cause.WRONG_SHAPE)
        return
    for got, want in zip(leaves(trial.out), leaves(expected), strict=True):
        if plain_number(got) and want.dim() == 0:
            text = f"{names.forward} returned the python number {got!r}; return a 0-d tensor, which keeps its dtype"
            yield failed("type", names.forward, where, text, Kind.CONVENTION, Cause.WRONG_TYPE)
        elif not is_tensor(got):
            text = f"{names.forward} returned {type_text(got)} as out, expected a tensor of shape {shape_text(want.shape)}"
            yield failed("shape", "out", where, text, Kind.VALUE, Cause.WRONG_TYPE)
        elif got.shape != want.shape:
            text = f"out has shape {shape_text(got.shape)}, expected {shape_text(want.shape)}"
            yield failed("shape", "out", where, text, Kind.VALUE, Cause.WRONG_SHAPE)


def check_count(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """The backward returns one gradient per primal."""
    if trial.gradients or not trial.answers:
        return
    answer, wanted = trial.answers[0], ", ".join(f"d{name}" for name in names.wrt)
    if answer is None:
        text, cause = f"{names.backward} returned None, expected {wanted}: is a return missing?", Cause.RETURNS_NONE
    else:
        given = f"{len(answer)} values" if isinstance(answer, (tuple, list)) else type_text(answer)
        text, cause = f"{names.backward} returned {given}, expected {len(names.wrt)}: {wanted}", Cause.WRONG_ARITY
    for name in names.wrt:
        yield failed("returned", f"d{name}", trial.case.name, text, Kind.GRADIENT, cause)


def check_form(gradient: Gradient, expected: Any, trial: Trial, names: PairNames) -> Iterator[Finding]:
    """One gradient has the structure of its primal, is made of tensors, and is finite (beside an oracle's: where that is)."""
    subject, where = gradient.subject, trial.case.name
    primal = trial.case.point.primals[gradient.primal]
    if not same_structure(gradient.value, primal):
        text = f"{subject} is {_nest_text(gradient.value)}, expected the structure of {gradient.primal}: {_nest_text(primal)}"
        if gradient.value is None:
            text = f"{names.backward} returned None for {subject}"
        cause = Cause.RETURNS_NONE if gradient.value is None else Cause.WRONG_SHAPE
        yield failed("returned", subject, where, text, Kind.GRADIENT, cause)
        return
    for (path, got), want in zip(parts(gradient.value, subject, names), leaves(expected), strict=True):
        if plain_number(got) and want.dim() == 0:
            text = f"{path} is the python number {got!r}; return a 0-d tensor"
            yield failed("type", names.backward, where, text, Kind.CONVENTION, Cause.WRONG_TYPE)
        elif got is None:
            text = f"{names.backward} returned None for {path}"
            yield failed("returned", path, where, text, Kind.GRADIENT, Cause.RETURNS_NONE)
        elif not is_tensor(got):
            text = f"{path} is {type_text(got)}, expected a tensor of shape {shape_text(want.shape)}"
            yield failed("returned", path, where, text, Kind.GRADIENT, Cause.WRONG_TYPE)
        elif (
            is_differentiable(got)
            and not math.isfinite(largest(got))  # one operation, which a complex number may overflow
            and not bool(torch.isfinite(got).all())
            and (names.oracle is None or bool(torch.isfinite(want).all()))
        ):
            text = f"{path} has {int((~torch.isfinite(got)).sum())} of {got.numel()} entries that are not finite"
            yield failed("finite", path, where, text, Kind.GRADIENT, Cause.NOT_FINITE)


def check_float32(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """With float32 inputs `out` and every gradient are float32."""
    outs = zip(leaves(trial.out), leaves(trial.reference.out), strict=False)
    wrong = [
        (names.forward, "out", leaf.dtype)
        for leaf, want in outs
        if is_tensor(leaf) and is_tensor(want) and want.dtype is torch.float32 and leaf.dtype is not torch.float32
    ]
    for gradient in trial.gradients.values():
        primals = leaves(trial.case.point.primals[gradient.primal])
        wrong += [
            (names.backward, path, leaf.dtype)
            for (path, leaf), primal in zip(parts(gradient.value, gradient.subject, names), primals, strict=False)
            if is_tensor(leaf) and leaf.dtype is not (primal.dtype if primal.is_complex() else torch.float32)
        ]
    for function, subject, dtype in wrong[:1]:
        given = str(dtype).removeprefix("torch.")
        text = f"{subject} is {given} for float32 inputs; make new tensors with the dtype of the inputs"
        yield failed("keeps float32", function, trial.case.name, text, Kind.CONVENTION, Cause.WRONG_DTYPE)


# --- Linearity -------------------------------------------------------------------------------------------------------


def _form(leaf: Any) -> Any:
    """What does not depend on the cotangent: the shape, and whether there are fractions; a number stands for a 0-d tensor."""
    if isinstance(leaf, Tensor):
        return tuple(leaf.shape), leaf.is_floating_point() or leaf.is_complex()
    return ((), True) if plain_number(leaf) else type_text(leaf)


def check_linear(
    trial: Trial,
    rounding: Rounding,
    uses_single: UsesSingle,
    repeats: Mapping[str, Sequence[Tensor]],
    leave: Leave = NO_LEAVE,
) -> Iterator[Finding]:
    """v(αd₁ + βd₂ + γd₃) = αv(d₁) + βv(d₂) + γv(d₃), to rounding: a backward pass is linear in its cotangent.

    A constant c too much shows as (α + β + γ − 1) c, so that v(0) = 0 follows.
    `rounding` is asked where a gradient may be what cancellation has left; `repeats` and `leave` are what the user grants.
    """
    if len(trial.unpacked) < 4:
        return
    for subject, gradient in trial.gradients.items():
        values = [leaves(answer[subject].value) for answer in trial.unpacked[:4]]
        mismatch = None
        if len({tuple(map(_form, value)) for value in values}) > 1:
            text = f"{subject} has another shape or type for another dout; a backward is linear in its cotangent"
        else:
            granted = Granted(repeats.get(gradient.primal, ()), leave)
            mismatch = _nonlinear(trial, gradient.primal, list(zip(*values, strict=True)), rounding, uses_single, granted)
            text = (
                f"{subject} is not linear in dout: the backward of a sum of two upstream gradients must be the sum of the two "
                "backwards"
            )
            if mismatch is None:
                continue
        cause, says = Cause.NONLINEAR_IN_UPSTREAM, ""
        if mismatch is not None and all(map(equal_bits, values[1:], values)):
            cause = Cause.IGNORES_UPSTREAM
            says = f"{subject} is the same whatever dout is: the upstream gradient is not used. The chain rule multiplies by it."
        yield failed("linear in dout", subject, trial.case.name, text, Kind.GRADIENT, cause, says=says, mismatch=mismatch)


@dataclass(frozen=True)
class Granted:
    """What the user grants to the tensors of a gradient: differences of its repeats, and leave for every entry."""

    repeats: Sequence[Tensor]
    leave: Leave

    def to(self, place: int, expected: Tensor) -> Tensor | float:
        """The error that is granted to every entry of one tensor; 0 where nothing is."""
        noise = GAIN * largest(self.repeats[place]) if place < len(self.repeats) else 0.0
        return GAIN * self.leave.of(expected) + noise if self.leave else noise


def _nonlinear(
    trial: Trial, primal: str, rows: list[tuple[Any, ...]], rounding: Rounding, uses_single: UsesSingle, granted: Granted
) -> Mismatch | None:
    """The first tensor of a gradient whose v of the combination is off by more than rounding."""
    count = max((leaf.numel() for leaf in leaves(trial.out) if is_tensor(leaf)), default=1)
    for place, row in enumerate(rows):
        if not all(map(is_differentiable, row)):
            continue
        one, two, both, sparse = row
        expected = torch.add(sparse, one, alpha=WEIGHTS[0]).add_(two, alpha=WEIGHTS[1])
        sizes = [*map(largest, (one, two, sparse, both, both - expected))]
        if not math.isfinite(sizes[0]):
            continue  # said of this gradient already
        if not all(map(math.isfinite, sizes)):
            nans = (compare(answer, torch.zeros_like(answer), math.inf) for answer in (both, two, sparse))
            return next((found for found in nans if found is not None), None) or compare(both, expected, 0)
        size = sum(weight * part for weight, part in zip((*WEIGHTS, 1), sizes, strict=False)) / GAIN
        terms, off = max(count, one.numel()), sizes[4] / GAIN
        tolerance = of_its_size(size, terms)
        if off <= tolerance:
            continue
        value = natural_size(trial.reference.out, trial.douts[0], trial.case.point.primals[primal])
        noise = ROUNDINGS * max(rounding.largest(primal, place), EPS * value)  # a fused kernel rounds where nobody sees it
        coarse = of_its_size(size, terms, SINGLE_EPS) + SINGLE_EPS / EPS * noise
        if off <= tolerance + noise or (off <= coarse and uses_single(trial)):
            continue
        mismatch = compare(both, expected, GAIN * (tolerance + noise) + granted.to(place, expected))
        if mismatch is not None:
            return mismatch
    return None


# --- Side effects ----------------------------------------------------------------------------------------------------


def check_unchanged(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """Primals and `dout` are as they were; compared with copies."""
    for function, name in [(names.forward, name) for name in trial.changed] + [(names.backward, name) for name in trial.spoilt]:
        text = f"{name} was changed in place; make a new tensor instead, its owner still needs the old one"
        evidence = {"changed": name}
        yield failed("unmodified", function, trial.case.name, text, Kind.CONVENTION, Cause.MUTATES_INPUT, evidence=evidence)


def check_aliases(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """No gradient shares memory with a primal or with another gradient."""
    for pair in trial.aliases:
        text, evidence = f"{pair}: changing one later would change the other; return a copy", {"aliases": pair}
        yield failed("aliasing", names.backward, trial.case.name, text, Kind.CONVENTION, Cause.ALIASES_INPUT, evidence=evidence)


def check_repeatable(
    trial: Trial, names: PairNames, repeats: Mapping[str, Sequence[Tensor]], leave: Leave = NO_LEAVE
) -> Iterator[Finding]:
    """Two backward calls on the same inputs give the same bits, or what differs by no more than the user lets them."""
    again = trial.unpacked[-1] if len(trial.unpacked) > 4 else {}
    for subject in again:
        if equal_bits(trial.unpacked[0][subject].value, again[subject].value):
            continue
        off = max(map(largest, repeats.get(again[subject].primal, ())), default=math.inf)
        if off <= leave.nondet:
            yield passed(
                "repeatable", subject, trial.case.name, f"repeats differ by {off:.1g}, within nondet_tol", Kind.CONVENTION
            )
            continue
        text = f"{subject} differs between two calls with the same inputs: something is left over from the first call, or random"
        if names.oracle is None:
            apart = off if math.isfinite(off) else _apart(trial.unpacked[0][subject].value, again[subject].value)
            text += f" (by {apart:.1g}; where a device adds in any order, say how far it may differ with nondet_tol)"
        yield failed("repeatable", names.backward, trial.case.name, text, Kind.CONVENTION, Cause.NONDETERMINISTIC)
        return


def repeats(trial: Trial, candidate: PairCandidate, names: PairNames, leave: Leave) -> Mapping[str, list[Tensor]]:
    """By how much each tensor of each gradient differs over some repeats, by primal; empty where the user lets none differ."""
    if not leave.nondet or not trial.gradients:
        return {}
    found = {gradient.primal: leaves(gradient.value) for gradient in trial.gradients.values()}
    apart = {name: [torch.zeros_like(leaf).abs() for leaf in tensors if is_tensor(leaf)] for name, tensors in found.items()}
    # each cotangent is another object with the same numbers, so that nobody answers from memory
    douts = [map_leaves(lambda leaf: leaf.clone() if is_tensor(leaf) else leaf, trial.douts[0]) for _ in range(REPEATS)]
    outcome = candidate.vjp(names.forward, names.backward, trial.case.point, douts, wrt=names.wrt)
    for answer in outcome.value[1] if outcome.ok and outcome.value is not None else ():
        for subject, gradient in (unpack(answer, names.wrt) or {}).items():
            first = leaves(trial.gradients[subject].value)
            for place, (one, other) in enumerate(zip(first, leaves(gradient.value), strict=True)):
                if is_tensor(one) and one.shape == other.shape:
                    apart[gradient.primal][place] = torch.maximum(apart[gradient.primal][place], (one - other).abs())
    return apart


def _apart(one: Any, other: Any) -> float:
    pairs = zip(leaves(one), leaves(other), strict=True)
    return max((largest(a - b) for a, b in pairs if is_tensor(a) and is_tensor(b) and a.shape == b.shape), default=math.inf)


def jitter(trial: Trial) -> Any:
    """By how much the output differs from its repeat; None where it does not, or where it has another form."""
    if equal_bits(trial.out, trial.reference.out) or not same_structure(trial.out, trial.reference.out):
        return None
    return refilled(trial.out, map(_off, leaves(trial.out), leaves(trial.reference.out)))


def _off(leaf: Any, other: Any) -> Any:
    if not is_differentiable(leaf) or not is_tensor(other) or leaf.shape != other.shape:
        return leaf
    return torch.nan_to_num(leaf - other, 0.0, 0.0, 0.0)


def check_forward_repeatable(trial: Trial, leave: Leave = NO_LEAVE) -> Iterator[Finding]:
    """Two forward calls on the same inputs, with the same seed, give the same numbers but for their last bits."""
    where = trial.case.name
    if equal_bits(trial.out, trial.reference.out):
        yield passed("repeatable", "out", where, "the same twice")
        return
    off = jitter(trial)
    pairs = list(zip(leaves(off), leaves(trial.out), strict=True)) if off is not None else []
    fits = bool(pairs) and all(
        same.shape == one.shape and largest(error) <= max(leave.nondet, LAST_BITS * largest(torch.nan_to_num(one, 0.0, 0.0, 0.0)))
        for (error, one), same in zip(pairs, leaves(trial.reference.out), strict=True)
        if is_differentiable(one) and is_tensor(same)
    )
    if fits:
        size = max(largest(error) for error, one in pairs if is_differentiable(one))
        yield passed("repeatable", "out", where, f"differs from run to run by {size:.1g}, which enters the tolerance")
        return
    text = "out differs between two calls with the same inputs and the same seed: nothing can be compared with it"
    yield failed("repeatable", "out", where, text, Kind.VALUE, Cause.NONDETERMINISTIC)


def check_cache_reusable(outcome: Outcome, names: PairNames, probe: str) -> Iterator[Finding]:
    """A later backward with the same cache gives what the first one gave: `outcome` is of calls that shared it.

    The first and the last of them were given the same cotangent.
    """
    text = ""
    if outcome.value is not None and outcome.failure is not None and outcome.value[1]:
        text = f"a second {names.backward} with the same cache raised {outcome.failure.exception}: {outcome.failure.says}"
    elif outcome.ok and outcome.value is not None and not equal_bits(outcome.value[1][0], outcome.value[1][-1]):
        text = f"a second {names.backward} with the same cache gives another result: the backward changes its cache"
    if text:
        yield failed("cache reusable", names.backward, probe, text, Kind.CONVENTION, Cause.STALE_STATE)


def check_own_cache(outcome: Outcome, trial: Trial, names: PairNames) -> Iterator[Finding]:
    """The backward finds what it needs in its cache, also where the forward ran on other data since.

    `outcome` is of such a call, for the cotangent of the trial's first answer. Code that differs from run to run is left out.
    """
    if len(trial.unpacked) < 5 or outcome.value is None:
        return
    answered = unpack(outcome.value[1][0], names.wrt) if outcome.value[1] else None
    if answered is None and outcome.failure is None:
        return
    for subject, gradient in trial.unpacked[0].items():
        again = answered[subject].value if answered is not None else None
        if not equal_bits(gradient.value, trial.unpacked[-1][subject].value) or equal_bits(gradient.value, again):
            continue
        text = (
            f"{subject} changes when {names.forward} runs on other data before {names.backward}: keep what the backward needs "
            "in the cache, not in a variable outside it"
        )
        yield failed("own cache", subject, trial.case.name, text, Kind.GRADIENT, Cause.STALE_STATE)
