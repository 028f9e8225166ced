"""Rows that were never computed: right at one end of the array, exactly 0 at the other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import LOOSE
from autograd_check.diagnose.evidence import Evidence
from autograd_check.verify.finding import Diagnosis


def rows_missing(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The first or the last rows are 0 and all others right: a loop that returns too early, or stops one short."""
    missing = [_missing(piece.got, piece.expected) for piece in evidence]
    if not missing or any(rows is None for rows in missing):
        return None
    rows = missing[0] or []
    named = f"row {rows[0]}" if len(rows) == 1 else f"rows {rows[0]} to {rows[-1]}"
    says = (
        f"{evidence[0].name} is right but for {named}, where it is 0: does a loop leave them out, or a return stand inside "
        "the loop?"
    )
    return Diagnosis(Cause.ROWS_MISSING, says, {"rows": rows})


def _missing(got: Tensor, expected: Tensor) -> list[int] | None:
    """The rows at one end that are 0 where they should not be; None where that is not all that is wrong."""
    if got.shape != expected.shape or got.dim() == 0 or len(got) < 2:
        return None
    size = float(expected.abs().max())
    bad = [row for row in range(len(got)) if not float((got[row] - expected[row]).abs().max()) <= LOOSE * size]
    at_an_end = bad and bad[-1] - bad[0] == len(bad) - 1 and (bad[0] == 0 or bad[-1] == len(got) - 1)
    if not at_an_end or len(bad) == len(got) or any(bool(got[row].any()) for row in bad):
        return None
    return bad


def entries_missing(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The first or the last entries, row by row, are 0 and all others right: a loop over all entries that stops one short."""
    told: list[tuple[int, ...]] = []
    for piece in evidence:
        if piece.got.shape != piece.expected.shape:
            return None
        if piece.got.numel() == 1 and not bool(piece.got.any()):  # the only entry is the last one as well
            continue
        bad = _missing(piece.got.reshape(-1), piece.expected.reshape(-1))
        if bad is None:
            return None
        told.append(tuple(place - (piece.got.numel() if bad[0] else 0) for place in bad))
    if len({*told}) != 1:
        return None
    end, count = ("last" if told[0][0] else "first"), len(told[0])
    named = f"its {end} entry, where it is 0: does a loop leave it out?"
    if count > 1:
        named = f"its {end} {count} entries, where it is 0: does a loop leave them out?"
    cause = Cause.FORWARD_WRONG if evidence[0].subject == "out" else Cause.ROWS_MISSING
    return Diagnosis(cause, f"{evidence[0].name} is right but for {named}", {"entries": count, "end": end})
