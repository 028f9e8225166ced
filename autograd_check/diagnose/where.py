"""When no relation holds: at least where the array is wrong, in rows, columns, borders or signs of the input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import LOOSE
from autograd_check.diagnose.evidence import Evidence
from autograd_check.verify.finding import Diagnosis

SLIGHT = 1e-5
"""A value that is off by no more of its largest entry has the right terms, and a small constant amiss."""

FEW = 3
"""Up to this many wrong entries are listed one by one."""


def wrong_entries(piece: Evidence) -> Tensor:
    """Boolean mask of the entries that differ (shape of the expected array)."""
    scale = float(piece.expected.abs().max()) if piece.expected.numel() else 0.0
    return (piece.got - piece.expected).abs() > LOOSE * scale


def where_wrong(evidence: Sequence[Evidence]) -> Diagnosis:
    """A diagnosis `unknown` (or `forward_wrong`) that says which entries are wrong and which are right."""
    piece = evidence[0]
    if piece.subject == "out":
        return Diagnosis(Cause.FORWARD_WRONG, f"The forward does not compute what the definition says.{_of_value(evidence)}", {})
    if piece.got.shape != piece.expected.shape:
        says = f"{piece.name} has shape {tuple(piece.got.shape)} where {tuple(piece.expected.shape)} is expected."
        return Diagnosis(Cause.WRONG_SHAPE, says, {})
    bad = wrong_entries(piece)
    total, wrong = bad.numel(), int(bad.sum())
    where = _lines(bad)
    if not wrong:
        off = float((piece.got - piece.expected).abs().max() / piece.expected.abs().max())
        says = (
            f"{piece.name} differs from the right value by at most {off:.1g} of its largest entry: look for a small constant "
            "that does not belong in the formula, or for digits that are lost on the way."
        )
        return Diagnosis(Cause.UNKNOWN, says, {"wrong": 0, "total": total})
    share = "every entry" if wrong == total else f"{wrong} of {total} entries"
    says = f"{piece.name} is wrong in {share}{where}, and it is none of the mistakes that this checker knows by name."
    if not piece.forward_right:
        says += " The forward is wrong as well: fix it first."
    elif piece.own is not None:
        says += " The forward is right, so look at the backward alone."
    return Diagnosis(Cause.UNKNOWN, says, {"wrong": wrong, "total": total, "norm_ratio": _ratio(piece)})


def _of_value(evidence: Sequence[Evidence]) -> str:
    """What is known of a wrong value all the same: that it is only slightly off, or where it is wrong."""
    piece = evidence[0]
    if piece.called or any(one.got.shape != one.expected.shape or one.is_empty for one in evidence):
        return ""
    off = max(float((one.got - one.expected).abs().max() / one.expected.abs().max()) for one in evidence)
    if off <= SLIGHT:
        return (
            f" It is off by at most {off:.1g} of the largest entry: look for a small constant (an eps, a bound) that is not "
            "where, or not what, the definition says."
        )
    flattened = piece.at is None and piece.got.dim() == 1  # all numbers of a nest in one vector, whose places have no name
    where = "" if flattened else _lines(wrong_entries(piece))
    return f" It is wrong in {int(wrong_entries(piece).sum())} of {piece.got.numel()} entries{where}." if where else ""


def _ratio(piece: Evidence) -> float:
    expected = float(torch.linalg.vector_norm(piece.expected))
    return float(torch.linalg.vector_norm(piece.got)) / expected if expected else float("inf")


def _lines(bad: Tensor) -> str:
    """`, at [2, 1]` for a few entries; `, all of them at index 0 of axis 0` where more lie in a few slices of one axis."""
    places = torch.nonzero(bad).tolist()
    if bad.dim() and len(places) <= FEW and len(places) < bad.numel():
        return f", at {', '.join(map(str, places))}"
    for axis in range(bad.dim()):
        others = [other for other in range(bad.dim()) if other != axis]
        hit = bad.any(dim=others) if others else bad
        slices = [position for position, is_hit in enumerate(hit.tolist()) if is_hit]
        if slices and len(slices) < bad.shape[axis] and len(slices) <= 3:
            named = ", ".join(str(position) for position in slices)
            return f", all of them at index {named} of axis {axis}"
    return ""
