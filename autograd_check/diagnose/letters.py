"""Letters: the arrays of a call and what is usually made of them (1 − out, exp(x), x̂ ...), of which relations are spelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from autograd_check.diagnose.closeness import LOOSE, close
from autograd_check.diagnose.evidence import Evidence
from autograd_check.verify.tensors import leaves

SAMPLED = 48
"""So many entries of the first probe are compared with every term; what fits them is then compared with all entries."""

MOST_TRIED = 60
"""Candidates from the first probe that are held against the others."""

ENOUGH_ENTRIES = 5
"""So many entries (of all probes together) must be explained: a term that fits fewer is a coincidence."""

USUAL_EPS = 1e-5
"""What a normalisation adds to the variance where the call does not say."""

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

    `base` are letters of which products are made, `more` those that stand alone; neither holds the cotangent. With `whole`,
    the letters of the same call looked at in all entries, only the wrong entries are looked at.
    """

    piece: Evidence
    whole: Letters | None = None

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
        return (torch.ones_like(wrong) if self.whole is None else wrong).reshape(-1).nonzero().reshape(-1)

    @cached_property
    def dout(self) -> Tensor | None:
        """The cotangent where it fits the subject; ones for a value."""
        if self.piece.subject == "out":
            return torch.ones(self.shape, dtype=torch.float64)
        return self._fitted(self.piece.dout)

    @cached_property
    def base(self) -> dict[str, Tensor]:
        """Letters of which products are made."""
        if self.whole is not None:
            return self.whole.base
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
        return _finite(found | self._divided_by_rms(alike, found))

    @cached_property
    def primals(self) -> list[str]:
        """The letters that are primals or the output."""
        return [name for name in self.base if name in self.piece.primals or name == "out"]

    @cached_property
    def home(self) -> str:
        """The axes of which the output is the normalised input, scaled and shifted by primals; "" where it is not."""
        out = self._fitted(self.piece.out)
        primals = [self.base[name] for name in self.base if name in self.piece.primals]
        for words in REDUCTIONS if out is not None else ():
            hat = self.base.get(f"x̂ over {words}")
            if hat is not None and out is not None:
                scaled = [hat, *(hat * scale for scale in primals)]
                if any(close(out, one + shift) for one in scaled for shift in (torch.zeros_like(hat), *primals)):
                    return words
        return ""

    @cached_property
    def more(self) -> dict[str, Tensor]:
        """What is usually made of the letters, and the hyperparameters."""
        if self.whole is not None:
            return self.whole.more
        found: dict[str, Tensor] = {}
        for name, u in self.base.items():
            if name.startswith("out/"):
                found |= {f"(1 − {name})": 1 - u, f"{name}²": u**2, f"{name}(1 − {name})": u * (1 - u)}
            if (name not in self.primals and "−" not in name) or self._is_label(name):
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
            if name in self.piece.primals:
                found |= self._stable(name, u)
        for name, value in self.piece.hyper.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value not in (0, 1):
                found[name] = torch.full(self.shape, float(value), dtype=torch.float64)
        return _finite(found)

    @cached_property
    def made_of(self) -> dict[str, str]:
        """The letter of which another one is made."""
        return {
            name: root for name in self.more for root in self.primals if name.strip("|()²³1 −+").removeprefix(SIGN_OF) == root
        }

    @cached_property
    def alone(self) -> dict[str, Tensor]:
        """Every letter, products left out."""
        return {**self.base, **self.more} if self.whole is None else self.whole.alone

    def _is_label(self, name: str) -> bool:
        """Whether a letter stands for class numbers: a row of one 1 and zeros, of which nothing is made but itself."""
        x = self.piece.primals.get(name)
        return isinstance(x, Tensor) and not x.is_floating_point() and not x.is_complex() and x.dtype is not torch.bool

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

    def _divided_by_rms(self, alike: Sequence[tuple[str, Tensor]], found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """x/rms and 1/rms along the axes of which the output is just that, scaled by a primal; nothing where it is not."""
        out = self._fitted(self.piece.out)
        scales = [found[name] for name in found if name in self.piece.primals]
        for name, x in alike if out is not None else ():
            for words, axes_of in REDUCTIONS.items():
                axes = axes_of(x.dim())
                if not axes or name == "out" or out is None:
                    continue
                spread = torch.rsqrt(x.square().mean(axes, keepdim=True) + self._eps)
                if any(close(out, x * spread * scale) for scale in scales):
                    return {f"1/rms over {words}": spread.expand(self.shape), f"{name}/rms over {words}": x * spread}
        return {}

    @property
    def _eps(self) -> float:
        given = self.piece.hyper.get("eps", USUAL_EPS)
        return float(given) if isinstance(given, (int, float)) else USUAL_EPS

    def _statistics(self, name: str, x: Tensor) -> dict[str, Tensor]:
        """1/σ and x̂ along each choice of axes, and softmax along the last and the first."""
        found: dict[str, Tensor] = {}
        for words, axes_of in REDUCTIONS.items():
            axes = axes_of(x.dim())
            if not axes:
                continue
            if len(axes) == 1:
                found[f"softmax({name}) along {words}"] = torch.softmax(x, axes[0])
            if x.dim() > 1:
                centred = x - x.mean(axes, keepdim=True)
                spread = torch.rsqrt(centred.square().mean(axes, keepdim=True) + self._eps)
                found[f"({name} − mean) over {words}"] = centred
                found[f"1/σ over {words}"] = spread.expand(self.shape)
                found[f"x̂ over {words}"] = centred * spread
        return found

    def _stable(self, name: str, x: Tensor) -> dict[str, Tensor]:
        """The divisors of a sigmoid, of a softmax and of a log-sum-exp as they are written so that nothing overflows."""
        found = {f"1/(1 + exp(−|{name}|))": torch.sigmoid(x.abs())}
        for words in ("the last axis", "the first axis"):
            axes = REDUCTIONS[words](x.dim())
            if axes:
                shifted = torch.exp(x - x.amax(axes, keepdim=True))
                found[f"1/Σ exp({name} − max) over {words}"] = (1 / shifted.sum(axes, keepdim=True)).expand(self.shape)
        return found

    def chosen(self, value: Tensor) -> Tensor:
        """The entries looked at."""
        flat = value.expand(self.shape).reshape(-1)
        return flat if self.whole is None else flat[self.places]

    @cached_property
    def error(self) -> Tensor:
        """The difference of the two arrays at the entries looked at."""
        return self.chosen(self.piece.got - self.piece.expected)

    def letter(self, name: str) -> Tensor:
        """One letter at the entries looked at."""
        if name not in self._picked:
            self._picked[name] = self.chosen(self.alone[name])
        return self._picked[name]

    @cached_property
    def _picked(self) -> dict[str, Tensor]:
        return {}


def _finite(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The letters of one shape that have no infinite entry and no nan."""
    if not found:
        return found
    together = torch.stack(list(found.values()))
    finite = torch.isfinite(together).reshape(len(found), together[0].numel()).all(1).tolist()
    return {name: value for (name, value), keep in zip(found.items(), finite, strict=True) if keep}


def scalars(piece: Evidence) -> dict[str, float]:
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


def views(evidence: Sequence[Evidence]) -> Iterator[tuple[list[Letters], bool]]:
    """The letters of all probes, the probe that tells most first: for all entries, then for the wrong ones only."""
    if not usable(evidence):
        return
    telling = sorted(evidence, key=lambda piece: (-piece.expected.dim(), abs(piece.expected.numel() - SAMPLED)))
    whole = [Letters(piece) for piece in telling]
    yield whole, False
    part = [Letters(piece, one) for piece, one in zip(telling, whole, strict=True)]
    wrong = [one for one in part if len(one.places)]
    if wrong and any(len(one.places) < len(every.places) for one, every in zip(part, whole, strict=True)):
        yield wrong, True


def holds(letters: Sequence[Letters], sides: Callable[[Letters], tuple[Tensor, Tensor] | None]) -> bool:
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


def sample(count: int) -> Tensor:
    """So many of the entries, spread evenly."""
    return torch.linspace(0, count - 1, min(count, SAMPLED)).round().long()
