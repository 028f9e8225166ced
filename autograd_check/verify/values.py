"""Values against the reference: the forward's output and every gradient at every entry, and conventions judged alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Point
from autograd_check.verify.case import PairNames
from autograd_check.verify.compare import compare, gradient_tolerance
from autograd_check.verify.contract import UsesSingle, check_form, plain_number, shape_text
from autograd_check.verify.evidence import Evidence
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Mismatch, Status
from autograd_check.verify.oracle import oracle_vjp
from autograd_check.verify.tree import is_tensor, leaves, map_tensors
from autograd_check.verify.trial import Gradient, Trial, parts

FLOAT64 = "keeps float64"
"""The check about values and gradients that are right to float32 only."""

SINGLE = 4e-6
"""Largest error, relative to the largest entry, that a few float32 temporaries explain (2⁻²⁴ times a few dozen roundings)."""


HALF_UNIT = 2.0**-24
"""Half a unit in the last place of float32: how far a constant moves that is made without a dtype."""

UNSEEN = 4 * HALF_UNIT
"""Error, relative to the largest entry, that is put down to float32 without a witness."""

NEGLIGIBLE = 1e-11
"""An error relative to the largest entry that is no mistake: what a 1e-12 does that keeps a quotient or a logarithm finite."""

SIX_DIGITS = 1e-6
"""How far an entry may be off, relative to itself, where the error is negligible beside the largest entry."""


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
            mismatch = compare(got.to(torch.float64), want.to(torch.float64), 0.0)
        else:
            mismatch = _differs(got, want, spread)
        if mismatch is None:
            continue
        coarse = _right_to_float32(names.forward, "out", got, want, trial, uses_single)
        if coarse is not None:
            yield coarse
            continue
        text = f"out is wrong: {mismatch_text(mismatch)}"
        yield Finding("value", "out", trial.case.name, Status.FAILED, text, Kind.VALUE, mismatch, None)
        return
    yield Finding("value", "out", trial.case.name, Status.PASSED, "matches the definition", Kind.VALUE)


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
            text = f"{path} has shape {shape_text(got.shape)}, expected {shape_text(want.shape)}, the shape of {path[1:]}"
            diagnosis = Diagnosis(Cause.WRONG_SHAPE, text, {"got": list(got.shape), "expected": list(want.shape)})
            yield Finding("shape", path, trial.case.name, Status.FAILED, text, Kind.GRADIENT, None, diagnosis)


def _check_leaf(
    path: str, got: Any, want: Tensor, spread: Any, trial: Trial, names: PairNames, uses_single: UsesSingle
) -> list[Finding]:
    """The findings about one tensor of a gradient, the verdict first."""
    got = _as_tensor(got, want)
    where = trial.case.name
    if got.shape != want.shape:
        return [_shape_finding(path, got, want, spread, trial)]
    mismatch = _differs(got, want, spread)
    if mismatch is None:
        return [Finding("autograd", path, where, Status.PASSED, "matches autograd", Kind.GRADIENT)]
    coarse = _right_to_float32(names.backward, path, got, want, trial, uses_single)
    if coarse is not None:
        return [Finding("autograd", path, where, Status.PASSED, "matches autograd to float32", Kind.GRADIENT), coarse]
    diagnosis = None if got.is_floating_point() or got.is_complex() else _whole_numbers(path, got, want)
    return [Finding("autograd", path, where, Status.FAILED, mismatch_text(mismatch), Kind.GRADIENT, mismatch, diagnosis)]


def _whole(subject: str, verdicts: Sequence[Finding], trial: Trial) -> Finding:
    """The one finding about a gradient of many parts (`dparams`)."""
    wrong = [finding for finding in verdicts if finding.status is Status.FAILED]
    if not wrong:
        text = f"all {len(verdicts)} parts match autograd"
        return Finding("autograd", subject, trial.case.name, Status.PASSED, text, Kind.GRADIENT)
    named = ", ".join(finding.subject for finding in wrong[:4]) + (" and more" if len(wrong) > 4 else "")
    text = f"{len(wrong)} of {len(verdicts)} parts are wrong: {named}"
    return Finding("autograd", subject, trial.case.name, Status.FAILED, text, Kind.GRADIENT, wrong[0].mismatch)


def _shape_finding(path: str, got: Tensor, want: Tensor, spread: Any, trial: Trial) -> Finding:
    primal = path[1:]
    text = f"{path} has shape {shape_text(got.shape)}, expected {shape_text(want.shape)}, the shape of {primal}"
    diagnosis = None
    if got.numel() == want.numel() and compare(got.reshape(want.shape), want, gradient_tolerance(want, spread)) is None:
        says = (
            f"The values of {path} are right; only its shape is {shape_text(got.shape)} where {primal} has "
            f"{shape_text(want.shape)}. Return reshape({path}, {primal}.shape), or sum without keepdim."
        )
        squeezed = [size for size in got.shape if size != 1] == [size for size in want.shape if size != 1]
        diagnosis = (
            Diagnosis(Cause.WRONG_SHAPE, says, {"got": list(got.shape), "expected": list(want.shape)}) if squeezed else None
        )
    return Finding("shape", path, trial.case.name, Status.FAILED, text, Kind.GRADIENT, None, diagnosis)


def _as_tensor(got: Any, want: Tensor) -> Tensor:
    return got if is_tensor(got) else torch.as_tensor(got if plain_number(got) else float("nan"), dtype=want.dtype)


def _whole_numbers(path: str, got: Tensor, want: Tensor) -> Diagnosis:
    own, right = (str(tensor.dtype).removeprefix("torch.") for tensor in (got, want))
    return Diagnosis(
        Cause.WRONG_DTYPE, f"{path} is {own}, which has no fractions; a gradient has the dtype of its primal, {right}."
    )


def _right_to_float32(
    function: str, path: str, got: Tensor, want: Tensor, trial: Trial, uses_single: UsesSingle
) -> Finding | None:
    """The finding about numbers that are as wrong as float32 would make them; None where they are simply wrong.

    float32 is blamed where it took part. What is as small as its rounding and has another source is right enough for the
    verdict of the definition; whether it fits the code's own forward is left to finite differences.
    """
    if not looks_single(got, want):
        return None
    error = float((got.to(want.dtype) - want).abs().max()) / float(want.abs().max())
    if uses_single(trial):
        text = (
            f"{path} is right to float32 only, though the inputs are float64: look for .float(), float32 or torch.tensor(...) "
            "without a dtype, or for a mask (a bool or an int tensor) times or divided by a python number"
        )
    elif error <= UNSEEN:
        text = (
            f"{path} is off by {error:.1g} of its largest entry, and torch saw no float32: look for a small constant that the "
            "definition does not have, or for numpy arrays of float32"
        )
    else:
        return None
    diagnosis = Diagnosis(Cause.WRONG_DTYPE, text, {"subject": path})
    return Finding(FLOAT64, function, trial.case.name, Status.FAILED, text, Kind.CONVENTION, None, diagnosis)


def rounds_to_single(got: Tensor, want: Tensor, seen: Callable[[], bool]) -> bool:
    """Whether `got` differs from `want` as float32 on the way makes it differ, and float32 was on the way.

    `seen` says whether it took part. An error of `UNSEEN` at most needs no witness: numpy and math show no dtype to torch.
    """
    if not looks_single(got, want):
        return False
    return float((got.to(want.dtype) - want).abs().max()) <= UNSEEN * float(want.abs().max()) or seen()


def narrowed(function: str) -> Finding:
    """The finding about code whose float64 numbers become float32 on the way, where nobody has a definition to hold it against."""
    text = "converts to float32 or less on the way, whatever the dtype of its inputs"
    return Finding(FLOAT64, function, "", Status.FAILED, text, Kind.CONVENTION, None, Diagnosis(Cause.WRONG_DTYPE, text))


def looks_single(got: Tensor, want: Tensor) -> bool:
    """Whether `got` differs from `want` as float32 on the way would make it differ.

    Either temporaries (every entry a little, at random) or constants (many entries by less than half a unit of float32).
    A single wrong entry, or one factor of more than that, does not look like this.
    """
    if got.is_complex() != want.is_complex() or not want.numel():
        return False
    if not bool(torch.isfinite(got).all()) or not bool(torch.isfinite(want).all()):
        return False
    error = (got.to(want.dtype) - want).abs()
    if float(error.max()) > SINGLE * float(want.abs().max()):
        return False
    if got.dtype in (torch.float32, torch.complex64) and want.dtype in (torch.float64, torch.complex128):
        return True
    present = want.abs() > 0
    relative = error[present] / want[present].abs()
    if relative.numel() <= 1:
        return bool(got.to(torch.float32).to(want.dtype).equal(got)) or float(relative.sum()) <= 4 * HALF_UNIT
    often = float((relative > 1e-11).to(torch.float64).mean()) > 0.3
    uneven = relative.numel() > 1 and float(relative.std()) > 0.05 * float(relative.mean())
    return often and (uneven or float(relative.max()) <= HALF_UNIT)


def mismatch_text(mismatch: Mismatch) -> str:
    """`12 of 12 entries differ, worst at [1, 2]: yours 0.2058, expected 0.8231`."""
    entries = "entry differs" if mismatch.total == 1 else "entries differ"
    where = f", worst at {list(mismatch.index)}" if mismatch.index else ""
    got, expected = number_pair(mismatch.got, mismatch.expected)
    return f"{mismatch.wrong} of {mismatch.total} {entries}{where}: yours {got}, expected {expected}"


def _floating(leaf: Any) -> Any:
    """Integers and booleans as float64, which diagnoses can calculate with; anything else as it is."""
    whole = is_tensor(leaf) and not leaf.is_floating_point() and not leaf.is_complex()
    return leaf.to(torch.float64) if whole else leaf


def number_pair(got: float | complex, expected: float | complex) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see them differ, at least four."""
    for digits in range(4, 18):
        pair = f"{got:.{digits}g}", f"{expected:.{digits}g}"
        if pair[0] != pair[1] and digits >= _first_difference(got, expected):
            return pair
    return repr(got), repr(expected)


def _first_difference(got: float | complex, expected: float | complex) -> int:
    size = abs(expected) or abs(got)
    error = abs(got - expected)
    if not size or not error or size - size != 0 or error - error != 0:
        return 4
    digits = 1
    while digits < 17 and error < size * 10.0**-digits:
        digits += 1
    return digits + 1


def evidence(path: str, trial: Trial, names: PairNames, own: Any, forward_right: bool) -> Evidence | None:
    """The material for a diagnosis of one wrong gradient (`path` is its subject), or None where it is no tensor."""

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
