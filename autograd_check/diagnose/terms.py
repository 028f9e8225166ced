"""Relations by algebra: the wrong array is the right one with one factor or one term edited.

The arrays of a call (its inputs, its output, the cotangent, and what is usually made of them: 1 − out, exp(x), x̂ ...) are the
letters. Either the two arrays differ by a quotient of letters (a factor forgotten, too many, or another one in its place), or
their difference is a term f · Σ(dout · g) of letters, or such a term edited: the sum taken along another axis, averaged, of
the wrong sign, with one factor forgotten or another in its place. An edit counts only if it holds on every probe.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations_with_replacement
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import LOOSE, close
from autograd_check.diagnose.evidence import Evidence
from autograd_check.verify.finding import Diagnosis
from autograd_check.verify.tensors import leaves

SAMPLED = 48
"""So many entries of the first probe are compared with every term; what fits them is then compared with all entries."""

ENOUGH_ENTRIES = 5
"""So many entries (of all probes together) must be explained: a term that fits fewer is a coincidence."""

USUAL_EPS = 1e-5
"""What a normalisation adds to the variance where the call does not say."""

MOST_REDUCED = 10
"""Letters of which sums are made."""

MOST_ALIKE = 10
"""Pairs of terms that explain the error alike, of which the likeliest is named."""

MOST_TRIED = 60
"""Candidates from the first probe that are held against the others."""

ONE = "1"
SIGN_OF = "the sign of "
CURVES = ("exp(", "cos(", "sin(", "tanh(", "sigmoid(", "log(")
"""Letters that are another's place-holder and no factor of their own: sigmoid(-x) is exp(-x) sigmoid(x)."""

Axes = Callable[[int], tuple[int, ...]]
REDUCTIONS: Mapping[str, Axes] = {
    "the last axis": lambda dim: (dim - 1,) if dim else (),
    "the first axis": lambda dim: (0,) if dim else (),
    "all axes": lambda dim: tuple(range(dim)),
    "all axes but the last": lambda dim: tuple(range(dim - 1)),
    "all axes but the first": lambda dim: tuple(range(1, dim)),
    "all axes but the channels'": lambda dim: (0, *range(2, dim)) if dim else (),
    "the axes after the channels'": lambda dim: tuple(range(2, dim)),
}


@dataclass(frozen=True)
class Letters:
    """The letters of one call, broadcast to the shape of the subject, and the entries that are to be explained.

    `base` are letters of which products are made, `more` those that stand alone; neither holds the cotangent.
    """

    piece: Evidence
    only_wrong: bool

    @cached_property
    def shape(self) -> torch.Size:
        """The shape of the subject."""
        return self.piece.expected.shape

    @cached_property
    def places(self) -> Tensor:
        """The entries looked at: all, or the wrong ones."""
        error = (self.piece.got - self.piece.expected).abs()
        scale = max(float(self.piece.expected.abs().max()), float(self.piece.got.abs().max()))
        wrong = ~(error <= LOOSE * scale)
        return (wrong if self.only_wrong else torch.ones_like(wrong)).reshape(-1).nonzero().reshape(-1)

    @cached_property
    def dout(self) -> Tensor | None:
        """The cotangent where it fits the subject; ones for a value."""
        if self.piece.subject == "out":
            return torch.ones(self.shape, dtype=torch.float64)
        return self._fitted(self.piece.dout)

    @cached_property
    def base(self) -> dict[str, Tensor]:
        """Letters of which products are made."""
        found: dict[str, Tensor] = {ONE: torch.ones(self.shape, dtype=torch.float64)}
        named = [(name, x) for name, x in self.piece.primals.items() if isinstance(x, Tensor)]
        if self.piece.subject != "out":
            named.append(("out", self.piece.out))
        for name, value in named:
            fitted = self._fitted(value)
            if fitted is not None:
                found[name] = fitted
        alike = [(name, x.to(torch.float64)) for name, x in named if isinstance(x, Tensor) and x.shape == self.shape]
        for name, x in alike:
            if name == "out":
                found["exp(out)"] = torch.exp(x)
            elif x.dim():
                found |= self._statistics(name, x)
            if name != "out" and "out" in found and self.piece.out.shape == self.shape:
                found[f"out/{name}"] = self._per_input(x)
        inputs = [(name, x) for name, x in alike if name != "out"]
        for number, (one, a) in enumerate(inputs):
            for other, b in inputs[number + 1 :]:
                found[f"({one} − {other})"] = a - b
        return {name: value for name, value in found.items() if bool(torch.isfinite(value).all())}

    @cached_property
    def primals(self) -> list[str]:
        """The letters that are primals or the output."""
        return [name for name in self.base if name in self.piece.primals or name == "out"]

    @cached_property
    def more(self) -> dict[str, Tensor]:
        """What is usually made of the letters, and the hyperparameters."""
        found: dict[str, Tensor] = {}
        for name, u in self.base.items():
            if name.startswith("out/"):
                found |= {f"(1 − {name})": 1 - u, f"{name}²": u**2, f"{name}(1 − {name})": u * (1 - u)}
            if name not in self.primals and "−" not in name:
                continue
            cubed = {f"{name}³": u**3} if name in self.primals else {}
            found |= cubed | {
                f"(1 − {name})": 1 - u,
                f"(1 + {name})": 1 + u,
                f"{name}²": u**2,
                f"(1 − {name}²)": 1 - u**2,
                f"{name}(1 − {name})": u * (1 - u),
                f"exp({name})": torch.exp(u),
                f"exp(−{name})": torch.exp(-u),
                f"{SIGN_OF}{name}": torch.sign(u),
                f"|{name}|": u.abs(),
                f"sigmoid({name})": torch.sigmoid(u),
                f"tanh({name})": torch.tanh(u),
                f"cos({name})": torch.cos(u),
                f"sin({name})": torch.sin(u),
                f"log({name})": torch.log(u),
                f"({name} > 0)": (u > 0).to(torch.float64),
            }
        for name, value in self.piece.hyper.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value not in (0, 1):
                found[name] = torch.full(self.shape, float(value), dtype=torch.float64)
        return {name: value for name, value in found.items() if bool(torch.isfinite(value).all())}

    @cached_property
    def made_of(self) -> dict[str, str]:
        """The letter of which another one is made."""
        return {
            name: root for name in self.more for root in self.primals if name.strip("|()²³1 −+").removeprefix(SIGN_OF) == root
        }

    @cached_property
    def alone(self) -> dict[str, Tensor]:
        """Every letter, products left out."""
        return {**self.base, **self.more}

    def _fitted(self, value: Any) -> Tensor | None:
        """A tensor broadcast to the subject's shape; labels as one-hot rows; None where it does not fit."""
        if not isinstance(value, Tensor) or value.is_complex():
            return None
        if not value.is_floating_point() and value.dim() == len(self.shape) - 1 and value.shape == self.shape[:-1]:
            inside = value.dtype is not torch.bool and bool(((value >= 0) & (value < self.shape[-1])).all())
            if inside:
                return torch.nn.functional.one_hot(value.long(), self.shape[-1]).to(torch.float64)
        value = value.detach().to(torch.float64)
        if value.dim() == 1 and len(self.shape) > 2 and len(value) == self.shape[1]:  # one for each channel
            value = value.reshape(-1, *[1] * (len(self.shape) - 2))
        elif value.dim() == 1 and len(self.shape) == 2 and len(value) == self.shape[0] != self.shape[1]:
            value = value[:, None]
        try:
            fitted: Tensor = value.expand(self.shape)
        except RuntimeError:
            return None
        return fitted

    def _per_input(self, x: Tensor) -> Tensor:
        """out/x. Where both are 0 it is the slope there, as l'Hôpital says."""
        dout = torch.ones(()) if self.dout is None else self.dout
        return torch.where((x == 0) & (self.piece.out == 0), self.piece.expected / dout, self.piece.out / x)

    def _statistics(self, name: str, x: Tensor) -> dict[str, Tensor]:
        """1/σ and x̂ along each choice of axes, and softmax along the last and the first."""
        found: dict[str, Tensor] = {}
        given = self.piece.hyper.get("eps", USUAL_EPS)
        eps = float(given) if isinstance(given, (int, float)) else USUAL_EPS
        for words, axes_of in REDUCTIONS.items():
            axes = axes_of(x.dim())
            if not axes:
                continue
            if len(axes) == 1:
                found[f"softmax({name}) along {words}"] = torch.softmax(x, axes[0])
            if x.dim() > 1:
                centred = x - x.mean(axes, keepdim=True)
                spread = torch.rsqrt(centred.square().mean(axes, keepdim=True) + eps)
                found[f"({name} − mean) over {words}"] = centred
                found[f"1/σ over {words}"] = spread.expand(self.shape)
                found[f"x̂ over {words}"] = centred * spread
        return found

    def chosen(self, value: Tensor) -> Tensor:
        """The entries looked at."""
        return value.expand(self.shape).reshape(-1)[self.places]


def _scalars(piece: Evidence) -> dict[str, float]:
    """Usual divisors, which a term may carry."""
    first = next((leaf for leaf in leaves(dict(piece.primals)) if isinstance(leaf, Tensor) and leaf.dim()), None)
    rows = len(first) if first is not None else 1
    return {"": 1.0, "/N": 1.0 / max(rows, 1), "/entries": 1.0 / max(piece.expected.numel(), 1)}


def usable(evidence: Sequence[Evidence]) -> bool:
    """Whether the arrays can be compared entry by entry."""
    return all(
        piece.got.shape == piece.expected.shape
        and not piece.got.is_complex()
        and not piece.expected.is_complex()
        and bool(torch.isfinite(piece.got).all())
        and bool(torch.isfinite(piece.expected).all())
        for piece in evidence
    )


def _views(evidence: Sequence[Evidence]) -> Iterator[tuple[list[Letters], bool]]:
    """The letters of all probes, the probe that tells most first: for all entries, then for the wrong ones only."""
    if not usable(evidence):
        return
    telling = sorted(evidence, key=lambda piece: (-piece.expected.dim(), abs(piece.expected.numel() - SAMPLED)))
    whole = [Letters(piece, only_wrong=False) for piece in telling]
    yield whole, False
    part = [Letters(piece, only_wrong=True) for piece in telling]
    wrong = [one for one in part if len(one.places)]
    if wrong and any(len(one.places) < len(every.places) for one, every in zip(part, whole, strict=True)):
        yield wrong, True


def edited_factor(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """A factor that is missing, too many, or another one in its place; everywhere, or in all entries that are wrong."""
    for letters, only_wrong in _views(evidence):
        found = next((pair for pair in _quotients(letters[0]) if _holds(letters, partial(_quotient, *pair))), None)
        if found is not None and _varies(letters, *found):
            return _edited_factor(evidence[0].name, *found, only_wrong)
    return None


def _quotients(letters: Letters) -> list[tuple[str, str]]:
    """The pairs (f, g) with got · g = expected · f in the sampled entries, the likeliest mistake first."""
    names = list(letters.alone)
    places = _sample(len(letters.places))
    table = torch.stack([letters.chosen(letters.alone[name])[places] for name in names])
    got, expected = (letters.chosen(array)[places] for array in (letters.piece.got, letters.piece.expected))
    if not bool(got.any()):
        return []  # zeros are any factor that is 0
    mine, right = table * got, table * expected
    scale = torch.maximum(mine.abs().amax(1)[None, :], right.abs().amax(1)[:, None])
    fits = ((right[:, None] - mine[None, :]).abs().amax(2) <= LOOSE * scale) & (scale > 0)
    fits.fill_diagonal_(False)
    pairs = [(names[f], names[g]) for f, g in fits.nonzero().tolist()]
    pairs = [pair for pair in pairs if ONE not in pair or not any(name.startswith(CURVES) for name in pair)]
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


def _holds(letters: Sequence[Letters], sides: Callable[[Letters], tuple[Tensor, Tensor] | None]) -> bool:
    """Whether two sides are equal on every probe, with enough entries that say something."""
    telling = 0
    for one in letters:
        pair = sides(one)
        if pair is None:
            return False
        left, right = pair
        if not left.numel():
            continue
        scale = float(torch.maximum(left.abs(), right.abs()).max())
        if not float((left - right).abs().max()) <= LOOSE * scale:
            return False
        telling += int((right.abs() > LOOSE * scale).sum())
    return telling >= ENOUGH_ENTRIES


def _sample(count: int) -> Tensor:
    """So many of the entries, spread evenly."""
    return torch.linspace(0, count - 1, min(count, SAMPLED)).round().long()


Key = tuple[tuple[str, ...], tuple[str, ...], str]
"""A term: outer letters, inner letters, and along which axes the product of the inner ones with dout is summed ("" for none)."""


class Library:
    """Every term of one call, at the sampled entries."""

    def __init__(self, letters: Letters) -> None:
        """Make all terms. Without a cotangent that fits there are none."""
        self.letters = letters
        self.keys: list[Key] = []
        self._rows: list[Tensor] = []
        self.places = _sample(len(letters.places))
        if letters.dout is not None and len(letters.places):
            self._plain(letters.dout)
            self._reduced(letters.dout)
        self.values = torch.cat(self._rows) if self._rows else torch.zeros(0, len(self.places))

    def _plain(self, dout: Tensor) -> None:
        dim = len(self.letters.shape)
        twice = [words for words, axes_of in REDUCTIONS.items() if axes_of(dim) in self._before(words, dim)]
        names = [name for name in self.letters.base if not name.endswith(tuple(twice) or "-")]
        pairs = list(combinations_with_replacement(names, 2))
        alone = self.letters.alone
        cotangent = self._at(dout)
        for first, second in pairs:
            self._add((), (first, second), "", cotangent * self._at(alone[first]) * self._at(alone[second]))
        for name in self.letters.more:
            for other in (ONE, *self.letters.primals):
                self._add((), (name, other), "", cotangent * self._at(alone[name]) * self._at(alone[other]))

    def _reduced(self, dout: Tensor) -> None:
        base = self.letters.base
        seen: list[tuple[int, ...]] = []
        for words, axes_of in REDUCTIONS.items():
            axes = axes_of(dout.dim())
            if not axes or axes in seen:
                continue
            seen.append(axes)
            ends = (f"over {words}", f"along {words}")
            names = [name for name in base if name in (ONE, *self.letters.primals, "exp(out)") or name.endswith(ends)]
            pairs = list(combinations_with_replacement(names[:MOST_REDUCED], 2))
            inner = torch.stack([base[a] * base[b] * dout for a, b in pairs])
            sums = inner.sum([axis + 1 for axis in axes], keepdim=True).expand(inner.shape)
            inside = torch.stack([self._at(one) for one in sums])
            outside = torch.stack([self._at(base[a] * base[b]) for a, b in pairs])
            self._rows.append((outside[:, None] * inside[None]).reshape(-1, outside.shape[1]))
            self.keys += [(_product(outer), _product(inner), words) for outer in pairs for inner in pairs]

    @staticmethod
    def _before(words: str, dim: int) -> list[tuple[int, ...]]:
        """The axes of the reductions before this one: those names stand for them as well."""
        return [axes_of(dim) for axes_of in list(REDUCTIONS.values())[: list(REDUCTIONS).index(words)]]

    def _at(self, value: Tensor) -> Tensor:
        return self.letters.chosen(value)[self.places]

    def _add(self, outer: tuple[str, ...], inner: tuple[str, ...], words: str, row: Tensor) -> None:
        self.keys.append((_product(outer), _product(inner), words))
        self._rows.append(row[None])


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
    for letters, _ in _views(evidence):
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
        if not whole or piece.expected.numel() >= piece.out.numel():
            return None
        letters.append(Letters(replace(piece, got=piece.out, expected=piece.out), only_wrong=False))
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
        axes = axes_of(piece.dout.dim())
        mine = (piece.dout * one.base[pair[0]] * one.base[pair[1]]).sum(axes)
        target: Tensor = piece.got if wrong else piece.expected
        if mine.shape != target.shape or not close(mine, target):
            return False
        telling += target.numel()
    return bool(telling >= ENOUGH_ENTRIES)


def _error(letters: Letters) -> Tensor:
    return letters.chosen(letters.piece.got - letters.piece.expected)


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
        scale = _scalars(piece)[self.divisor] if self.divisor != "/count" else 1.0 / count
        return self.times * (scale if self.what != "averaged" else scale * (1 - 1 / count))


SHARES = tuple(
    Share(sign * times, divisor, what)
    for what, times in (("missing", 1.0), ("sign", 2.0), ("averaged", 1.0))
    for divisor in ("", "/count", "/N", "/entries")
    for sign in (1, -1)
)


def _multiple(letters: Sequence[Letters], library: Library) -> Diagnosis | None:
    """The error is a term: as it is (missing), twice (the sign), or all but its mean (a mean for a sum)."""
    error = _error(letters[0])[library.places]
    norms = (library.values * library.values).sum(1)
    ratios = torch.where(norms > 0, library.values @ error / norms, torch.zeros(()))
    left = (error - ratios[:, None] * library.values).abs().amax(1)
    fits = (left <= LOOSE * error.abs().max()) & (ratios != 0)
    keys = sorted((library.keys[place] for place in fits.nonzero().reshape(-1).tolist()), key=_weight)
    for key in keys[:MOST_TRIED]:
        for share in SHARES:
            if (share.what == "averaged" or share.divisor == "/count") and not key[2]:
                continue
            if share.what == "sign" and not key[2] and letters[0].piece.subject == "out":
                continue  # twice a product of letters may be any coefficient
            if _holds(letters, partial(_as_share, key, share)):
                return _multiple_says(letters, key, share)
    return None


def _edited_rest(letters: Sequence[Letters]) -> Diagnosis | None:
    """One of two terms is right; the rest has the wrong sign, or a factor is missing there or too many."""
    for name in letters[0].base:
        if name in letters[0].piece.hyper or any(name not in one.alone or one.dout is None for one in letters):
            continue
        rests = [(one, *_rest(one, name)) for one in letters]
        norms = sum(float((right * right).sum()) for _, _, right in rests)
        if not norms:
            continue
        c = sum(float((mine * right).sum()) for _, mine, right in rests) / norms
        subject, known = letters[0].piece.name, spelled(((), _product((name,)), ""), letters[0].piece.subject == "out")
        if abs(c + 1) < LOOSE and _holds(letters, partial(_negated, name)):
            says = f"{subject} has the term {known} right, and all the rest with the wrong sign."
            return Diagnosis(Cause.SIGN, says, {"right": known})
        for factor in letters[0].primals:
            if _holds(letters, partial(_rest_without, name, factor)):
                says = f"{subject} has the term {known} right; in the rest the factor {factor} is missing."
                return Diagnosis(Cause.MISSING_TERM, says, {"right": known, "factor": factor})
    return None


def _rest(letters: Letters, name: str) -> tuple[Tensor, Tensor]:
    """What is left of the wrong and of the right array without one term."""
    known = letters.chosen(letters.alone[name]) * letters.chosen(letters.dout if letters.dout is not None else torch.ones(()))
    return letters.chosen(letters.piece.got) - known, letters.chosen(letters.piece.expected) - known


def _negated(name: str, letters: Letters) -> tuple[Tensor, Tensor]:
    mine, right = _rest(letters, name)
    return mine, -right


def _rest_without(name: str, factor: str, letters: Letters) -> tuple[Tensor, Tensor] | None:
    if factor not in letters.alone or name not in letters.alone:
        return None
    mine, right = _rest(letters, name)
    return mine * letters.chosen(letters.alone[factor]), right


def _as_share(key: Key, share: Share, letters: Letters) -> tuple[Tensor, Tensor] | None:
    found = term(letters, key)
    return None if found is None else (_error(letters), found[0] * share.of(letters.piece, found[1]))


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
    return together > 0.5 * math.sqrt(mine * others)


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
        scales = [_scalars(letters.piece).get(self.divisor, 1.0 / count) for count in (wrong[1], right[1])]
        # the error plus the term that belongs: neither side is a small difference of large numbers
        return _error(letters) + self.sign * scales[1] * right[0], self.sign * scales[0] * wrong[0]


def _exchanged(letters: Sequence[Letters], library: Library) -> Diagnosis | None:
    """The error is the difference of two terms that differ in one place: axes, or one factor."""
    error = _error(letters[0])[library.places]
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(len(error), generator=generator, dtype=torch.float64)
    sizes = library.values.abs().amax(1)
    found: list[Exchange] = []
    for divisor in ("", "/count", "/N", "/entries"):
        scales = {words: _scale(letters[0], words, divisor) for words in {key[2] for key in library.keys}}
        scale = torch.tensor([scales[key[2]] for key in library.keys], dtype=torch.float64)
        values = library.values * scale[:, None]
        marks = values @ direction
        order = torch.argsort(marks)
        ranked = marks[order]
        tolerance = LOOSE * float(error.abs().max())
        for sign in (1, -1):
            wanted = marks + sign * (error @ direction)  # the term that stands there, for each that may belong
            low = torch.searchsorted(ranked, wanted - 10 * tolerance)
            high = torch.searchsorted(ranked, wanted + 10 * tolerance)
            pairs = [
                Exchange(library.keys[order[place]], library.keys[right], sign, divisor)
                for right in ((high > low) & (sizes > 0)).nonzero().reshape(-1).tolist()
                for place in range(int(low[right]), min(int(high[right]), int(low[right]) + 8))
                if _neighbours(library.keys[order[place]], library.keys[right])
            ]
            pairs.sort(key=lambda pair: (_weight(pair.right), _weight(pair.wrong)))
            found += [pair for pair in pairs[:MOST_TRIED] if _holds(letters, pair.sides)][:MOST_ALIKE]
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
        scale = _scalars(one.piece).get(pair.divisor, 1.0 / found[1])
        expected = one.chosen(one.piece.expected)
        left += float((expected - pair.sign * scale * found[0]).square().sum())
        whole += float(expected.square().sum())
    return (left / whole) ** 0.5 if whole else 1.0


def _scale(letters: Letters, words: str, divisor: str) -> float:
    """What a term is divided by; `words` name the axes over which it is summed."""
    if divisor != "/count":
        return _scalars(letters.piece)[divisor]
    dim = len(letters.shape)
    axes = REDUCTIONS[words](dim) if words else ()
    return 1.0 / max(math.prod(letters.shape[axis] for axis in axes), 1)


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
    if not lost and not pair.right[2]:
        return Diagnosis(Cause.EXTRA_TERM, f"{says} The factor {', '.join(gained)} is too many.", evidence)
    if not gained or not lost:
        return Diagnosis(Cause.MISSING_TERM, f"{says} The factor {', '.join((*lost, *gained))} is missing.", evidence)
    return Diagnosis(Cause.WRONG_OPERAND, says, evidence)
