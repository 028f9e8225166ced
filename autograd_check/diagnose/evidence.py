"""Evidence: wrong arrays beside right ones, taken from trials, and the causes that are found from it attached to findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import floating
from autograd_check.verify.candidate import Point
from autograd_check.verify.check import Explainer, Pair
from autograd_check.verify.finding import Diagnosis, Finding, Source, Status, root_subject
from autograd_check.verify.locate import Suspect
from autograd_check.verify.memo import Memo
from autograd_check.verify.reference import oracle_tape
from autograd_check.verify.tensors import is_tensor, leaves
from autograd_check.verify.tolerances import AGREES
from autograd_check.verify.trial import PairNames, Trial, parts

Around = Callable[[], AbstractContextManager[Any]]
"""What stands around the forward of the definition when it is asked."""


@dataclass(frozen=True)
class Evidence:
    """A wrong array beside the right one, and the call it came from: the material from which a diagnosis is made.

    `subject` is what the array is ("dw"), `got` and `expected` the two arrays (shapes may differ), `primals`, `hyper`,
    `out` and `dout` the call. `vjp` gives all right gradients by subject for another cotangent at the same point.
    `own` is autograd of the code's own forward for this subject (None where it could not be taped), `forward_right` whether
    the forward's value was right. `at` gives the right answers by subject, `out` included, of another call
    (primals, hyper, dout, and what stands around the forward); a `dout` that can be called is given `out`. None where there is no
    definition to ask. `called` is what a sentence calls the array where that is not its subject, `right` what it calls `expected`. `memo` holds what the definition said about this call to others.
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
    at: Callable[..., Mapping[str, Any]] | None = None
    called: str = ""
    right: str = "the right value"
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What a sentence calls the array."""
        return self.called or self.subject

    @property
    def is_complex(self) -> bool:
        """Whether complex numbers take part."""
        arrays = (self.got, self.expected, *leaves(self.dout), *leaves(dict(self.primals)))
        return any(isinstance(array, Tensor) and array.is_complex() for array in arrays)

    @property
    def is_empty(self) -> bool:
        """Whether an array has no entries (an axis of length 0): then anything is true of all of them, and nothing is known."""
        return self.got.numel() == 0 or self.expected.numel() == 0


EXPLAINED = ("autograd", "shape", "value")
"""The checks whose failures are compared with the reference, so that their cause can be looked for."""


@dataclass(frozen=True)
class Explained(Explainer):
    """What attaches causes to findings: `explain` finds one from all cases in which an array was wrong."""

    explain: Callable[[Sequence[Evidence]], Diagnosis | None]

    def findings(self, pair: Pair, trials: Sequence[Trial], findings: list[Finding]) -> list[Finding]:
        """The findings, with a diagnosis for every wrong value and gradient."""
        forward_right = not any(f.subject == "out" and f.status is Status.FAILED for f in findings)
        by_probe = {trial.case.name: trial for trial in trials}
        wrong: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.status is Status.FAILED and finding.check in EXPLAINED and finding.diagnosis is None:
                wrong.setdefault(finding.subject, []).append(finding)
        probes = dict.fromkeys(finding.probe for found in wrong.values() for finding in found)
        tapes = {probe: _tape(pair, by_probe[probe]) for probe in probes}
        nonlinear = {f.subject: f.diagnosis for f in findings if f.check == "linear in dout" and f.status is Status.FAILED}
        causes: dict[str, Diagnosis | None] = {}
        for subject, found in wrong.items():
            pieces = [evidence(subject, by_probe[f.probe], pair.names, tapes[f.probe], forward_right, pair.memo) for f in found]
            cause = self.explain([piece for piece in pieces if piece is not None])
            certain = cause is not None and (cause.cause is Cause.IGNORES_UPSTREAM or cause.source is Source.FINGERPRINT)
            root = root_subject(subject)
            causes[subject] = nonlinear[root] if root in nonlinear and not certain else cause
        for subject in wrong:
            if causes[subject] is None:  # the whole of a nested gradient: what is wrong with its first wrong part
                parts_of = (causes[part] for part in wrong if root_subject(part) == subject and causes[part] is not None)
                causes[subject] = next(parts_of, None)
        return [f.explained(causes[f.subject]) if f in wrong.get(f.subject, ()) else f for f in findings]

    def suspect(self, suspect: Suspect, expected: Tensor) -> Diagnosis | None:
        """The cause of a gradient that finite differences contradict, given the right one as far as it is known."""
        got = suspect.gradient.detach().to(torch.float64)
        piece = Evidence(
            subject=suspect.subject,
            got=got,
            expected=torch.where((got - expected).abs() <= AGREES * expected.abs(), got, expected),
            primals=suspect.point.primals,
            hyper=suspect.point.hyper,
            out=None,
            dout=suspect.dout,
            vjp=lambda _: {},
            got_all={},
        )
        return self.explain([piece])


def _tape(pair: Pair, trial: Trial) -> Mapping[str, Any]:
    """Autograd of the code's own forward by subject, as far as it reaches."""
    outcome = pair.candidate.taped(pair.names.forward, trial.case.point, trial.douts[0], pair.names.wrt)
    if not outcome.ok or outcome.value is None:
        return {}
    return {subject: grad for subject, grad in zip(pair.names.gradients, outcome.value, strict=True) if grad is not None}


def evidence(
    path: str, trial: Trial, names: PairNames, own: Any, forward_right: bool, memo: Memo | None = None
) -> Evidence | None:
    """The material for a diagnosis of one wrong gradient (`path` is its subject), or None where it is not a tensor."""
    kept, point = memo or Memo(), trial.case.point

    def flat(grads: Any) -> dict[str, Any]:
        return {leaf_path: leaf for subject, value in grads.items() for leaf_path, leaf in parts(value, subject, names)}

    def vjp(dout: Any) -> Mapping[str, Any]:
        if dout is trial.douts[0]:  # the reference has been asked that
            return right
        _, pull = kept.once(("tape", names.wrt), [names.oracle, point], lambda: oracle_tape(names.oracle, point, names.wrt))
        return flat({f"d{name}": grad for name, grad in pull(dout).items()})

    def at(primals: Mapping[str, Any], hyper: Mapping[str, Any], dout: Any, around: Around = nullcontext) -> dict[str, Any]:
        with around():
            out, pull = oracle_tape(names.oracle, Point(primals, hyper), names.wrt)
        grads = pull(dout(out) if callable(dout) else dout)
        return {"out": out, **flat({f"d{name}": grad for name, grad in grads.items()})}

    got = flat({subject: gradient.value for subject, gradient in trial.gradients.items()})
    right = flat(trial.reference.grads)
    expected = dict(right)
    if is_tensor(trial.out) and is_tensor(trial.reference.out):
        got["out"], expected["out"] = trial.out, trial.reference.out
    if path not in expected or not is_tensor(got.get(path)):
        return None
    got = {name: floating(leaf) for name, leaf in got.items()}
    tape = flat(own).get(path) if own else None
    return Evidence(
        subject=path,
        got=got[path],
        expected=expected[path],
        primals=point.primals,
        hyper=point.hyper,
        out=trial.reference.out,
        dout=trial.douts[0],
        vjp=vjp,
        got_all=got,
        own=tape if is_tensor(tape) else None,
        forward_right=forward_right,
        probe=trial.case.name,
        at=at,
        memo=kept,
    )
