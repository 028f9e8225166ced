"""Rays: directions that are exact in floating point, and the points along them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.memo import Memo
from autograd_check.verify.tensors import SQUARES, faithful_clone, has_room, is_differentiable, lasting, leaves, paired, replaced
from autograd_check.verify.tolerances import RATIO, STEPS

KINDS = ("uniform", "relative")
"""Sizes of a direction's entries: all of the size of rms(x), or each of the size of its own entry.

A third, "capped", is uniform, but moves no entry by more than a thousand times its own size: the finest steps of its ladder
are small for every entry.
"""
CAP = 2.0**10
Array = NDArray[np.float64]


def real_dtype(x: Tensor) -> torch.dtype:
    """The dtype of x, or of its real part."""
    return x.dtype.to_real() if x.is_complex() else x.dtype


def steps_of(x: Tensor) -> tuple[float, float]:
    """Largest and smallest step for x: double precision has room for 24 halvings, single for 8 (half is treated as single)."""
    return STEPS[torch.float64 if real_dtype(x) is torch.float64 else torch.float32]


@dataclass(frozen=True)
class Direction:
    """Entries `u` of the shape and dtype of x, and `narrowest`, the least |u| of an entry that moves."""

    u: Tensor
    narrowest: float


Source = Generator | int
"""Where random numbers come from: a generator, or the seed of one that starts anew, whose first numbers are kept."""

KEPT = 2**12
"""Up to this many entries the signs that a seed begins with are kept for the next function of a test-suite."""


def draw_directions(tensors: Sequence[Tensor], kinds: tuple[str, ...], source: Source) -> list[list[Direction]]:
    """For every tensor one direction of each kind: its shape and dtype, random signs, one to two times the kind's size.

    That size is the power of two next to it, and what it is multiplied by has so few digits that x + h·u is a floating-point
    number for every step h. (Not all are powers of two, so that two errors hardly ever cancel.) Where x is zero its rms is the
    size (1 where all is zero); an entry that is not finite does not move. Real and imaginary parts of a complex tensor move
    independently.
    """
    reals = [torch.view_as_real(x.detach().resolve_conj()) if x.is_complex() else x.detach() for x in tensors]
    drawn: list[list[Direction]] = [[] for _ in tensors]
    for dtype in dict.fromkeys(x.dtype for x in reals):
        places = [place for place, x in enumerate(reals) if x.dtype is dtype]
        counts = [reals[place].numel() for place in places]
        signs, ends = _signs(len(kinds), sum(counts), dtype, source), list(accumulate(counts, initial=0))
        for place, start, end in zip(places, ends, ends[1:], strict=False):
            drawn[place] = _directions(reals[place], signs[:, start:end], kinds)
    return [
        [replace(one, u=torch.view_as_complex(one.u)) for one in directions] if x.is_complex() else directions
        for x, directions in zip(tensors, drawn, strict=True)
    ]


def _directions(x: Tensor, signs: Array, kinds: tuple[str, ...]) -> list[Direction]:
    """A direction of each kind for one real tensor, from a row of signs for each."""
    size, found = x.abs().to("cpu", torch.float64).numpy(force=True).reshape(-1), []
    with np.errstate(all="ignore"):
        scale, still = _scale(size, x.dtype), None
        if not math.isfinite(scale):
            still = ~np.isfinite(size)
            size[still] = 0
            scale = _scale(size, x.dtype)
        own, least = size, scale
        if kinds != ("uniform",):
            own = _cut(math.sqrt(2) * size, 0)
            least = float(own.min())
            if least == 0:  # a subnormal number has no digits to cut
                own = np.where(own > 0, own, np.where(size > 0, size, scale))
                least = float(own.min())
        for kind, row in zip(kinds, signs, strict=True):
            u = row * (own if kind == "relative" else np.minimum(CAP * own, scale) if kind == "capped" else scale)
            if still is not None:
                u[still] = 0
            direction = torch.from_numpy(u.reshape(x.shape)).to(x.device, x.dtype)
            found.append(Direction(direction, least if kind == "relative" else scale))
    return found


def _signs(rows: int, count: int, dtype: torch.dtype, source: Source) -> Array:
    """Rows of numbers of either sign, one to two in size, with few digits."""
    if isinstance(source, int) and count <= KEPT and lasting():
        return _known_signs(rows, count, dtype, source)
    generator = Generator().manual_seed(source) if isinstance(source, int) else source
    like = torch.empty(0, dtype=dtype, device="cpu")
    signs = drawn_on(like, (rows, count), generator).double().numpy(force=True)
    # a p-bit mantissa holds the smallest step 2⁻ˢ of an entry as large as u in its upper s bits, one bit goes for the sum, and
    # no entry of x is above √count times the rms: p − s − 1 − ½·log₂ count bits are left for u
    digits = 1 - math.frexp(torch.finfo(dtype).eps)[1]
    spare = digits + math.frexp(steps_of(like)[1])[1] - 2 - math.ceil(0.5 * math.log2(count))
    signs += np.sign(signs)
    return _cut(signs, max(0, min(digits, spare)))


@lru_cache(maxsize=64)
def _known_signs(rows: int, count: int, dtype: torch.dtype, seed: int) -> Array:
    return _signs(rows, count, dtype, Generator().manual_seed(seed))


def _cut(numbers: Array, digits: int) -> Array:
    """The same numbers with so many binary digits behind the first, of their 52: in place."""
    numbers.view(np.int64)[...] &= -1 << (52 - digits)
    return numbers


def drawn_on(like: Tensor, shape: Sequence[int], generator: Generator) -> Tensor:
    """Uniform numbers in ±1 of the dtype and on the device of `like`: the same ones whatever the device, whose generator is the CPU's."""
    return torch.empty(tuple(shape), dtype=like.dtype, device="cpu").uniform_(-1, 1, generator=generator).to(like.device)


def _scale(size: Array, dtype: torch.dtype) -> float:
    """The power of two next to the root of the mean square; 1 where all is zero, not finite where an entry is not."""
    rms = math.sqrt(size.dot(size) / len(size))
    if not SQUARES[0] < rms < SQUARES[1]:
        largest = float(size.max())
        if not math.isfinite(largest) or not largest:
            return largest or 1.0
        size = size / largest
        rms = math.sqrt(size.dot(size) / len(size)) * largest
    mantissa, exponent = math.frexp(rms)
    most = math.frexp(torch.finfo(dtype).max)[1] - 1
    return math.ldexp(1.0, min(most, exponent - (mantissa < math.sqrt(0.5))))


@dataclass(frozen=True, eq=False)
class Ray:
    """The direction `u` in leaf number `leaf` of a primal, and the step from which its ladder goes down.

    `narrowest` is the least |u| of an entry that moves, `room` whether the tensor is a view into a larger storage (`has_room`).
    """

    primal: str
    leaf: int
    kind: str
    u: Tensor
    step: float
    narrowest: float
    room: bool = False

    @property
    def smallest(self) -> float:
        """The smallest step in the precision of this tensor."""
        return steps_of(self.u)[1]

    @property
    def rays(self) -> tuple[Ray, ...]:
        """Itself: the one ray that it moves along."""
        return (self,)

    @property
    def steps(self) -> tuple[float, ...]:
        """The steps of a quick measurement."""
        return tuple(self.step / RATIO**n for n in range(3))

    def at(self, point: Point, t: float) -> Point:
        """x + t·u in this tensor, all others as they are."""
        return Point({**point.primals, self.primal: self.moved(point.primals[self.primal], t)}, point.hyper)

    def moved(self, value: Any, t: float) -> Any:
        """The primal with x + t·u in this tensor."""
        x = value if isinstance(value, Tensor) else leaves(value)[self.leaf]
        # a view into a larger storage moves inside a copy of it
        there = faithful_clone(x).add_(self.u, alpha=t) if self.room else torch.add(x, self.u, alpha=t)
        return there if x is value else replaced(value, self.leaf, there)

    def slope(self, grad: Any) -> tuple[float, float]:
        """⟨g, u⟩ and ‖g·u‖₂ for the gradient of the primal; entries that do not move do not count."""
        g = leaves(grad)[self.leaf]
        if not isinstance(g, Tensor):  # a python number stands for a 0-d tensor
            g = torch.as_tensor(g if isinstance(g, (int, float, complex)) else math.nan, dtype=self.u.dtype)
        total, size = paired(g, self.u)
        return (total, size) if math.isfinite(total) else paired(torch.where(self.u != 0, g, 0), self.u)


@dataclass(frozen=True, eq=False)
class Bundle:
    """Rays that are walked at once: all their tensors move. `steps` are those of a quick measurement, `far` whether they are larger ones."""

    rays: tuple[Ray, ...]
    steps: tuple[float, ...] = ()
    far: bool = False

    @property
    def kind(self) -> str:
        """The kind of its rays."""
        return self.rays[0].kind

    def halves(self) -> list[Bundle]:
        """Two bundles, each with half of the rays."""
        middle = len(self.rays) // 2
        return [replace(self, rays=self.rays[:middle]), replace(self, rays=self.rays[middle:])]

    def at(self, point: Point, t: float) -> Point:
        """x + t·u in every tensor of a ray, all others as they are."""
        primals = dict(point.primals)
        for ray in self.rays:
            primals[ray.primal] = ray.moved(primals[ray.primal], t)
        return Point(primals, point.hyper)


Path = Ray | Bundle


def only(like: Tensor, places: slice | int, values: Any) -> Tensor:
    """Zeros but for some flat entries."""
    u = torch.zeros_like(like, memory_format=torch.contiguous_format)
    u.view(-1)[places] = values
    return u


class Walk(Sequence[Point]):
    """Points along rays through one point, each made when it is asked for: a large tensor is never held twenty times."""

    def __init__(self, point: Point, stops: Sequence[tuple[Path | None, float]]) -> None:
        self.origin = point
        self.stops = stops

    def __len__(self) -> int:
        return len(self.stops)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Walk(self.origin, self.stops[index])
        ray, t = self.stops[index]
        return self.origin if ray is None else ray.at(self.origin, t)

    def __iter__(self) -> Iterator[Point]:
        return (self.origin if path is None else path.at(self.origin, t) for path, t in self.stops)


def draw_rays(
    primals: Mapping[str, Any], names: Sequence[str], kinds: tuple[str, ...], source: Source, memo: Memo | None = None
) -> list[Ray]:
    """A ray of each kind through every differentiable tensor with entries of the named primals.

    Each tensor on its own: a large one would drown a small one. `memo` keeps the directions of these tensors.
    """
    tensors = [
        (name, position, leaf)
        for name in names
        for position, leaf in enumerate(leaves(primals[name]))
        if is_differentiable(leaf) and leaf.numel()
    ]
    alone = [leaf for _, _, leaf in tensors]
    drawn = (memo or Memo()).once(("directions", kinds, source), alone, lambda: draw_directions(alone, kinds, source))
    return [
        Ray(name, position, kind, one.u, largest, one.narrowest, room)
        for (name, position, leaf), directions in zip(tensors, drawn, strict=True)
        for largest, room in [(steps_of(leaf)[0], has_room(leaf))]
        for kind, one in zip(kinds, directions, strict=True)
    ]
