"""What a forward and a backward owe whatever their mathematics: named checks, each from a `Trial` to findings.

Cheap and structural; they come before any number is judged. A convention's finding names the function, never the gradient:
code that writes into `dout` or returns float64 for float32 may still have the right derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Failure, Opaque
from autograd_check.verify.case import PairNames
from autograd_check.verify.compare import compare
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Mismatch, Status
from autograd_check.verify.rounding import EPS, ROUNDINGS, SINGLE, Rounding, of_its_size
from autograd_check.verify.scale import largest_of, natural_size
from autograd_check.verify.tree import is_differentiable, is_tensor, leaves, same_structure
from autograd_check.verify.trial import LARGE, SMALL, WEIGHTS, Gradient, Trial, parts

UsesSingle = Callable[[Trial], bool]
"""Whether numbers of at most float32 take part for the float64 numbers of a trial; asked before an error is put down to that."""


_SAYS = {
    "not_implemented": "not written yet",
    "missing": "is not defined in this file",
    "crashed": "raised",
    "exited": "ended the program",
    "timed_out": "did not return in time",
    "died": "killed its own process",
    "forbidden_operation": "uses what this lesson forbids",
}


def failure_finding(
    check: str, subject: str, probe: str, function: str, failure: Failure, kind: Kind, means: Diagnosis | None = None
) -> Finding:
    """The finding for a call that gave no value; an unwritten function is `todo`, all else `failed`.

    `means` is the cause where the call can have failed for one reason only.
    """
    status = Status.TODO if failure.cause == Cause.NOT_IMPLEMENTED else Status.FAILED
    what = _SAYS.get(failure.cause, "gave no value")
    message = f"{function} {what}"
    if failure.cause == Cause.CRASHED and failure.exception:
        message = f"{function} raised {failure.exception}: {failure.says}"
    elif failure.says and status is not Status.TODO:
        message = f"{message}: {failure.says}" if failure.cause != Cause.MISSING else message
    if failure.where:
        message = f"{message} ({failure.where})"
    evidence = {"exception": failure.exception, "where": failure.where, "trace": failure.trace}
    says = failure.says or message
    return Finding(check, subject, probe, status, message, kind, None, means or Diagnosis(failure.cause, says, evidence))


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


def plain_number(value: Any) -> bool:
    """Whether a value is a python number (which stands for a 0-d tensor)."""
    return isinstance(value, (int, float, complex)) and not isinstance(value, bool)


def check_out_form(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """`out` is a tensor (or the nest that the definition gives) of the right shape."""
    expected = trial.reference.out
    where = trial.case.name
    if not same_structure(trial.out, expected):
        text = f"{names.forward} returned {type_text(trial.out)} as out, expected {_nest_text(expected)}"
        yield Finding("shape", "out", where, Status.FAILED, text, Kind.VALUE, None, Diagnosis(Cause.WRONG_SHAPE, text))
        return
    for got, want in zip(leaves(trial.out), leaves(expected), strict=True):
        if plain_number(got) and want.dim() == 0:
            text = f"{names.forward} returned the python number {got!r}; return a 0-d tensor, which keeps its dtype"
            yield Finding(
                "type", names.forward, where, Status.FAILED, text, Kind.CONVENTION, None, Diagnosis(Cause.WRONG_TYPE, text)
            )
        elif not is_tensor(got):
            text = f"{names.forward} returned {type_text(got)} as out, expected a tensor of shape {shape_text(want.shape)}"
            yield Finding("shape", "out", where, Status.FAILED, text, Kind.VALUE, None, Diagnosis(Cause.WRONG_TYPE, text))
        elif got.shape != want.shape:
            text = f"out has shape {shape_text(got.shape)}, expected {shape_text(want.shape)}"
            yield Finding("shape", "out", where, Status.FAILED, text, Kind.VALUE, None, Diagnosis(Cause.WRONG_SHAPE, text))


def _nest_text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return type_text(value)


def no_tensor(value: Any) -> Finding:
    """The finding about a callable that returns nothing with a derivative."""
    text = f"the function returned {type_text(value)}, expected a tensor, or several in a tuple: is a return missing?"
    return Finding(
        "returned", "out", "the given point", Status.FAILED, text, Kind.VALUE, None, Diagnosis(Cause.RETURNS_NONE, text)
    )


def check_count(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """The backward returns one gradient per primal."""
    if trial.gradients or not trial.answers:
        return
    answer = trial.answers[0]
    wanted = ", ".join(f"d{name}" for name in names.wrt)
    if answer is None:
        text = f"{names.backward} returned None, expected {wanted}: is a return missing?"
        cause = Cause.RETURNS_NONE
    else:
        given = f"{len(answer)} values" if isinstance(answer, (tuple, list)) else type_text(answer)
        text = f"{names.backward} returned {given}, expected {len(names.wrt)}: {wanted}"
        cause = Cause.WRONG_ARITY
    for name in names.wrt:
        yield Finding("returned", f"d{name}", trial.case.name, Status.FAILED, text, Kind.GRADIENT, None, Diagnosis(cause, text))


def check_form(gradient: Gradient, expected: Any, trial: Trial, names: PairNames) -> Iterator[Finding]:
    """One gradient has the structure of its primal, is made of tensors, and is finite. Shapes: `check_shape`."""
    subject, where = gradient.subject, trial.case.name
    primal = trial.case.point.primals[gradient.primal]
    if not same_structure(gradient.value, primal):
        text = f"{subject} is {_nest_text(gradient.value)}, expected the structure of {gradient.primal}: {_nest_text(primal)}"
        if gradient.value is None:
            text = f"{names.backward} returned None for {subject}"
        cause = Cause.RETURNS_NONE if gradient.value is None else Cause.WRONG_SHAPE
        yield Finding("returned", subject, where, Status.FAILED, text, Kind.GRADIENT, None, Diagnosis(cause, text))
        return
    named = parts(gradient.value, subject, names)
    for (path, got), want in zip(named, leaves(expected), strict=True):
        if plain_number(got) and want.dim() == 0:
            text = f"{path} is the python number {got!r}; return a 0-d tensor"
            yield Finding(
                "type", names.backward, where, Status.FAILED, text, Kind.CONVENTION, None, Diagnosis(Cause.WRONG_TYPE, text)
            )
        elif not is_tensor(got):
            text = f"{path} is {type_text(got)}, expected a tensor of shape {shape_text(want.shape)}"
            if got is None:
                text = f"{names.backward} returned None for {path}"
            cause = Cause.RETURNS_NONE if got is None else Cause.WRONG_TYPE
            yield Finding("returned", path, where, Status.FAILED, text, Kind.GRADIENT, None, Diagnosis(cause, text))
        elif not bool(torch.isfinite(got).all()) and bool(torch.isfinite(want).all()):
            bad = int((~torch.isfinite(got)).sum())
            text = f"{path} has {bad} of {got.numel()} entries that are not finite"
            yield Finding("finite", path, where, Status.FAILED, text, Kind.GRADIENT, None, Diagnosis(Cause.NOT_FINITE, text))


def _form(leaf: Any) -> Any:
    """What does not depend on the cotangent: the shape, and whether there are fractions; a number stands for a 0-d tensor."""
    if isinstance(leaf, Tensor):
        return tuple(leaf.shape), leaf.is_floating_point() or leaf.is_complex()
    return ((), True) if plain_number(leaf) else type_text(leaf)


def check_linear(trial: Trial, rounding: Rounding, uses_single: UsesSingle) -> Iterator[Finding]:
    """v(αd₁ + βd₂ + γd₃) = αv(d₁) + βv(d₂) + γv(d₃), to rounding: a backward pass is linear in its cotangent.

    A constant c too much shows as (α + β + γ − 1) c, so that v(0) = 0 follows.
    `rounding` is asked where a gradient may be what cancellation has left.
    """
    if len(trial.unpacked) < 4:
        return
    for subject, gradient in trial.gradients.items():
        values = [leaves(answer[subject].value) for answer in trial.unpacked[:4]]
        if len({tuple(map(_form, value)) for value in values}) > 1:
            text = f"{gradient.subject} has another shape or type for another dout; a backward is linear in its cotangent"
            diagnosis = Diagnosis(Cause.NONLINEAR_IN_UPSTREAM, text)
            yield Finding("linear in dout", subject, trial.case.name, Status.FAILED, text, Kind.GRADIENT, None, diagnosis)
            continue
        mismatch = _nonlinear(trial, gradient.primal, list(zip(*values, strict=True)), rounding, uses_single)
        if mismatch is not None:
            text = (
                f"{gradient.subject} is not linear in dout: the backward of a sum of two upstream gradients "
                "must be the sum of the two backwards"
            )
            diagnosis = Diagnosis(Cause.NONLINEAR_IN_UPSTREAM, text)
            yield Finding("linear in dout", subject, trial.case.name, Status.FAILED, text, Kind.GRADIENT, mismatch, diagnosis)


GAIN = 2 * (WEIGHTS[0] + LARGE * WEIGHTS[1] + SMALL * WEIGHTS[2])
"""The size of all that the linearity check adds up, in sizes of the first cotangent."""


def _nonlinear(
    trial: Trial, primal: str, rows: list[tuple[Any, ...]], rounding: Rounding, uses_single: UsesSingle
) -> Mismatch | None:
    """The first tensor of a gradient whose v of the combination is off by more than rounding."""
    count = max((leaf.numel() for leaf in leaves(trial.out) if is_tensor(leaf)), default=1)
    for place, row in enumerate(rows):
        if not all(map(is_differentiable, row)):
            continue
        one, two, both, sparse = row
        expected = torch.add(sparse, one, alpha=WEIGHTS[0]).add_(two, alpha=WEIGHTS[1])
        sizes = largest_of([one, two, sparse, both, both - expected])
        if not math.isfinite(sizes[0]):
            continue  # said of this gradient already
        if not all(map(math.isfinite, sizes)):
            nans = (compare(answer, torch.zeros_like(answer), math.inf) for answer in (both, two, sparse))
            return next((found for found in nans if found is not None), None) or compare(both, expected, 0.0)
        size = sum(weight * part for weight, part in zip((*WEIGHTS, 1.0), sizes, strict=False)) / GAIN
        terms = max(count, one.numel())
        off = sizes[4] / GAIN
        tolerance = of_its_size(size, terms)
        if off <= tolerance:
            continue
        value = natural_size(trial.reference.out, trial.douts[0], trial.case.point.primals[primal])
        noise = ROUNDINGS * max(rounding.largest(primal, place), EPS * value)  # a fused kernel rounds where nobody sees it
        tolerance += noise
        coarse = of_its_size(size, terms, SINGLE) + SINGLE / EPS * noise
        if off <= tolerance or (off <= coarse and uses_single(trial)):
            continue
        return compare(both, expected, GAIN * tolerance)
    return None


def check_float32(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """With float32 inputs `out` and every gradient are float32."""
    wrong = [
        (names.forward, "out", leaf.dtype)
        for leaf, want in zip(leaves(trial.out), leaves(trial.reference.out), strict=False)
        if is_tensor(leaf) and is_tensor(want) and want.dtype is torch.float32 and leaf.dtype is not torch.float32
    ]
    wrong += [
        (names.backward, path, leaf.dtype)
        for gradient in trial.gradients.values()
        for (path, leaf), primal in zip(
            parts(gradient.value, gradient.subject, names), leaves(trial.case.point.primals[gradient.primal]), strict=False
        )
        if is_tensor(leaf) and leaf.dtype is not (primal.dtype if primal.is_complex() else torch.float32)
    ]
    for function, subject, dtype in wrong[:1]:
        text = (
            f"{subject} is {str(dtype).removeprefix('torch.')} for float32 inputs; make new tensors with the dtype of the inputs"
        )
        yield Finding(
            "keeps float32",
            function,
            trial.case.name,
            Status.FAILED,
            text,
            Kind.CONVENTION,
            None,
            Diagnosis(Cause.WRONG_DTYPE, text),
        )
