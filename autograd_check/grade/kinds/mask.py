"""What is dropped, and how: a mask read from an output, and rigorous tests of whether it is random as it should be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify.finding import Diagnosis

TESTS = 12
"""Tests of one rate: the share of all entries, of positive, of negative ones; pairs of neighbours and pairs of halves along
up to four axes, and pairs of two seeds.
"""
AXES = {2: ("rows", "columns"), 4: ("images", "channels", "rows of pixels", "columns of pixels")}
"""What lies along the axes of an output of so many dimensions."""


@dataclass(frozen=True)
class Drawn:
    """One draw: `kept` says where the output is not 0, `base` is the layer without its noise; both of one shape."""

    base: Tensor
    kept: Tensor

    @property
    def readable(self) -> Tensor:
        """Where the output can show the mask at all."""
        return self.base != 0


def read_mask(out: Tensor, base: Tensor) -> Tensor:
    """Boolean mask of the entries that were kept; false where `base` is 0, since nothing can be seen there."""
    return (out != 0) & (base != 0)


def surprise(hits: int, count: int, probability: float) -> float:
    """Bits of evidence (natural logarithm) against `hits` out of `count` independent draws of this probability.

    By Chernoff's bound (Hoeffding 1963, theorem 1) P(surprise ≥ s) ≤ 2 exp(−s) for any count and probability. It holds for
    draws without replacement as well, so a mask with an exact number of kept entries is accepted.
    """
    if count == 0:
        return 0.0
    share = hits / count
    bits = 0.0
    for observed, expected in ((share, probability), (1 - share, 1 - probability)):
        if observed > 0:
            bits += observed * math.log(observed / expected) if expected > 0 else math.inf
    return count * bits


def limit(false_alarm: float, tests: int) -> float:
    """The surprise that right code exceeds in any of so many tests with at most this probability."""
    return math.log(2 * tests / false_alarm)


def judge_rate(draws: Sequence[Drawn], p: float, bound: float) -> Diagnosis | None:
    """What is wrong with the masks of some draws from different seeds (all of one shape), or None.

    Of more than two axes the leading two are taken for rows, the others for columns.
    """
    together = list(_pairs(draws))
    draws = [_matrix(one) for one in draws]
    kept = torch.cat([one.kept[one.readable] for one in draws])
    hits, count = int(kept.sum()), kept.numel()
    evidence = {"kept": hits, "entries": count, "expected": 1 - p, "p": p}
    for what, agreeing, pairs in together:
        # drawn together, the entries are far fewer than they look, and the test of the rate would be wrong about them
        if agreeing == pairs and 0 < hits < count and surprise(agreeing, pairs, _agreeing(p)) > bound:
            says = f"With p = {p:g} {what} are always dropped together. Draw a number of its own for every entry."
            return Diagnosis(Cause.WRONG_DISTRIBUTION, says, {"pairs": pairs, "p": p})
    if surprise(hits, count, 1 - p) > bound:
        if surprise(hits, count, p) <= bound:
            says = f"With p = {p:g} a share of {hits / count:.2f} is kept: p is the probability of dropping an entry, and 1 − p that of keeping it."
            return Diagnosis(Cause.MASK_INVERTED, says, evidence)
        says = (
            f"With p = {p:g} a share of {1 - p:g} should be kept; of {count} entries {hits} are, a share of {hits / count:.2f}."
        )
        return Diagnosis(Cause.WRONG_DISTRIBUTION, says, evidence)
    for sign, name in ((1, "positive"), (-1, "negative")):
        chosen = torch.cat([one.kept[one.base * sign > 0] for one in draws])
        hits, count = int(chosen.sum()), chosen.numel()
        if surprise(hits, count, 1 - p) > bound:
            says = f"With p = {p:g} a share of {1 - p:g} should be kept; of the {count} {name} entries {hits} are. The mask must not depend on x."
            return Diagnosis(Cause.WRONG_DISTRIBUTION, says, {**evidence, "kept": hits, "entries": count})
    for axis, name in ((0, "row"), (1, "column")):
        for index in range(draws[0].kept.shape[axis]):
            kept = torch.cat([one.kept.select(axis, index)[one.readable.select(axis, index)] for one in draws])
            hits, count = int(kept.sum()), kept.numel()
            if surprise(hits, count, 1 - p) > bound:
                says = f"With p = {p:g} a share of {1 - p:g} should be kept; of the {count} entries of {name} {index} {hits} are."
                return Diagnosis(Cause.WRONG_DISTRIBUTION, says, {**evidence, "kept": hits, "entries": count})
    for what, agreeing, pairs in together:
        if surprise(agreeing, pairs, _agreeing(p)) > bound:
            says = (
                f"With p = {p:g} {what} share their fate in {agreeing} of {pairs} cases, expected a share of {_agreeing(p):.2f}."
            )
            return Diagnosis(Cause.WRONG_DISTRIBUTION, says, {"agreeing": agreeing, "pairs": pairs, "p": p})
    return None


def _matrix(one: Drawn) -> Drawn:
    if one.kept.dim() <= 2:
        return one
    base, kept = (tensor.flatten(0, 1).flatten(1) for tensor in (one.base, one.kept))
    return Drawn(base, kept)


def slices(shape: Sequence[int]) -> int:
    """How many rows and columns `judge_rate` looks at one by one in outputs of this shape."""
    rows = shape[0] * shape[1] if len(shape) > 2 else shape[0]
    return rows + math.prod(shape) // rows


def _agreeing(p: float) -> float:
    """The probability that two independent entries are both kept or both dropped."""
    return p**2 + (1 - p) ** 2


def _pairs(draws: Sequence[Drawn]) -> Iterator[tuple[str, int, int]]:
    """Entries that should be independent: what they are, how many pairs agree, of how many."""
    shape = draws[0].kept.shape
    names = AXES.get(len(shape), tuple(f"slices along axis {axis}" for axis in range(len(shape))))
    for axis, (name, size) in enumerate(zip(names, shape, strict=True)):
        even, odd = (torch.arange(start, size // 2 * 2, 2) for start in (0, 1))
        lower, upper = torch.arange(size // 2), torch.arange(size // 2, size // 2 * 2)
        for what, first, second in ((f"neighbouring {name}", even, odd), (f"{name} half of all {name} apart", lower, upper)):
            found = [_agreement(_chosen(one, axis, first), _chosen(one, axis, second)) for one in draws]
            yield what, sum(agreeing for agreeing, _ in found), sum(pairs for _, pairs in found)
    found = [_agreement(a, b) for a, b in zip(draws[::2], draws[1::2], strict=False)]
    yield "equal entries of two seeds", sum(agreeing for agreeing, _ in found), sum(pairs for _, pairs in found)


def _chosen(one: Drawn, axis: int, places: Tensor) -> Drawn:
    """Some slices along an axis; where two such sets are compared no entry counts twice."""
    return Drawn(one.base.index_select(axis, places), one.kept.index_select(axis, places))


def _agreement(first: Drawn, second: Drawn) -> tuple[int, int]:
    both = first.readable & second.readable
    return int((first.kept == second.kept)[both].sum()), int(both.sum())
