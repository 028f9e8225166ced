"""A factor edited: the wrong array is the right one with a factor forgotten, too many, or another one in its place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import LOOSE, close
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.letters import (
    CURVES,
    ENOUGH_ENTRIES,
    MOST_TRIED,
    ONE,
    SIGN_OF,
    Letters,
    holds,
    sample,
    usable,
    views,
)
from autograd_check.verify.finding import Diagnosis

CLEAR = 1e-3
"""Entries smaller than this, relative to the largest, say little about a factor."""

LOOKED_AT_FIRST = 4
"""Entries at which nearly every pair of letters is seen not to fit; what is left is compared in all that are sampled."""


def edited_factor(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """A factor that is missing, too many, or another one in its place; everywhere, or in all entries that are wrong."""
    for letters, only_wrong in views(evidence):
        found = next((pair for pair in _quotients(letters[0]) if holds(letters, partial(_quotient, *pair))), None)
        if found is not None and _varies(letters, *found):
            return _edited_factor(evidence[0].name, *found, only_wrong)
    return None


def one_factor_per_slice(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """Right up to one factor for each slice along an axis: what is made of the slice as a whole is missing, or not the right one."""
    if not usable(evidence) or any(piece.expected.dim() < 2 for piece in evidence):
        return None
    for axis in range(-1, -min(piece.expected.dim() for piece in evidence) - 1, -1):
        told = [_slices(piece, axis) for piece in evidence]
        known = [count for count in told if count is not None]
        if len(known) == len(told) and sum(known) >= ENOUGH_ENTRIES:
            named = evidence[0].expected.dim() + axis
            says = (
                f"{evidence[0].name} is right up to a factor that is the same for all entries along axis {named}, and another for each "
                "place on the other axes: a sum, a norm or a scale that belongs there is missing, or is another."
            )
            return Diagnosis(Cause.WRONG_OPERAND, says, {"axis": named})
    return None


def _slices(piece: Evidence, axis: int) -> int | None:
    """In how many entries one factor for each slice is more than chance; None where there is no such factor."""
    norms = piece.expected.square().sum(axis, keepdim=True)
    factors = (piece.got * piece.expected).sum(axis, keepdim=True) / norms.clamp(min=torch.finfo(norms.dtype).tiny)
    if not close(piece.got, factors * piece.expected):
        return None
    per_slice = (piece.expected.abs() > CLEAR * piece.expected.abs().max()).sum(axis, keepdim=True)
    return int((per_slice - 1).clamp(min=0).sum())


def _quotients(letters: Letters) -> list[tuple[str, str]]:
    """The pairs (f, g) with got · g = expected · f in the sampled entries, the likeliest mistake first."""
    names = list(letters.alone)
    places = sample(len(letters.places))
    table = torch.stack([letters.chosen(letters.alone[name])[places] for name in names])
    got, expected = (letters.chosen(array)[places] for array in (letters.piece.got, letters.piece.expected))
    if not bool(got.any()):
        return []  # zeros are any factor that is 0
    mine, right = table * got, table * expected
    scale = torch.maximum(mine.abs().amax(1)[None, :], right.abs().amax(1)[:, None])
    near = (scale > 0).fill_diagonal_(False)
    for place in range(0, len(places), max(len(places) // LOOKED_AT_FIRST, 1)):
        near &= (right[:, None, place] - mine[None, :, place]).abs() <= LOOSE * scale
    f, g = near.nonzero().unbind(1)
    fits = (right[f] - mine[g]).abs().amax(1) <= LOOSE * scale[f, g]
    pairs = [(names[one], names[other]) for one, other in zip(f[fits].tolist(), g[fits].tolist(), strict=True)]
    pairs = [pair for pair in pairs if ONE not in pair or not any(name.startswith(CURVES) for name in pair)]
    live = expected != 0
    idle = {name for name, row in zip(names, table, strict=True) if name != ONE and bool((row[live] == 1).all())}
    pairs = [pair for pair in pairs if not idle & {*pair}]  # a mask that hides nothing stands for no factor
    base = set(letters.base)

    def rank(pair: tuple[str, str]) -> tuple[int, int]:
        f, g = pair
        both = f in base and g in base
        made = letters.made_of
        if ONE in pair and (f.startswith(SIGN_OF) or g.startswith(SIGN_OF)):
            return 0, 0
        if f == ONE:
            return (1 if both else 5 if g.startswith("(1 + ") else 3), len(g)
        if g == ONE:
            return (3 if both else 6), len(f)
        if f.startswith(f"{g}/") or g.startswith(f"{f}/"):  # one of them and its quotient: a factor says the same
            return 8, len(f) + len(g)
        alike = made.get(f, f) == made.get(g, g)  # (1 − out) for (1 − out²)
        return (2 if both else 4 if alike else 7), len(f) + len(g)

    return sorted(pairs, key=rank)[:MOST_TRIED]


def _quotient(f: str, g: str, letters: Letters) -> tuple[Tensor, Tensor] | None:
    """Two vectors that are equal if got is expected · f / g."""
    if f not in letters.alone or g not in letters.alone:
        return None
    got, expected = letters.chosen(letters.piece.got), letters.chosen(letters.piece.expected)
    return got * letters.chosen(letters.alone[g]), expected * letters.chosen(letters.alone[f])


def _varies(letters: Sequence[Letters], f: str, g: str) -> bool:
    """Whether f / g is more than a number: a number is a constant factor, which is no news here, unless it has a name."""
    if f in letters[0].piece.hyper or g in letters[0].piece.hyper:
        return True
    for one in letters:
        ratio = one.chosen(one.alone[f]) / one.chosen(one.alone[g])
        ratio = ratio[torch.isfinite(ratio)]
        if len(ratio) > 1 and float(ratio.max() - ratio.min()) > LOOSE * float(ratio.abs().max()):
            return True
    return False


def _edited_factor(subject: str, f: str, g: str, only_wrong: bool) -> Diagnosis:
    where = " in every entry that is wrong" if only_wrong else ""
    evidence = {"factor": f, "for": g}
    if f == ONE and g.startswith(SIGN_OF):
        return Diagnosis(
            Cause.SIGN, f"{subject} has the wrong sign wherever {g.removeprefix(SIGN_OF)} is negative{where}.", evidence
        )
    if f == ONE:
        says = f"The factor {g} is missing from {subject}{where}."
        return Diagnosis(Cause.MISSING_TERM, says, evidence)
    if g == ONE and f.startswith(SIGN_OF):
        return Diagnosis(
            Cause.SIGN, f"{subject} has the wrong sign wherever {f.removeprefix(SIGN_OF)} is negative{where}.", evidence
        )
    if g == ONE:
        return Diagnosis(Cause.EXTRA_TERM, f"{subject} has the factor {f} too many{where}.", evidence)
    cause = Cause.WRONG_AXIS if f.split(" along ")[0] == g.split(" along ")[0] else Cause.WRONG_OPERAND
    return Diagnosis(cause, f"In {subject} {f} stands where {g} belongs{where}.", evidence)
