"""Fingerprints: what a known mistake yields on the same probe. A wrong gradient that equals one of them is that mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from autograd_check.diagnose.closeness import close
from autograd_check.verify.evidence import Evidence
from autograd_check.verify.finding import Diagnosis


@dataclass(frozen=True)
class Fingerprint:
    """A known mistake and the gradients it yields: `gradients(primals, hyper, dout)` by subject, empty where it fails."""

    name: str
    cause: str
    gradients: Callable[[Mapping[str, Any], Mapping[str, Any], Any], Mapping[str, Any]]


def match_fingerprint(evidence: Sequence[Evidence], fingerprints: Sequence[Fingerprint]) -> Diagnosis | None:
    """The first mistake whose wrong gradients equal the ones at hand on every probe."""
    for fingerprint in fingerprints:
        if all(_equals(piece, fingerprint) for piece in evidence):
            says = f"Your numbers are exactly those of a known mistake: {fingerprint.name}."
            return Diagnosis(fingerprint.cause, says, {"mistake": fingerprint.name, "probes": len(evidence)})
    return None


def _equals(piece: Evidence, fingerprint: Fingerprint) -> bool:
    mine = fingerprint.gradients(piece.primals, piece.hyper, piece.dout).get(piece.subject)
    return isinstance(mine, Tensor) and close(piece.got, mine) and not close(mine, piece.expected)
