"""Every entry against the reference: the forward's output, every gradient, and conventions, which are judged alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify.contract import check_form, plain_number, shape_text
from autograd_check.verify.finding import Finding, Kind, Mismatch, Status, failed, passed
from autograd_check.verify.precision import is_unseen, looks_single
from autograd_check.verify.tensors import compare, is_tensor, largest, leaves, mismatch_text
from autograd_check.verify.tolerances import NEGLIGIBLE, SIX_DIGITS, gradient_tolerance
from autograd_check.verify.trial import Gradient, PairNames, Trial, UsesSingle, parts

FLOAT64 = "keeps float64"
"""The check about values and gradients that are right to float32 only."""


def _differs(got: Tensor, want: Tensor, spread: Any) -> Mismatch | None:
    """The mismatch of an array with the expected one, unless it is negligible and every entry is right to six digits."""
    tolerance = gradient_tolerance(want, spread)
    mismatch = compare(got, want, tolerance)
    if mismatch is None or not mismatch.relative_error <= SIX_DIGITS:
        return mismatch
    size = torch.nan_to_num(want.abs(), nan=0.0, posinf=0.0)
    return compare(got, want, tolerance.maximum(torch.minimum(SIX_DIGITS * size, NEGLIGIBLE * size.max())))


def check_out(trial: Trial, names: PairNames, uses_single: UsesSingle) -> Iterator[Finding]:
    """The forward's value against the oracle's."""
    triples = zip(leaves(trial.out), leaves(trial.reference.out), leaves(trial.reference.out_spread), strict=True)
    for got, want, spread in triples:
        got = _as_tensor(got, want)
        if not want.is_floating_point() and not want.is_complex():
            mismatch = compare(got.to(torch.float64), want.to(torch.float64), 0)
        else:
            mismatch = _differs(got, want, spread)
        if mismatch is None:
            continue
        coarse = _right_to_float32(names.forward, "out", got, want, trial, uses_single)
        if coarse is None:
            yield failed("value", "out", trial.case.name, f"out is wrong: {mismatch_text(mismatch)}", mismatch=mismatch)
            return
        yield coarse
    yield passed("value", "out", trial.case.name, "matches the definition")


def check_gradient(gradient: Gradient, trial: Trial, names: PairNames, uses_single: UsesSingle) -> Iterator[Finding]:
    """One gradient against autograd of the oracle, leaf by leaf: form, shape, then every entry."""
    expected = trial.reference.grads[gradient.subject]
    problems = list(check_form(gradient, expected, trial, names))
    yield from problems
    broken = [finding for finding in problems if finding.kind is Kind.GRADIENT]
    if broken:
        if not any(finding.subject == gradient.subject for finding in broken):
            yield replace(broken[0], subject=gradient.subject)
        return
    spreads = leaves(trial.reference.grad_spread[gradient.subject])
    named = parts(gradient.value, gradient.subject, names)
    found = [
        _check_leaf(path, got, want, spread, trial, names, uses_single)
        for (path, got), want, spread in zip(named, leaves(expected), spreads, strict=True)
    ]
    yield from (finding for findings in found for finding in findings)
    if [path for path, _ in named] != [gradient.subject]:
        yield _whole(gradient.subject, [findings[0] for findings in found], trial)


def check_gradient_form(gradient: Gradient, trial: Trial, names: PairNames) -> Iterator[Finding]:
    """Without an oracle: the gradient has the structure and the shapes of its primal, and is finite."""
    primal = trial.case.point.primals[gradient.primal]
    problems = list(check_form(gradient, primal, trial, names))
    yield from problems
    if any(finding.kind is Kind.GRADIENT for finding in problems):
        return
    for (path, got), want in zip(parts(gradient.value, gradient.subject, names), leaves(primal), strict=True):
        if is_tensor(want) and is_tensor(got) and got.shape != want.shape:
            evidence = {"got": list(got.shape), "expected": list(want.shape)}
            text = _other_shape(path, got, want)
            yield failed("shape", path, trial.case.name, text, Kind.GRADIENT, Cause.WRONG_SHAPE, evidence=evidence)


def _check_leaf(
    path: str, got: Any, want: Tensor, spread: Any, trial: Trial, names: PairNames, uses_single: UsesSingle
) -> list[Finding]:
    """The findings about one tensor of a gradient, the verdict first."""
    got, where = _as_tensor(got, want), trial.case.name
    if got.shape != want.shape:
        return [_shape_finding(path, got, want, spread, trial)]
    mismatch = _differs(got, want, spread)
    if mismatch is None:
        return [passed("autograd", path, where, "matches autograd", Kind.GRADIENT)]
    coarse = _right_to_float32(names.backward, path, got, want, trial, uses_single)
    if coarse is not None:
        return [passed("autograd", path, where, "matches autograd to float32", Kind.GRADIENT), coarse]
    cause, says = None, ""
    if not got.is_floating_point() and not got.is_complex():
        own, right = (str(tensor.dtype).removeprefix("torch.") for tensor in (got, want))
        cause = Cause.WRONG_DTYPE
        says = f"{path} is {own}, which has no fractions; a gradient has the dtype of its primal, {right}."
    return [failed("autograd", path, where, mismatch_text(mismatch), Kind.GRADIENT, cause, says=says, mismatch=mismatch)]


def _whole(subject: str, verdicts: Sequence[Finding], trial: Trial) -> Finding:
    """The one finding about a gradient of many parts (`dparams`)."""
    wrong = [finding for finding in verdicts if finding.status is Status.FAILED]
    if not wrong:
        return passed("autograd", subject, trial.case.name, f"all {len(verdicts)} parts match autograd", Kind.GRADIENT)
    named = ", ".join(finding.subject for finding in wrong[:4]) + (" and more" if len(wrong) > 4 else "")
    text = f"{len(wrong)} of {len(verdicts)} parts are wrong: {named}"
    return failed("autograd", subject, trial.case.name, text, Kind.GRADIENT, mismatch=wrong[0].mismatch)


def _other_shape(path: str, got: Tensor, want: Tensor) -> str:
    return f"{path} has shape {shape_text(got.shape)}, expected {shape_text(want.shape)}, the shape of {path[1:]}"


def _shape_finding(path: str, got: Tensor, want: Tensor, spread: Any, trial: Trial) -> Finding:
    cause, says, primal = None, "", path[1:]
    evidence = {"got": list(got.shape), "expected": list(want.shape)}
    squeezed = [size for size in got.shape if size != 1] == [size for size in want.shape if size != 1]
    if squeezed and compare(got.reshape(want.shape), want, gradient_tolerance(want, spread)) is None:
        cause = Cause.WRONG_SHAPE
        says = (
            f"The values of {path} are right; only its shape is {shape_text(got.shape)} where {primal} has "
            f"{shape_text(want.shape)}. Return reshape({path}, {primal}.shape), or sum without keepdim."
        )
    text = _other_shape(path, got, want)
    return failed("shape", path, trial.case.name, text, Kind.GRADIENT, cause, says=says, evidence=evidence)


def _as_tensor(got: Any, want: Tensor) -> Tensor:
    return got if is_tensor(got) else torch.as_tensor(got if plain_number(got) else float("nan"), dtype=want.dtype)


def _right_to_float32(
    function: str, path: str, got: Tensor, want: Tensor, trial: Trial, uses_single: UsesSingle
) -> Finding | None:
    """The finding about numbers that are as wrong as float32 would make them; None where they are simply wrong.

    float32 is blamed where it took part. What is as small as its rounding and has another source is right enough for the
    verdict of the definition; whether it fits the code's own forward is left to finite differences.
    """
    if not looks_single(got, want):
        return None
    if uses_single(trial):
        text = (
            f"{path} is right to float32 only, though the inputs are float64: look for .float(), for float32, for a new "
            "tensor without a dtype (torch.zeros, torch.tensor), or for a mask (a bool or an int tensor) times or divided by a python number"
        )
    elif is_unseen(got, want):
        text = (
            f"{path} is off by {largest(got.to(want.dtype) - want) / largest(want):.1g} of its largest entry, and no float32 "
            "was seen: look for a small constant that the definition does not have, or for numpy arrays of float32"
        )
    else:
        return None
    kind, cause, evidence = Kind.CONVENTION, Cause.WRONG_DTYPE, {"subject": path}
    return failed(FLOAT64, function, trial.case.name, text, kind, cause, evidence=evidence)


def narrowed(function: str) -> Finding:
    """The finding about code whose float64 numbers become float32 on the way, where nobody has a definition to hold it against."""
    text = "converts to float32 or less on the way, whatever the dtype of its inputs"
    return failed(FLOAT64, function, "", text, Kind.CONVENTION, Cause.WRONG_DTYPE)
