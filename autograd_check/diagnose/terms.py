"""A term edited: the difference of the two arrays is a term f · Σ(dout · g) of letters, or such a term changed in one place.

The sum may run along another axis, be averaged, or have the wrong sign; one factor may be forgotten, or another stand in its
place. An edit counts only if it holds on every probe.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations_with_replacement

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import LOOSE, close
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.letters import (
    ENOUGH_ENTRIES,
    MOST_TRIED,
    ONE,
    REDUCTIONS,
    Axes,
    Letters,
    holds,
    sample,
    scalars,
    usable,
    views,
)
from autograd_check.verify.finding import Diagnosis

MOSTLY = 0.5
"""Cosine of a term and the right arrays above which they are taken to hold it already. Arrays of n entries that have nothing to
do with each other have one of about 1/√n; a term that is one of two of the same size has 1/√2."""

ALIKE = 1e-3
"""Relative difference of two factors that cannot be told from the entries sampled; all entries are compared afterwards."""

MOST_REDUCED = 13
"""Letters of which sums are made: 1, x, γ, β, the output, its exponential, and x − μ, 1/σ, x̂ and softmax along these axes, and
those along the axes of the layer."""

MOST_NEAR = 8
"""Terms near enough to the one that would explain the error that are looked at, for each that may belong."""

MOST_ALIKE = 10
"""Pairs of terms that explain the error alike, of which the likeliest is named."""

Key = tuple[tuple[str, ...], tuple[str, ...], str]
"""A term: outer letters, inner letters, and along which axes the product of the inner ones with dout is summed ("" for none)."""


@dataclass(frozen=True)
class Block:
    """The terms `outer[o] · inner[i]` (numbers of terms, entries), the second index running first, summed along the same axes."""

    words: str
    outer: Tensor
    inner: Tensor

    def __len__(self) -> int:
        return len(self.outer) * len(self.inner)


class Library:
    """Every term of one call, at the sampled entries. There are tens of thousands: they are kept as products, and few written out."""

    def __init__(self, letters: Letters) -> None:
        """Make all terms. Without a cotangent that fits there are none."""
        self.letters = letters
        self.keys: list[Key] = []
        self.blocks: list[Block] = []
        self.places = sample(len(letters.places))
        self._sampled = letters.places[self.places]
        if letters.dout is not None and len(letters.places):
            self._plain(letters.dout)
            self._reduced(letters.dout)

    @cached_property
    def norms(self) -> Tensor:
        """The sum of squares of every term."""
        return torch.cat([(block.outer.square() @ block.inner.square().T).reshape(-1) for block in self.blocks])

    def along(self, direction: Tensor) -> Tensor:
        """The inner product of every term with a vector of one number for each sampled entry."""
        return torch.cat([((block.outer * direction) @ block.inner.T).reshape(-1) for block in self.blocks])

    def values(self, numbers: Tensor) -> Tensor:
        """Some terms written out; `numbers` rise."""
        found, start = [], 0
        for block in self.blocks:
            here = numbers[(numbers >= start) & (numbers < start + len(block))] - start
            found.append(block.outer[here // len(block.inner)] * block.inner[here % len(block.inner)])
            start += len(block)
        return torch.cat(found)

    def scaled(self, numbers: Tensor, scale: Callable[[str], float]) -> Tensor:
        """One number for each term, times what `scale` says of the axes along which it is summed."""
        shares = torch.tensor([scale(block.words) for block in self.blocks], dtype=torch.float64)
        return numbers * shares.repeat_interleave(torch.tensor([len(block) for block in self.blocks]))

    def _plain(self, dout: Tensor) -> None:
        dim = len(self.letters.shape)
        twice = [words for words, axes_of in REDUCTIONS.items() if axes_of(dim) in self._before(words, dim)]
        names = [name for name in self.letters.base if not name.endswith(tuple(twice) or "-")]
        pairs = list(combinations_with_replacement(names, 2))
        pairs += [(name, other) for name in self.letters.more for other in (ONE, *self.letters.primals)]
        place_of = {name: place for place, name in enumerate(self.letters.alone)}
        letters = self._at(torch.stack(list(self.letters.alone.values())))
        first, second = ([place_of[pair[side]] for pair in pairs] for side in (0, 1))
        self.blocks.append(Block("", letters[first] * letters[second], self._at(dout[None])))
        self.keys += [((), _product(pair), "") for pair in pairs]

    def _reduced(self, dout: Tensor) -> None:
        base = self.letters.base
        seen: list[tuple[int, ...]] = []
        for words, axes_of in REDUCTIONS.items():
            axes = axes_of(dout.dim())
            if not axes or axes in seen:
                continue
            seen.append(axes)
            ends = (f"over {words}", f"along {words}", f"over {self.letters.home or words}")
            names = [name for name in base if name in (ONE, *self.letters.primals, "exp(out)") or name.endswith(ends)]
            names = names[:MOST_REDUCED]
            letters = torch.stack([base[name] for name in names])
            first, second = torch.combinations(torch.arange(len(names)), with_replacement=True).T
            sums = (letters[first] * letters[second] * dout).sum([axis + 1 for axis in axes], keepdim=True)
            sampled = self._at(letters)
            self.blocks.append(Block(words, sampled[first] * sampled[second], self._at(sums.expand(-1, *dout.shape))))
            products = [_product(pair) for pair in combinations_with_replacement(names, 2)]
            self.keys += [(outer, inner, words) for outer in products for inner in products]

    @staticmethod
    def _before(words: str, dim: int) -> list[tuple[int, ...]]:
        """The axes of the reductions before this one: those names stand for them as well."""
        return [axes_of(dim) for axes_of in list(REDUCTIONS.values())[: list(REDUCTIONS).index(words)]]

    def _at(self, values: Tensor) -> Tensor:
        """Several arrays at the sampled entries."""
        return values.expand(-1, *self.letters.shape).reshape(len(values), -1)[:, self._sampled]


def _product(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if name != ONE))


def term(letters: Letters, key: Key) -> tuple[Tensor, int] | None:
    """One term at the entries looked at, and over how many entries it sums; None where a letter does not exist here."""
    outer, inner, words = key
    alone, dout = letters.alone, letters.dout
    if dout is None or any(name not in alone for name in (*outer, *inner)):
        return None
    inside = dout
    for name in inner:
        inside = inside * alone[name]
    count = 1
    if words:
        axes = REDUCTIONS[words](dout.dim())
        if not axes:
            return None
        count = inside.numel() // max(inside.sum(axes).numel(), 1)
        inside = inside.sum(axes, keepdim=True).expand(letters.shape)
    for name in outer:
        inside = inside * alone[name]
    return letters.chosen(inside), count


def edited_term(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """One term of a sum is missing, of the wrong sign, averaged, summed along another axis, or has another factor."""
    for letters, _ in views(evidence):
        library = Library(letters[0])
        if not library.keys:
            return None
        found = _multiple(letters, library) or _edited_rest(letters) or _exchanged(letters, library)
        if found is not None:
            return found
    return None


def edited_reduction(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """A parameter's gradient that is Σ dout · f over all axes but its own: another f, or none."""
    if not usable(evidence) or evidence[0].subject == "out":
        return None
    letters = []
    for piece in evidence:
        whole = isinstance(piece.out, Tensor) and isinstance(piece.dout, Tensor) and piece.dout.shape == piece.out.shape
        if not whole:
            return None
        letters.append(Letters(replace(piece, got=piece.out, expected=piece.out)))
    if all(piece.expected.numel() >= piece.out.numel() for piece in evidence):
        return None
    names = list(letters[0].base)
    pairs = list(combinations_with_replacement(names, 2))
    for axes_of in (REDUCTIONS["all axes but the last"], REDUCTIONS["all axes but the channels'"]):
        right = [pair for pair in pairs if _sums_to(letters, evidence, pair, axes_of, wrong=False)]
        wrong = [pair for pair in pairs if right and _sums_to(letters, evidence, pair, axes_of, wrong=True)]
        if right and wrong:
            shown = [
                " · ".join(name for name in sorted(both[0], key=names.index) if name != ONE) or ONE for both in (wrong, right)
            ]
            says = f"{evidence[0].name} sums dout · {shown[0]} where it should sum dout · {shown[1]}."
            cause = Cause.MISSING_TERM if shown[0] == ONE else Cause.WRONG_OPERAND
            return Diagnosis(cause, says, {"is": shown[0], "belongs": shown[1]})
    return None


def _sums_to(
    letters: Sequence[Letters],
    evidence: Sequence[Evidence],
    pair: tuple[str, str],
    axes_of: Axes,
    *,
    wrong: bool,
) -> bool:
    telling = 0
    for one, piece in zip(letters, evidence, strict=True):
        if any(name not in one.base for name in pair):
            return False
        axes, mine = axes_of(piece.dout.dim()), piece.dout * one.base[pair[0]] * one.base[pair[1]]
        mine = mine.sum(axes) if axes else mine  # a row alone: nothing is added up
        target: Tensor = piece.got if wrong else piece.expected
        if mine.shape != target.shape or not close(mine, target):
            return False
        telling += target.numel()
    return bool(telling >= ENOUGH_ENTRIES)


def _weight(key: Key) -> tuple[int, int]:
    """The simpler a term is, the likelier."""
    outer, inner, words = key
    return len(outer) + len(inner) + (2 if words else 0), sum(map(len, (*outer, *inner, words)))


@dataclass(frozen=True)
class Share:
    """How often a term stands in the error, as a name that holds for calls of any size."""

    times: float
    divisor: str
    what: str

    def of(self, piece: Evidence, count: int) -> float:
        """The number for one call, where the term sums over `count` entries."""
        scale = scalars(piece)[self.divisor] if self.divisor != "/count" else 1.0 / count
        return self.times * (scale if self.what != "averaged" else scale * (1 - 1 / count))


SHARES = tuple(
    Share(sign * times, divisor, what)
    for what, times in (("missing", 1.0), ("sign", 2.0), ("averaged", 1.0), ("half", 0.5))
    for divisor in ("", "/count", "/N", "/entries")
    for sign in (1, -1)
)


def _multiple(letters: Sequence[Letters], library: Library) -> Diagnosis | None:
    """The error is a term: as it is (missing), twice (the sign), half of it, or all but its mean (a mean for a sum)."""
    error = letters[0].error[library.places]
    norms, products = library.norms, library.along(error)
    # the cosine of what fits is 1 but for LOOSE squared and rounding: few terms are written out
    near = ((norms > 0) & (products.square() >= (1 - ALIKE) * norms * (error @ error))).nonzero().reshape(-1)
    ratios = products[near] / norms[near]
    left = (error - ratios[:, None] * library.values(near)).abs().amax(1)
    fits = (left <= LOOSE * error.abs().max()) & (ratios != 0)
    found = [(library.keys[place], ratio) for place, ratio in zip(near[fits].tolist(), ratios[fits].tolist(), strict=True)]
    for key, ratio in sorted(found, key=lambda fit: _weight(fit[0]))[:MOST_TRIED]:
        count = _count(letters[0], key[2])
        for share in SHARES:
            if (share.what == "averaged" or share.divisor == "/count") and not key[2]:
                continue
            if not math.isclose(share.of(letters[0].piece, count), ratio, rel_tol=ALIKE):
                continue
            if share.what in ("sign", "half") and not key[2] and letters[0].piece.subject == "out":
                continue  # twice a product of letters may be any coefficient
            if holds(letters, partial(_as_share, key, share)):
                return _multiple_says(letters, key, share)
    return None


def _edited_rest(letters: Sequence[Letters]) -> Diagnosis | None:
    """One of two terms is right; the rest has the wrong sign, or a factor is missing there or too many."""
    for name in letters[0].base:
        if name in letters[0].piece.hyper:
            continue
        subject, known = letters[0].piece.name, spelled(((), _product((name,)), ""), letters[0].piece.subject == "out")
        if holds(letters, partial(_negated, name)):
            says = f"{subject} has the term {known} right, and all the rest with the wrong sign."
            return Diagnosis(Cause.SIGN, says, {"right": known})
        for factor in letters[0].primals:
            if holds(letters, partial(_rest_without, name, factor)):
                says = f"{subject} has the term {known} right; in the rest the factor {factor} is missing."
                return Diagnosis(Cause.MISSING_TERM, says, {"right": known, "factor": factor})
    return None


def _rest(letters: Letters, name: str) -> tuple[Tensor, Tensor] | None:
    """What is left of the wrong and of the right array without one term; None where there is no such term here."""
    if name not in letters.alone or letters.dout is None:
        return None
    known = letters.letter(name) * letters.chosen(letters.dout)
    return letters.chosen(letters.piece.got) - known, letters.chosen(letters.piece.expected) - known


def _negated(name: str, letters: Letters) -> tuple[Tensor, Tensor] | None:
    rest = _rest(letters, name)
    return None if rest is None else (rest[0], -rest[1])


def _rest_without(name: str, factor: str, letters: Letters) -> tuple[Tensor, Tensor] | None:
    rest = _rest(letters, name)
    return None if rest is None or factor not in letters.alone else (rest[0] * letters.letter(factor), rest[1])


def _as_share(key: Key, share: Share, letters: Letters) -> tuple[Tensor, Tensor] | None:
    found = term(letters, key)
    return None if found is None else (letters.error, found[0] * share.of(letters.piece, found[1]))


def _multiple_says(letters: Sequence[Letters], key: Key, share: Share) -> Diagnosis:
    subject = letters[0].piece.name
    named = spelled(key, letters[0].piece.subject == "out")
    evidence = {"term": named, "times": share.times}
    if share.what == "missing" and share.times > 0 and _grows(letters, key):
        says = f"The error of {subject} is exactly {named}{_divided(share)}: that term is there once too often."
        return Diagnosis(Cause.EXTRA_TERM, says, evidence)
    if share.what == "missing":
        says = f"The error of {subject} is exactly {named}{_divided(share)}: that term is missing, or there once too often."
        return Diagnosis(Cause.MISSING_TERM, says, evidence)
    if share.what == "half":
        says = (
            f"The error of {subject} is exactly half of {named}{_divided(share)}: that term counts half, or half of it too much."
        )
        return Diagnosis(Cause.MISSING_TERM, says, evidence)
    if share.what == "sign":
        says = f"The error of {subject} is exactly twice {named}{_divided(share)}: that term has the wrong sign."
        return Diagnosis(Cause.SIGN, says, evidence)
    says = f"In {subject} a mean stands for a sum, or a sum for a mean, in the term {named}."
    return Diagnosis(Cause.MEAN_FOR_SUM, says, evidence)


def _grows(letters: Sequence[Letters], key: Key) -> bool:
    """Whether the right arrays hold this term with the sign that it has in the error: adding it makes them larger."""
    together = mine = others = 0.0
    for one in letters:
        found = term(one, key)
        if found is not None:
            expected = one.chosen(one.piece.expected)
            together += float((expected * found[0]).sum())
            mine += float(found[0].square().sum())
            others += float(expected.square().sum())
    return together > MOSTLY * math.sqrt(mine * others)


def _divided(share: Share) -> str:
    words = {"/count": " averaged", "/N": " divided by the number of rows", "/entries": " divided by the number of entries"}
    return words.get(share.divisor, "")


def spelled(key: Key, value: bool = False) -> str:
    """A term in words: `out · Σ(dout · out) over the last axis`."""
    outer, inner, words = key
    inside = " · ".join(([] if value else ["dout"]) + list(inner)) or "1"
    middle = f"Σ({inside}) over {words}" if words else inside
    return " · ".join([*outer, middle])


@dataclass(frozen=True)
class Exchange:
    """A term that stands where another belongs, both with one divisor."""

    wrong: Key
    right: Key
    sign: int
    divisor: str

    def sides(self, letters: Letters) -> tuple[Tensor, Tensor] | None:
        """Two vectors that are equal if this is the error."""
        wrong, right = term(letters, self.wrong), term(letters, self.right)
        if wrong is None or right is None:
            return None
        scales = [scalars(letters.piece).get(self.divisor, 1.0 / count) for count in (wrong[1], right[1])]
        # the error plus the term that belongs: neither side is a small difference of large numbers
        return letters.error + self.sign * scales[1] * right[0], self.sign * scales[0] * wrong[0]


def _exchanged(letters: Sequence[Letters], library: Library) -> Diagnosis | None:
    """The error is the difference of two terms that differ in one place: axes, or one factor."""
    error = letters[0].error[library.places]
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(len(error), generator=generator, dtype=torch.float64)
    found: list[Exchange] = []
    marks, mark = library.along(direction), float(error @ direction)
    tolerance = 10 * LOOSE * float(error.abs().max())
    plain = marks.sort()
    for divisor in ("", "/count", "/N", "/entries"):
        if divisor == "/count":
            ranked, order = library.scaled(marks, lambda words: 1.0 / _count(letters[0], words)).sort()
        else:  # one number for all terms leaves their order
            ranked, order = plain.values * scalars(letters[0].piece)[divisor], plain.indices
        places = order.tolist()
        some = library.norms[order] > 0
        for sign in (1, -1):
            wanted = ranked + sign * mark  # the term that stands there, for each that may belong
            low, high = (torch.searchsorted(ranked, wanted + side * tolerance) for side in (-1, 1))
            near = ((high > low) & some).nonzero().reshape(-1)
            near = near[order[near].argsort()]
            pairs = [
                Exchange(library.keys[place], library.keys[right], sign, divisor)
                for right, first, last in zip(order[near].tolist(), low[near].tolist(), high[near].tolist(), strict=True)
                for place in places[first : min(last, first + MOST_NEAR)]
                if _neighbours(library.keys[place], library.keys[right])
            ]
            pairs.sort(key=lambda pair: (_weight(pair.right), _weight(pair.wrong)))
            found += [pair for pair in pairs[:MOST_TRIED] if holds(letters, pair.sides)][:MOST_ALIKE]
        if found:
            break
    # which of the two is in the right array: the one without which less is left of it
    likely = min(found, key=lambda pair: (round(_left(letters, pair), 1), _weight(pair.right)), default=None)
    return None if likely is None else _exchange_says(letters[0].piece, likely)


def _left(letters: Sequence[Letters], pair: Exchange) -> float:
    """What is left of the right arrays without the term that belongs there, as a share."""
    left = whole = 0.0
    for one in letters:
        found = term(one, pair.right)
        if found is None:
            continue
        scale = scalars(one.piece).get(pair.divisor, 1.0 / found[1])
        expected = one.chosen(one.piece.expected)
        left += float((expected - pair.sign * scale * found[0]).square().sum())
        whole += float(expected.square().sum())
    return (left / whole) ** 0.5 if whole else 1.0


def _count(letters: Letters, words: str) -> int:
    """Over how many entries a sum along these axes runs."""
    axes = REDUCTIONS[words](len(letters.shape)) if words else ()
    return max(math.prod(letters.shape[axis] for axis in axes), 1)


def _neighbours(one: Key, other: Key) -> bool:
    """Whether two terms differ in exactly one place: the axes, or one letter that is dropped, added or exchanged."""
    if one == other:
        return False
    letters = [abs(len(a) - len(b)) <= 1 and len({*a} ^ {*b}) <= 2 for a, b in zip(one[:2], other[:2], strict=True)]
    changed = sum(a != b for a, b in zip(one, other, strict=True))
    return all(letters) and changed == 1


def _exchange_says(piece: Evidence, pair: Exchange) -> Diagnosis:
    wrong, right = (spelled(key, piece.subject == "out") for key in (pair.wrong, pair.right))
    evidence = {"is": wrong, "belongs": right}
    says = f"The error of {piece.name} is the difference of {wrong} and {right}: one stands where the other belongs."
    if pair.wrong[2] != pair.right[2]:
        if not pair.wrong[2]:
            return Diagnosis(Cause.MISSING_REDUCTION, f"{says} A sum is missing.", evidence)
        return Diagnosis(Cause.WRONG_AXIS, f"{says} A sum runs over the wrong axis.", evidence)
    mine, others = (Counter((*key[0], *key[1])) for key in (pair.wrong, pair.right))
    lost, gained = [*(others - mine)], [*(mine - others)]
    if lost and gained and all(" over " in name or " along " in name for name in (*lost, *gained)):
        return Diagnosis(Cause.WRONG_AXIS, f"{says} It runs over the wrong axis.", evidence)
    if not lost or not gained:  # which of the two has it is not seen: a term may enter with either sign
        cause = Cause.EXTRA_TERM if not lost and not pair.right[2] else Cause.MISSING_TERM
        return Diagnosis(cause, f"{says} They differ by the factor {', '.join((*lost, *gained))}.", evidence)
    return Diagnosis(Cause.WRONG_OPERAND, says, evidence)
