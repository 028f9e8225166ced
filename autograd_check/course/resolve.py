"""Words into probes: what each keyword means in a task, the sizes that follow, and the probes that every layer needs."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator

from autograd_check.course.draws import Draw, Shaped, integers, literal, normal
from autograd_check.course.probe import Convention, Probe, Sample
from autograd_check.course.shapes import REST, Named, Signature, Sizes
from autograd_check.course.words import At, Refused, RunOf, label
from autograd_check.errors import CourseError

TOO_PLAIN = (1, 2)
"""A first size of 1 hides a mean, and with 2 a factor N reads as a factor 2."""


@dataclass(frozen=True)
class Resolved:
    """What the keywords of one word mean: sizes, values of primals, hyperparameters."""

    sizes: Mapping[str, Any]
    values: Mapping[str, Any]
    hyper: Mapping[str, Any]


@dataclass(frozen=True)
class Frame:
    """What the words of one task stand in: its shapes, its definition, and what is given where a word says nothing.

    `fixed` are hyperparameters that the kind of task has by itself (`p`, `train`). Raises `CourseError` where the parts of a
    task do not fit together.
    """

    signature: Signature
    oracle: Callable[..., Any]
    sizes: Sizes
    hyper: Mapping[str, Any] = field(default_factory=dict)
    draws: Mapping[str, Draw] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parameters = [p for p in self._parameters() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        names = [primal.name for primal in self.signature.primals]
        if parameters and [p.name for p in parameters][: len(names)] != names:
            taken = ", ".join(p.name for p in parameters)
            raise CourseError(f"The oracle takes ({taken}) and the shapes say ({', '.join(names)}): use the same names.")
        for name, what in ((n, w) for w, given in (("draw", self.draws), ("hyper", self.hyper)) for n in given):
            known = names if what == "draw" else self.hypers
            if name not in known and not (what == "hyper" and self._takes_any()):
                raise CourseError(f"{what}=dict({name}=...): there is only {', '.join(known) or 'nothing of that kind'}.")
        lacking = [name for name in self.signature.sizes if name not in self.sizes]
        if lacking:
            raise CourseError(f"sizes= does not say how large {' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'}.")
        for primal in self.signature.primals:
            axes = dict.fromkeys(axis for axis in primal.axes or () if axis.name)  # one written twice is meant to be the same
            sizes = [size for axis in axes for size in axis.sizes(self.sizes)]
            if len(set(sizes)) < len(sizes):
                raise CourseError(f"{primal} has two axes of one size ({sizes}): with those a mistake of axes is not seen.")
        first = self._atoms()[:1]
        if first and self._get(first[0]) in TOO_PLAIN:
            raise CourseError(
                f"The first size is {self._get(first[0])}: take 3 or more, or a factor N is not seen (or reads as 2)."
            )

    @property
    def hypers(self) -> tuple[str, ...]:
        """Names of the hyperparameters: what the oracle takes besides the primals."""
        names = {primal.name for primal in self.signature.primals}
        kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        own = [p.name for p in self._parameters() if p.kind not in kinds and p.name not in names]
        return (*own, *self.fixed)

    def probe(self, word: At) -> Probe:
        """The probe of a word."""
        found = self.resolved(word)
        name = word.name or label(word.given)
        if not word.name and any(not isinstance(v, (int, float, str, bool, tuple)) for v in word.given.values()):
            raise CourseError(f"{word} gives more than numbers: say in a few words what it is, at('far from 0', ...).")
        return self.made(name, found, word.convention)

    def refusal(self, word: Refused) -> Probe:
        """The probe of something that must be refused."""
        found = self.resolved(word)
        sizes = self._sizes(found, str(word))
        shapes = {primal.name: self._shape(primal, found, sizes) for primal in self.signature.primals if primal.axes is not None}
        odd = {name for name, value in found.values.items() if isinstance(value, Shaped)}
        shared = {size for name in odd for size in self.signature.primal(name).names}
        unfit = tuple(
            primal.name for primal in self.signature.primals if primal.name in odd or (odd and shared & set(primal.names))
        )
        mentions = unfit if word.mentions is None else word.mentions
        name = word.name or " against ".join(f"{primal} {shapes[primal]}" for primal in mentions) or label(word.given)
        return self.made(name, found, word.meaning, mentions)

    def automatic(self, refusals: tuple[Refused, ...]) -> Iterator[tuple[Probe, str]]:
        """The probes that every layer needs: at the base sizes, one row, everything else 1, all sizes alike.

        Each with the reason why it is not to be made: the oracle refuses it, or a `refused` of the lesson covers it. Where it
        refuses the first, the lesson cannot be right. (Other memory, float32 and the second use of a cache are checked on these
        probes anyway.)
        """
        self._check_base()
        for name, sizes in self.variations():
            probe = self.made(name, Resolved(sizes, {}, {}))
            trouble = self.trouble(probe)
            if trouble and not sizes:
                raise CourseError(
                    f"The oracle cannot be run at the base sizes ({name}): it is {trouble}. Correct oracle= or draw=."
                )
            covering = next((str(word) for word in refusals if self._covers(word, sizes)), "")
            yield probe, trouble or (covering and f"the lesson refuses it: {covering}")

    def _check_base(self) -> None:
        """Raise `CourseError` where the oracle cannot be run at the base sizes, or gives what its shapes do not say."""
        probe = self.made("", Resolved({}, {}, {}))
        for parameter in self._parameters():
            if parameter.name in self.hypers and parameter.default is parameter.empty and parameter.name not in probe.hyper:
                name = parameter.name
                raise CourseError(
                    f"{name} has no value where a probe says nothing: give it a default in the oracle and in the forward "
                    f"({name}=1.0), or say hyper=dict({name}=...)."
                )
        at = f"at the base sizes ({self._base_name()})"
        try:
            value = self._value(probe)
        except Exception as error:
            way = "Import it behind ### BEGIN SPEC." if isinstance(error, NameError) else "Correct oracle= or sizes=."
            raise CourseError(f"The oracle cannot be run {at}: {type(error).__name__}: {error}. {way}") from error
        outs = value if isinstance(value, (tuple, list)) else (value,)
        for named, out in zip(self.signature.outs, outs, strict=False):
            if isinstance(out, torch.Tensor) and not self._fits(named, tuple(out.shape)):
                raise CourseError(f"The oracle gives {named.name} of shape {tuple(out.shape)} {at}, and the shapes say {named}.")

    def _fits(self, named: Named, shape: tuple[int, ...]) -> bool:
        """Whether a shape is that of an output, as far as its sizes are known."""
        if named.axes is None:
            return True
        said = [
            size
            for axis in named.axes
            for size in (axis.sizes(self.sizes) if not axis.name or axis.name in self.sizes else (None,))
        ]
        return len(said) == len(shape) and all(size in (None, got) for size, got in zip(said, shape, strict=True))

    def _value(self, probe: Probe) -> Any:
        """What the oracle gives there; what it warns of is not heard, what is wrong is said in a sentence."""
        primals = [sample(Generator().manual_seed(number)) for number, sample in enumerate(probe.primals.values())]
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.oracle(*primals, **probe.hyper)

    def trouble(self, probe: Probe) -> str:
        """Why the oracle gives nothing there: what it raises, or that its value is not finite. Empty where all is well."""
        try:
            value = self._value(probe)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        outs = value if isinstance(value, (tuple, list)) else (value,)
        return "" if all(bool(torch.isfinite(out).all()) for out in outs if isinstance(out, torch.Tensor)) else "not finite"

    def resolved(self, word: At | Refused | RunOf, letters: tuple[str, ...] = ()) -> Resolved:
        """What each keyword means. Raises `CourseError` with the three lists where one means nothing, or two things."""
        parts: dict[str, dict[str, Any]] = {"size": {}, "primal": {}, "hyperparameter": {}}
        lists = {
            "size": tuple(self.sizes),
            "primal": tuple(p.name for p in self.signature.primals),
            "hyperparameter": self.hypers,
        }
        for name, value in word.given.items():
            if name in letters:
                continue
            meant = [what for what, names in lists.items() if name in names]
            if not meant and self._takes_any():
                meant = ["hyperparameter"]
            if len(meant) != 1:
                known = "; ".join(f"{what}s: {', '.join(names) or 'none'}" for what, names in lists.items())
                near = difflib.get_close_matches(name, [n for names in lists.values() for n in names], 1)
                problem = f"is both a {' and a '.join(meant)}" if meant else "is nothing that this task has"
                raise CourseError(f"{word}: {name!r} {problem}{f'; did you mean {near[0]}?' if near else '.'} ({known})")
            parts[meant[0]][name] = value
        return Resolved(parts["size"], parts["primal"], parts["hyperparameter"])

    def made(
        self, name: str, found: Resolved, convention: Convention | None = None, mentions: tuple[str, ...] | None = None
    ) -> Probe:
        """The probe of what was resolved already."""
        sizes = self._sizes(found, repr(name))
        primals = {primal.name: self._sample(primal, found, sizes) for primal in self.signature.primals if primal.name != "state"}
        return Probe(name, primals, {**self.hyper, **found.hyper}, convention, mentions)

    def _sizes(self, found: Resolved, says: str) -> Sizes:
        """The base sizes, but for those that a word gives, or that a literal has."""
        fixed: dict[str, Any] = dict(found.sizes)
        for name, value in found.values.items():
            primal = self.signature.primal(name)
            if isinstance(value, Draw):
                if value.last is not None and primal.axes:
                    Named(primal.name, primal.axes[-1:]).fix((value.last,), fixed, says)
            elif not isinstance(value, Shaped) and primal.axes is not None:
                primal.fix(tuple(literal(value, whole=bool(primal.below)).shape), fixed, says)
        return {**self.sizes, **fixed}

    def _shape(self, primal: Named, found: Resolved, sizes: Sizes) -> tuple[int, ...]:
        value = found.values.get(primal.name)
        return value.shape(sizes) if isinstance(value, Shaped) else primal.shape(sizes)

    def _sample(self, primal: Named, found: Resolved, sizes: Sizes) -> Sample:
        value = found.values.get(primal.name)
        if value is not None and not isinstance(value, (Draw, Shaped)):
            if primal.axes is None:
                return lambda _: value
            exact = literal(value, whole=bool(primal.below))
            return lambda _: exact.clone()
        draw = value if isinstance(value, Draw) else self.draws.get(primal.name) or self._usual(primal, sizes)
        return draw.make(self._shape(primal, found, sizes), sizes)

    def _usual(self, primal: Named, sizes: Sizes) -> Draw:
        if primal.axes is None:
            raise CourseError(f"How is {primal.name} drawn? Say it: draw=dict({primal.name}=network(...)).")
        if primal.below:
            return integers(high=int(primal.below) if primal.below.isdigit() else int(sizes[primal.below]))
        return normal()

    def _atoms(self) -> list[tuple[str, int]]:
        """Every size that can be chosen, in order: its name, and its place in `rest`."""
        names = dict.fromkeys([*self.signature.sizes, *self.sizes])
        return [(name, k) for name in names for k in (range(len(self.sizes[REST])) if name == REST else (0,))]

    def _get(self, atom: tuple[str, int]) -> int:
        value = self.sizes[atom[0]]
        return int(value[atom[1]] if atom[0] == REST else value)

    def _with(self, values: Mapping[tuple[str, int], int]) -> dict[str, Any]:
        sizes: dict[str, Any] = {name: value for (name, _), value in values.items() if name != REST}
        if any(name == REST for name, _ in values):
            sizes[REST] = tuple(values.get((REST, k), size) for k, size in enumerate(self.sizes[REST]))
        return sizes

    def _base_name(self) -> str:
        return (
            ", ".join(
                f"{'shape' if len(self.sizes) == 1 else 'leading axes'} {tuple(size)}" if name == REST else f"{name}={size}"
                for name, size in self.sizes.items()
            )
            or "as it stands"
        )

    def variations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The sizes of the automatic probes by name: as they are, one row, everything else 1, all alike."""
        yield self._base_name(), {}
        atoms = self._atoms()
        if not atoms:
            return
        first, rest = atoms[0], atoms[1:]
        yield "batch of one" if first[0] in ("N", REST) else f"{first[0]}=1", self._with({first: 1})
        letters = [atom for atom in rest if atom[0] != REST]
        if letters:  # what has only leading axes has no axes that could be mistaken for one another
            yield f"{' = '.join(name for name, _ in letters)} = 1", self._with(dict.fromkeys(letters, 1))
            yield f"all sizes {self._get(first)}", self._with(dict.fromkeys(atoms, self._get(first)))

    def _covers(self, word: Refused, sizes: Mapping[str, Any]) -> bool:
        given = self.resolved(word)
        return bool(given.sizes) and not given.values and all(sizes.get(n, self.sizes[n]) == v for n, v in given.sizes.items())

    def _parameters(self) -> list[inspect.Parameter]:
        return parameters_of(self.oracle)

    def _takes_any(self) -> bool:
        return not self._parameters() or any(p.kind is p.VAR_KEYWORD for p in self._parameters())


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a function takes; nothing where it does not say, as a built-in function of torch."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
