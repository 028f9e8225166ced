"""Two mistakes in one array: a multiple of what a known mistake or a mutant of the definition gives, or that with axes swapped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import close, factor
from autograd_check.diagnose.counts import name_factor
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.fingerprints import Fingerprint
from autograd_check.verify.finding import Diagnosis, Source

ENOUGH_ENTRIES = 5
"""So many entries (of all probes together) must agree: fewer are a coincidence."""

ALONE = "what that alone would give"


def two_mistakes(evidence: Sequence[Evidence], edits: Iterable[Fingerprint], source: Source) -> Diagnosis | None:
    """The first of `edits` beside which one factor, or swapped axes, explain the wrong array on every probe.

    Both mistakes are told; the cause is that of the edit. `source` says where the edits come from.
    """
    if not evidence or sum(piece.got.numel() for piece in evidence) < ENOUGH_ENTRIES:
        return None
    smallest = min(evidence, key=lambda piece: piece.got.numel())
    for edit in edits:
        if _second([smallest], edit) is None:
            continue
        second = _second(evidence, edit)
        if second is not None:
            says = f"Two things are wrong at once. One: {edit.name}. And besides: {second.says}"
            return Diagnosis(edit.cause, says, {"first": edit.name, "second": str(second.cause)}, source)
    return None


def _second(evidence: Sequence[Evidence], edit: Fingerprint) -> Diagnosis | None:
    """What is wrong beside an edit that makes a difference, and does not explain everything."""
    pieces = []
    for piece in evidence:
        theirs = edit.answer(piece).get(piece.subject)
        if not isinstance(theirs, Tensor) or piece.got.is_complex() or theirs.is_complex():
            return None
        pieces.append(replace(piece, expected=theirs, right=ALONE))
    harmless = all(close(one.expected, piece.expected) for one, piece in zip(pieces, evidence, strict=True))
    if harmless or all(close(one.got, one.expected) for one in pieces):
        return None
    if all(one.got.dim() == 2 == one.expected.dim() and close(one.got, one.expected.T) for one in pieces):
        return Diagnosis(Cause.TRANSPOSED, f"{pieces[0].name} is {ALONE} with its axes swapped.")
    factors = [factor(one.got, one.expected) for one in pieces]
    found = [c for c in factors if c is not None]
    named = name_factor(pieces, found) if len(found) == len(factors) else None
    # a factor that is another on each probe and has no name may be anything
    return None if named is None or "factors" in named.evidence else named
