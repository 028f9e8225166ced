"""Shapes as text: `x[N,D] w[D,M] y[N]<C params -> out[N,M]` is what a layer takes and gives.

| written            | means                                                                             |
|--------------------|-----------------------------------------------------------------------------------|
| `x[N,D]`, `w[]`    | a float64 tensor, 0-d where nothing stands between the brackets                   |
| `y[N]<C`           | integers in [0, C): never gets a gradient                                         |
| `x[...]`, `x[...,D]` | any number of leading axes; their sizes are the tuple called `rest`             |
| `wx[D,4H]`         | a number before a name multiplies; a number alone is a size                       |
| `params`, `state`  | no brackets: a nest of tensors, or the student's own                              |
| `H'`               | right of the arrow: a size that only the oracle knows                             |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from autograd_check.errors import CourseError

REST = "rest"
"""The name of the sizes that `...` stands for, a tuple."""

Sizes = Mapping[str, Any]
"""A number for each name, a tuple for `rest`."""

_NAMED = re.compile(r"([^\W\d]\w*)(?:\[([^\]]*)\](?:<(\w+))?)?")
_AXIS = re.compile(r"(\d*)([^\W\d]\w*'?)|(\d+)")


@dataclass(frozen=True)
class Axis:
    """One axis: `count` times the size `name`; just `count` where there is no name. `...` is the axis named `rest`."""

    name: str
    count: int = 1

    def sizes(self, sizes: Sizes) -> tuple[int, ...]:
        """The sizes that it stands for: one, or those of `rest`."""
        if self.name == REST:
            return tuple(sizes[REST])
        return (self.count * int(sizes[self.name]) if self.name else self.count,)


@dataclass(frozen=True)
class Named:
    """A tensor by name, or (where `axes` is None) a nest of tensors. `below`: integers under that size or number."""

    name: str
    axes: tuple[Axis, ...] | None
    below: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The sizes that it has, in order."""
        return tuple(axis.name for axis in self.axes or () if axis.name)

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """Its shape; () for a nest. Raises `KeyError` where a size is not given."""
        return tuple(size for axis in self.axes or () for size in axis.sizes(sizes))

    def fix(self, shape: tuple[int, ...], sizes: MutableMapping[str, Any], says: str) -> None:
        """Take from a literal's shape the sizes that it fixes. Raises `CourseError` where it does not fit."""
        axes = self.axes or ()
        open_axes = len(shape) - len(axes) + 1
        wrong = CourseError(f"{says}: {self.name} has shape {shape}, which is not {self}.")
        if (open_axes < 0) if REST in self.names else (len(shape) != len(axes)):
            raise wrong
        place = 0
        for axis in axes:
            got: Any = shape[place : place + open_axes] if axis.name == REST else shape[place]
            place += open_axes if axis.name == REST else 1
            if axis.name != REST:
                if got % axis.count or (not axis.name and got != axis.count):
                    raise wrong
                got //= axis.count
            if axis.name and sizes.setdefault(axis.name, got) != got:
                raise CourseError(f"{says}: {axis.name} is {sizes[axis.name]}, and {self.name} {shape} makes it {got}.")

    def __str__(self) -> str:
        """As an author writes it."""
        if self.axes is None:
            return self.name
        texts = (
            "..." if axis.name == REST else f"{axis.count}{axis.name}".removeprefix("1" if axis.name else "")
            for axis in self.axes
        )
        return f"{self.name}[{','.join(texts)}]{'<' if self.below else ''}{self.below}"


@dataclass(frozen=True)
class Signature:
    """What a function takes and what it gives, in order."""

    primals: tuple[Named, ...]
    outs: tuple[Named, ...]

    def primal(self, name: str) -> Named:
        """The primal of this name. Raises `KeyError`."""
        return next((primal for primal in self.primals if primal.name == name), None) or _missing(name)

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The primals that may get a gradient: no integers, and no state."""
        return tuple(primal.name for primal in self.primals if not primal.below and primal.name != "state")

    @property
    def sizes(self) -> tuple[str, ...]:
        """Names of all sizes of the primals, in the order in which they are first written."""
        below = (primal.below for primal in self.primals if primal.below and not primal.below.isdigit())
        return tuple(dict.fromkeys([*(name for primal in self.primals for name in primal.names), *below]))


def _missing(name: str) -> Named:
    raise KeyError(name)


def parse(text: str) -> Signature:
    """The signature that a text describes. Raises `CourseError`, which shows the part that cannot be read."""
    left, arrow, right = text.partition("->")
    if not arrow:
        raise CourseError(f"{text!r}: expected PRIMALS -> OUTPUTS, such as 'x[N,D] w[D,M] -> out[N,M]'.")
    signature = Signature(tuple(_all(left, text)), tuple(_all(right, text)))
    names = [primal.name for primal in signature.primals]
    for name in names:
        if names.count(name) > 1:
            raise CourseError(f"{text!r}: two primals are called {name}.")
    return signature


def axes_of(text: str, whole: str) -> tuple[Axis, ...]:
    """The axes in `N,4H` or `...,D`. Raises `CourseError`."""
    return tuple(_axis(word.strip(), whole) for word in text.split(",")) if text.strip() else ()


def _all(side: str, whole: str) -> Iterator[Named]:
    for word in side.split():
        found = _NAMED.fullmatch(word)
        if found is None:
            raise CourseError(f"{whole!r}: {word!r} cannot be read; write x[N,D], y[N]<C, x[...,D], or a name alone.")
        name, axes, below = found.groups()
        yield Named(name, None if axes is None else axes_of(axes, whole), below or "")


def _axis(word: str, whole: str) -> Axis:
    if word == "...":
        return Axis(REST)
    found = _AXIS.fullmatch(word)
    if found is None:
        raise CourseError(f"{whole!r}: {word!r} is not an axis; write a name (N), a number (3), both (4H), or `...`.")
    count, name, alone = found.groups()
    return Axis("", int(alone)) if alone else Axis(name, int(count or 1))
