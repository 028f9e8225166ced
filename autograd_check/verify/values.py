"""Every entry against the reference: the forward's output, every gradient, and conventions, which are judged alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Point
from autograd_check.verify.contract import check_form, plain_number, shape_text
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Mismatch, Status, failed, passed
from autograd_check.verify.precision import is_unseen, looks_single
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.tensors import compare, is_tensor, largest, leaves, map_tensors, mismatch_text
from autograd_check.verify.tolerances import NEGLIGIBLE, SIX_DIGITS, gradient_tolerance
from autograd_check.verify.trial import Gradient, PairNames, Trial, UsesSingle, parts

FLOAT64 = "keeps float64"
"""The check about values and gradients that are right to float32 only."""


@dataclass(frozen=True)
class Evidence:
    """A wrong array beside the right one, and the call it came from: the material from which a diagnosis is made.

    `subject` is what the array is ("dw"), `got` and `expected` the two arrays (shapes may differ), `primals`, `hyper`,
    `out` and `dout` the call. `vjp` gives all right gradients by subject for another cotangent at the same point.
    `own` is autograd of the code's own forward for this subject (None where it could not be taped), `forward_right` whether
    the forward's value was right. `at` gives the right answers by subject, `out` included, of another call
    (primals, hyper, dout); None where there is no definition to ask. `called` is what a sentence calls the array where that
    is not its subject.
    """

    subject: str
    got: Tensor
    expected: Tensor
    primals: Mapping[str, Any]
    hyper: Mapping[str, Any]
    out: Any
    dout: Any
    vjp: Callable[[Any], Mapping[str, Any]]
    got_all: Mapping[str, Any]
    own: Tensor | None = None
    forward_right: bool = True
    probe: str = ""
    at: Callable[[Mapping[str, Any], Mapping[str, Any], Any], Mapping[str, Any]] | None = None
    called: str = ""

    @property
    def name(self) -> str:
        """What a sentence calls the array."""
        return self.called or self.subject

    @property
    def is_empty(self) -> bool:
        """Whether an array has no entries (an axis of length 0): then anything is true of all of them, and nothing is known."""
        return self.got.numel() == 0 or self.expected.numel() == 0


Explain = Callable[[Sequence[Evidence]], Diagnosis | None]
"""Finds the cause of a wrong gradient from all cases in which it was wrong."""


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
    problems = list(check_form(gradient, map_tensors(torch.zeros_like, primal), trial, names))
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
            f"{path} is right to float32 only, though the inputs are float64: look for .float(), float32 or torch.tensor(...) "
            "without a dtype, or for a mask (a bool or an int tensor) times or divided by a python number"
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


def evidence(path: str, trial: Trial, names: PairNames, own: Any, forward_right: bool) -> Evidence | None:
    """The material for a diagnosis of one wrong gradient (`path` is its subject), or None where it is not a tensor."""

    def flat(grads: Any) -> dict[str, Any]:
        return {leaf_path: leaf for subject, value in grads.items() for leaf_path, leaf in parts(value, subject, names)}

    def vjp(dout: Any) -> dict[str, Any]:
        _, grads = oracle_vjp(names.oracle, trial.case.point, names.wrt, dout)
        return flat({f"d{name}": grad for name, grad in grads.items()})

    def at(primals: Mapping[str, Any], hyper: Mapping[str, Any], dout: Any) -> dict[str, Any]:
        out, grads = oracle_vjp(names.oracle, Point(primals, hyper), names.wrt, dout)
        return {"out": out, **flat({f"d{name}": grad for name, grad in grads.items()})}

    got = flat({subject: gradient.value for subject, gradient in trial.gradients.items()})
    expected = flat(trial.reference.grads)
    if is_tensor(trial.out) and is_tensor(trial.reference.out):
        got["out"], expected["out"] = trial.out, trial.reference.out
    if path not in expected or not is_tensor(got.get(path)):
        return None
    got = {name: _floating(leaf) for name, leaf in got.items()}
    tape = flat(own).get(path) if own else None
    return Evidence(
        subject=path,
        got=got[path],
        expected=expected[path],
        primals=trial.case.point.primals,
        hyper=trial.case.point.hyper,
        out=trial.reference.out,
        dout=trial.douts[0],
        vjp=vjp,
        got_all=got,
        own=tape if is_tensor(tape) else None,
        forward_right=forward_right,
        probe=trial.case.name,
        at=at,
    )


def _floating(leaf: Any) -> Any:
    """Integers and booleans as float64, which diagnoses can calculate with; anything else as it is."""
    whole = is_tensor(leaf) and not leaf.is_floating_point() and not leaf.is_complex()
    return leaf.to(torch.float64) if whole else leaf
