"""Relations of a wrong value: a primal that is added more than once, or nothing where negative numbers belong."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import LOOSE, close
from autograd_check.diagnose.counterfactuals import ask, tensors, with_all
from autograd_check.diagnose.evidence import Evidence
from autograd_check.verify.finding import Diagnosis

ENOUGH_ENTRIES = 5
"""So many entries must be explained: fewer are a coincidence."""

CLEAR = 1e4
"""Shares of a primal are counted where they are so many times larger than what rounding may do."""


def added_again(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """A value to which a primal is added once, and here once more for each turn of a loop: 2 times, 3 times, by place."""
    if evidence[0].subject != "out" or any(piece.got.shape != piece.expected.shape for piece in evidence):
        return None
    for name in tensors(evidence[0]):
        found = [_times(piece, name) for piece in evidence]
        known = [times for times in found if times is not None]
        if len(known) < len(found) or sum(map(len, known)) < ENOUGH_ENTRIES:
            continue
        every = torch.cat(known)
        least, most = int(every.min()), int(every.max())
        if least < 0 or most < 2:
            continue
        alike = all(bool((times == times[0]).all()) for times in known if len(times))
        often = f"{most} times" if least == most else f"{least} to {most} times, depending on the {'probe' if alike else 'place'}"
        says = f"out holds {name} {often}, where it belongs once: is it added inside a loop, or before a sum?"
        return Diagnosis(Cause.EXTRA_TERM, says, {"primal": name, "times": [least, most]})
    return None


def _times(piece: Evidence, name: str) -> Tensor | None:
    """How often each entry holds what a primal adds to it, all whole numbers; None where it is not added, or not a whole number of times."""
    without = ask(piece, with_all(piece, name, 0.0), "out")
    x = piece.primals.get(name)
    twice = ask(piece, ({**piece.primals, name: 2 * x}, piece.hyper, piece.dout), "out") if isinstance(x, Tensor) else None
    if without is None or twice is None or without.shape != piece.expected.shape or twice.shape != piece.expected.shape:
        return None
    share, error = piece.expected - without, piece.got - piece.expected
    size = LOOSE * max(float(array.abs().max()) for array in (piece.got, piece.expected))
    if not close(twice - piece.expected, share, scale=size / LOOSE) or not bool(without.abs().max() > CLEAR * size):
        return None
    clear = share.abs() > CLEAR * size
    more = (error / share)[clear].round()
    whole = torch.zeros_like(share)
    whole[clear] = more
    return 1 + more if float((error - whole * share).abs().max()) <= size else None


def cut_at_zero(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """0 in all entries that should be negative, and right in all others."""
    if evidence[0].subject != "out" or any(piece.got.shape != piece.expected.shape for piece in evidence):
        return None
    cut = sum(int((piece.expected < 0).sum()) for piece in evidence)
    every = sum(piece.expected.numel() for piece in evidence)
    if cut < 2 or every < ENOUGH_ENTRIES or not all(close(piece.got, piece.expected.clamp(min=0)) for piece in evidence):
        return None
    says = f"{evidence[0].name} is 0 where it should be negative, and right everywhere else: does a maximum start at 0?"
    return Diagnosis(Cause.FORWARD_WRONG, says, {"entries": cut})
