"""Fingerprints: what a known mistake yields on the same probe. A wrong gradient that equals one of them is that mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import close, floating
from autograd_check.diagnose.evidence import Evidence
from autograd_check.verify.finding import Diagnosis, Source
from autograd_check.verify.memo import Memo

MISTAKE = "mistake"
"""The entry of a diagnosis's evidence that holds the name of the mistake which was recognised."""


@dataclass(frozen=True)
class Fingerprint:
    """A known mistake and the gradients it yields: `gradients(primals, hyper, dout)` by subject, empty where it fails.

    `both` says that the forward and the backward are written anew, so that its name speaks of both.
    """

    name: str
    cause: Cause
    gradients: Callable[[Mapping[str, Any], Mapping[str, Any], Any], Mapping[str, Any]]
    both: bool = False
    _answers: Memo = field(default_factory=Memo, repr=False, compare=False)

    def answer(self, piece: Evidence) -> Mapping[str, Any]:
        """What the mistake yields in the call of some evidence; run once for each call, whichever array is asked about."""
        call = [piece.primals, piece.hyper, piece.dout]
        return self._answers.once("gradients", call, lambda: {k: floating(leaf) for k, leaf in self.gradients(*call).items()})


def mistake_of(diagnosis: Diagnosis) -> str:
    """The name of the mistake that was recognised; empty where none was."""
    return str(diagnosis.evidence.get(MISTAKE, ""))


def match_fingerprint(evidence: Sequence[Evidence], fingerprints: Sequence[Fingerprint]) -> Diagnosis | None:
    """The mistake whose gradients equal all those at hand on every probe, or else the first that equals the wrong one.

    A mistake that would spoil what is right here is not the one that was made; of a value, what the mistake's backward makes of it
    is beside the point, since another backward keeps other things, unless the backward is part of the mistake.
    """
    alike = [
        known
        for known in fingerprints
        if all(
            equals(piece, known) and (piece.subject == "out" and not known.both or not _spoils_more(piece, known))
            for piece in evidence
        )
        and any(not piece.is_empty and not _harmless(piece, known) for piece in evidence)
    ]
    if not alike:
        return None
    best = next((known for known in alike if all(_equals_all(piece, known) for piece in evidence)), alike[0])
    says = f"Your numbers are exactly those of a known mistake: {best.name}."
    return Diagnosis(best.cause, says, {MISTAKE: best.name, "probes": len(evidence)}, Source.FINGERPRINT)


def match_mutant(evidence: Sequence[Evidence], mutants: Iterable[Fingerprint]) -> Diagnosis | None:
    """The one edit of the definition whose numbers equal those at hand on every probe; `mutants` are named by what they edit."""
    if not evidence:
        return None
    smallest = min(evidence, key=lambda piece: piece.got.numel() or float("inf"))
    alike = [mutant for mutant in mutants if equals(smallest, mutant)]
    found = match_fingerprint(evidence, alike)
    if found is None:
        return None
    says = f"Your numbers are exactly those of the definition with one change: {found.evidence[MISTAKE]}."
    return replace(found, says=says, source=Source.MUTANT)


def equals(piece: Evidence, fingerprint: Fingerprint) -> bool:
    """Whether a fingerprint yields the wrong array on one probe."""
    theirs = fingerprint.answer(piece).get(piece.subject)
    return isinstance(theirs, Tensor) and close(piece.got, theirs)


def _harmless(piece: Evidence, fingerprint: Fingerprint) -> bool:
    theirs = fingerprint.answer(piece).get(piece.subject)
    return isinstance(theirs, Tensor) and close(theirs, piece.expected)


def _spoils_more(piece: Evidence, fingerprint: Fingerprint) -> bool:
    theirs = fingerprint.answer(piece)
    right = {**piece.vjp(piece.dout), "out": piece.out}
    for subject, mine in piece.got_all.items():
        expected, other = right.get(subject), theirs.get(subject)
        if not isinstance(expected, Tensor) or not isinstance(other, Tensor) or subject == piece.subject:
            continue
        if isinstance(mine, Tensor) and close(mine, expected) and not close(other, expected):
            return True
    return False


def _equals_all(piece: Evidence, fingerprint: Fingerprint) -> bool:
    theirs = fingerprint.answer(piece)
    return all(
        isinstance(mine, Tensor) and isinstance(theirs.get(subject), Tensor) and close(mine, theirs[subject])
        for subject, mine in piece.got_all.items()
    )
