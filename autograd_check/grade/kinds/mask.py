"""What is dropped, and how: a mask read from an output, and rigorous tests of whether it is random as it should be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autograd_check.verify.finding import Diagnosis

TESTS = 6
"""Tests of one rate: the share of all entries, of positive, of negative ones, and pairs along rows, columns and seeds."""


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
    """What is wrong with the masks of some draws from different seeds (all of one two-dimensional shape), or None."""
    kept = torch.cat([one.kept[one.readable] for one in draws])
    hits, count = int(kept.sum()), kept.numel()
    if surprise(hits, count, 1 - p) > bound:
        share = hits / count
        evidence = {"kept": hits, "entries": count, "expected": 1 - p, "p": p}
        if surprise(hits, count, p) <= bound:
            says = f"With p = {p:g} a share of {share:.2f} is kept: p is the probability of dropping an entry, and 1 − p that of keeping it."
            return Diagnosis("mask_inverted", says, evidence)
        says = f"With p = {p:g} a share of {1 - p:g} should be kept; of {count} entries {hits} are, a share of {share:.2f}."
        return Diagnosis("wrong_distribution", says, evidence)
    for what, hits, count, expected in _details(draws, p):
        if surprise(hits, count, expected) > bound:
            says = f"With p = {p:g} {what}: in {hits} of {count} cases, expected in a share of {expected:.2f}. Draw one number for every entry."
            return Diagnosis("wrong_distribution", says, {"cases": hits, "of": count, "expected": expected, "p": p})
    return None


def _details(draws: Sequence[Drawn], p: float) -> Iterator[tuple[str, int, int, float]]:
    """Counts that should be binomial: what they would show, hits, tries, probability."""
    for sign, name in ((1, "positive"), (-1, "negative")):
        kept = torch.cat([one.kept[one.base * sign > 0] for one in draws])
        yield f"{name} entries are kept at a rate of their own", int(kept.sum()), kept.numel(), 1 - p
    for axis, name in ((0, "rows"), (1, "columns")):
        pairs = [_neighbours(one, axis) for one in draws]
        yield f"neighbouring {name} share their fate", sum(h for h, _ in pairs), sum(n for _, n in pairs), p**2 + (1 - p) ** 2
    pairs = [_agreement(a, b) for a, b in zip(draws[::2], draws[1::2], strict=False)]
    yield "two seeds give like masks", sum(h for h, _ in pairs), sum(n for _, n in pairs), p**2 + (1 - p) ** 2


def _neighbours(one: Drawn, axis: int) -> tuple[int, int]:
    """Agreements of the entries in rows (or columns) 0 and 1, 2 and 3, ...: no entry counts twice."""
    size = one.kept.shape[axis] // 2 * 2
    even, odd = (torch.arange(start, size, 2) for start in (0, 1))
    first, second = (Drawn(one.base.index_select(axis, i), one.kept.index_select(axis, i)) for i in (even, odd))
    return _agreement(first, second)


def _agreement(first: Drawn, second: Drawn) -> tuple[int, int]:
    both = first.readable & second.readable
    return int((first.kept == second.kept)[both].sum()), int(both.sum())
