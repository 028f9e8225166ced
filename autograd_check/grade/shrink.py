"""The smallest input that shows a mistake: a probe, shrunk to the smallest shapes and plainest numbers for which it still fails.

Delta debugging (Zeller, Hildebrandt 2002, Simplifying and isolating failure-inducing input) with moves for tensors: axes of the
same size are cut together, or some of them, parts of a list are left out, hyperparameters are left to their defaults, numbers
become 0, 1 or small. A move is kept where the definition still takes the input, is smooth there (plain numbers easily tie), and
the code under test still differs from it in the same result.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.course.spec import Layer, Lesson, Probe, Stateful, Stochastic
from autograd_check.grade.kinds.base import draw
from autograd_check.grade.kinds.mask import read_mask
from autograd_check.grade.kinds.stateful import single_calls
from autograd_check.requests import Candidate, Seed, StateAfter
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import LOSES_PROCESS
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.tensors import equal_bits, is_tensor, leaves, map_tensors, non_contiguous
from autograd_check.verify.trial import draw_cotangent, unpack

Differentiable = Layer | Stateful | Stochastic
Bounds = tuple[float, float, bool]
"""Smallest and largest number that probes draw for a primal, and whether all are whole."""

MOST_CALLS = 500
"""Calls of the code under test for one mistake: half a second, and the same input comes out on every machine."""
VISIBLE = 1e-3
"""A difference that is seen in printed numbers, relative to the largest entry; less only where the probe's own was less."""
NUDGE = 1e-6
"""How far inputs are moved to see whether the definition is smooth there, relative and absolute."""
FEW = 12
"""A tensor of more entries than this is made plain as a whole only."""
NOT_FINITE = "not finite"
PLAIN = (0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -0.5, 0.25, 0.75)


class Returned(Enum):
    """How a forward returns its state: `(out, state, cache)`, `((out, state), cache)`, or `(out, {"state": state, ...})`."""

    APART = auto()
    WITH_OUT = auto()
    IN_CACHE = auto()


@dataclass(frozen=True)
class Smallest:
    """The smallest input found. `subject` is `out` or a gradient; `path` leads to the leaf of it that differs, as indices.

    `dout` is None where `out` itself is wrong. `got` is what the code gave (None where it raised: then `raises` says what),
    `expected` what the definition gives. `answers` is how many values the backward returned, 0 for one that is no tuple. `file` is the student's,
    `returns` how its forward returns a state.
    """

    task: Differentiable
    point: Point
    dout: Tensor | None
    subject: str
    path: tuple[Any, ...]
    got: Any
    expected: Tensor
    raises: str = ""
    answers: int = 0
    file: Path = Path()
    returns: Returned = Returned.APART

    @property
    def size(self) -> int:
        """Entries of all tensors that go in."""
        return sum(leaf.numel() for leaf in _tensors(self.point))


def shrink(candidate: Candidate, lesson: Lesson, *, seed: int = 0) -> Smallest | None:
    """The smallest input on which the code differs from the definition of one of the lesson's layers; None where none does.

    Conventions are left out, and what only shows in many calls (a rate, a process that is lost).
    """
    for task in lesson.tasks:
        if isinstance(task, Layer | Stateful | Stochastic):
            points, edges = list(_points(task, seed)), list(_edges(task, seed))
            tries = [*((point, False) for point in points), *((point, True) for point in edges)]
            bounds = _bounds([*points, *edges])
            found = (_first(candidate, task, point, edge, bounds, seed) for point, edge in tries)
            try:
                smallest = next((one for one in found if one is not None), None)
            except _LostError:
                return None
            if smallest is not None:
                return replace(smallest, returns=_returned(candidate, smallest)) if isinstance(task, Stateful) else smallest
    return None


def _returned(candidate: Candidate, found: Smallest) -> Returned:
    """The form in which the forward returns a state, seen on its first call (`split_state` says which there are)."""
    calls = found.point.primals["state"].calls
    first = calls[0] if calls else Point({k: v for k, v in found.point.primals.items() if k != "state"}, found.point.hyper)
    value = candidate.call(found.task.forward, [*first.primals.values(), None], first.hyper).value
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return Returned.WITH_OUT if isinstance(value[0], (tuple, list)) else Returned.IN_CACHE
    return Returned.APART


def _points(task: Differentiable, seed: int) -> Iterator[Point]:
    """The ordinary probes of a task, then each once more with tensors that are not contiguous."""
    drawn = list(_drawn(task, seed))
    for lay in (_contiguous, non_contiguous):
        yield from (Point({name: map_tensors(lay, value) for name, value in p.primals.items()}, p.hyper) for p in drawn)


def _contiguous(tensor: Tensor) -> Tensor:
    return tensor.clone(memory_format=torch.contiguous_format)


def _drawn(task: Differentiable, seed: int) -> Iterator[Point]:
    if isinstance(task, Stateful):
        for run in task.runs:
            calls: list[Point] = []
            for number, probe in enumerate(run.calls):
                point = draw(probe, seed + number)
                if probe.convention is None:
                    yield Point({**point.primals, "state": StateAfter(tuple(calls))}, point.hyper)
                calls.append(point)
        return
    ordinary: list[Probe] = [probe for probe in task.probes if probe.convention is None]
    for number, probe in enumerate(ordinary):
        point = draw(probe, seed + number)
        if isinstance(task, Layer):
            yield point
        else:
            rates = [(0.5, False), *((p, True) for p in task.rates if p > 0)]
            yield from (Point(point.primals, {"p": p, "train": train, "generator": Seed(seed)}) for p, train in rates)


def _edges(task: Differentiable, seed: int) -> Iterator[Point]:
    """The probes of conventions: at those only a result that is not finite is certainly wrong."""
    if isinstance(task, Layer):
        edges = [(number, probe) for number, probe in enumerate(task.probes) if probe.convention is not None]
        yield from (draw(probe, seed + number) for number, probe in edges)


def _first(
    candidate: Candidate, task: Differentiable, point: Point, edge: bool, bounds: Mapping[str, Bounds], seed: int
) -> Smallest | None:
    """The result that is wrong at a point, shrunk; None where all are right. At an `edge` only what is not finite is wrong."""
    search = _Search(candidate, task, bounds, seed)
    for subject in ("out", *(f"d{name}" for name in task.wrt)):
        found = search.begin(point, subject)
        if found is not None and (search.kind == NOT_FINITE or not edge):
            return search.smallest(found)
    return None


class _LostError(Exception):
    """The code under test hung or ended its process: there is nothing more to ask it."""


@dataclass
class _Search:
    """What a search knows: the code, the definition, the range of each primal, and how many calls are left."""

    candidate: Candidate
    task: Differentiable
    bounds: Mapping[str, Bounds]
    seed: int
    calls: int = 0
    threshold: float = VISIBLE
    smooth: bool = True
    kind: str = ""

    def begin(self, point: Point, subject: str) -> Smallest | None:
        """Whether `subject` is wrong at a probe, with numbers as drawn; sets what counts as the same from now on."""
        self.threshold, self.smooth, self.kind = 1e-7, False, ""
        generator = Generator().manual_seed(self.seed)
        out = self._definition(point, None)
        if not isinstance(out, Tensor):
            return None
        found = self.tried(point, draw_cotangent(out, generator), subject)
        if found is not None:
            self.kind = _kind(found)
            self.threshold = min(VISIBLE, _difference(found) / 10)
            self.smooth = True
            self.smooth = self.again(found, point) is not None
        return found

    def again(self, found: Smallest, point: Point, dout: Tensor | None = None) -> Smallest | None:
        """The same result wrong at another point; the cotangent fits the shape of its `out`, plain where it was."""
        if self.calls >= MOST_CALLS:
            return None
        return self.tried(point, found.dout if dout is None else dout, found.subject)

    def tried(self, point: Point, dout: Tensor | None, subject: str) -> Smallest | None:
        """What is wrong with `subject` at a point, if it is."""
        try:
            base = self._definition(point, None)
            if not isinstance(base, Tensor) or not bool(torch.isfinite(base).all()) or not base.numel():
                return None
            dout = _fitted(dout, base)
            if not self._mask_shows(point, base, dout) or not self._sound(point, dout, subject):
                return None
        except Exception:  # the definition refuses what was left of the input
            return None
        self.calls += 1
        douts = [] if subject == "out" else [dout]
        outcome = self.candidate.vjp(self.task.forward, self.task.backward, point, douts, wrt=self.task.wrt)
        if outcome.failure is not None and outcome.failure.cause in LOSES_PROCESS:
            raise _LostError
        mine = None if outcome.value is None else outcome.value[0]
        expected = self._expected(point, dout, mine)
        if subject == "out":
            wanted, where = expected["out"], "out"
        else:
            wanted, where = expected[subject], subject
        shown = None if subject == "out" else dout
        if outcome.failure is not None and (outcome.value is None) == (subject == "out"):
            raised = f"{outcome.failure.exception}: {outcome.failure.says}"
            leaf = next((leaf for leaf in leaves(wanted) if is_tensor(leaf)), base)
            known = outcome.failure.exception and outcome.failure.exception != "NotImplementedError"
            made = Smallest(self.task, point, shown, where, (), None, leaf, raised)
            return made if known and self.kind in ("", _kind(made)) else None
        if outcome.value is None or outcome.failure is not None:
            return None
        if subject == "out":
            return self._compared(point, None, where, mine, wanted, 0)
        answer = outcome.value[1][0]
        unpacked = unpack(answer, self.task.wrt)
        if unpacked is None:
            return None
        several = isinstance(answer, (tuple, list)) and unpacked[f"d{self.task.wrt[0]}"].value is not answer
        count = len(answer) if several else 0
        return self._compared(point, shown, where, unpacked[subject].value, wanted, count)

    def _compared(self, point: Point, dout: Tensor | None, subject: str, got: Any, expected: Any, count: int) -> Smallest | None:
        others = dict(_paths(got))
        for path, right in _paths(expected):
            mine = others.get(path) if path or is_tensor(right) else None
            if not isinstance(right, Tensor):
                continue
            made = Smallest(self.task, point, dout, subject, path, mine, right, answers=count)
            if _difference(made) > self.threshold and self.kind in ("", _kind(made)):
                return made
        return None

    def _definition(self, point: Point, mask: Tensor | None) -> Any:
        with torch.no_grad():
            return self._oracle(mask)(*point.primals.values(), **point.hyper)

    def _oracle(self, mask: Tensor | None) -> Callable[..., Any]:
        task = self.task
        if isinstance(task, Stateful):
            return single_calls(task.oracle)
        if isinstance(task, Layer):
            return task.oracle

        def noisy(*primals: Any, p: float, **_: Any) -> Any:
            base = task.oracle(*primals)
            return base if mask is None else base * mask.to(base.dtype) / (1 - p)

        return noisy

    def _mask_shows(self, point: Point, base: Tensor, dout: Tensor) -> bool:
        """Whether no gradient depends on the mask where the output is 0 anyway: it is read from the output."""
        if not isinstance(self.task, Stochastic) or not point.hyper["train"]:
            return True
        seen = base != 0
        all_kept, none_unseen = (
            oracle_vjp(self._oracle(mask), point, self.task.wrt, dout)[1] for mask in (torch.ones_like(seen), seen)
        )
        return equal_bits(all_kept, none_unseen)

    def _expected(self, point: Point, dout: Tensor, mine: Any) -> dict[str, Any]:
        mask = None
        if isinstance(self.task, Stochastic) and point.hyper["train"]:
            base = self._definition(point, None)
            if isinstance(mine, Tensor) and mine.shape == base.shape:
                mask = read_mask(mine, base)
        out, grads = oracle_vjp(self._oracle(mask), point, self.task.wrt, dout)
        return {"out": out, **{f"d{name}": value for name, value in grads.items()}}

    def _sound(self, point: Point, dout: Tensor, subject: str) -> bool:
        """Whether what the definition gives is finite, and hardly moves where the inputs do."""
        values = self._numbers(point, dout, subject)
        if not all(bool(torch.isfinite(value).all()) for value in values):
            return False
        if not self.smooth:
            return True
        moved = Point(
            {
                name: map_tensors(_nudged, value) if name in (*self.task.wrt, "state") else value
                for name, value in point.primals.items()
            },
            point.hyper,
        )
        largest = max((float(value.abs().max()) for value in values if value.numel()), default=0.0)
        others = self._numbers(moved, dout, subject)
        return all(
            float((one - other).abs().max()) <= 0.1 * self.threshold * max(largest, 1e-30) + 1e-4 * largest
            for one, other in zip(values, others, strict=True)
            if one.numel()
        )

    def _numbers(self, point: Point, dout: Tensor, subject: str) -> list[Tensor]:
        out, grads = oracle_vjp(self._oracle(None), point, self.task.wrt, dout)
        return [leaf for leaf in leaves(out if subject == "out" else grads[subject[1:]]) if is_tensor(leaf)]

    def smallest(self, found: Smallest) -> Smallest:
        """Shapes first, then numbers, then whatever has become possible."""
        for moves in (_shorter, _cuts, _defaults, _cuts, self._plainer, _cuts, self._plain_entries, _cuts):
            try:
                found = self._exhausted(found, moves)
            except _LostError:
                break  # a smaller input made it hang: what was found so far shows the mistake
        return found

    def _exhausted(self, found: Smallest, moves: Callable[[Smallest], Iterator[tuple[Point, Tensor | None]]]) -> Smallest:
        moved = True
        while moved and self.calls < MOST_CALLS:
            moved = False
            for point, dout in moves(found):
                other = self.again(found, point, dout)
                if other is not None:
                    found, moved = other, True
                    break
        return found

    def _plainer(self, found: Smallest) -> Iterator[tuple[Point, Tensor | None]]:
        """Whole tensors made plain, the cotangent too; what is as plain as it gets is left."""
        for place, (name, leaf) in enumerate(_named(found.point)):
            for other in _plain_wholes(leaf):
                if _plainness(other) < _plainness(leaf) and self._fits(name, other):
                    yield _with(found.point, place, other), None
        if found.dout is not None:
            for other in _plain_wholes(found.dout):
                if float(other.abs().max()) > 0 and _plainness(other) < _plainness(found.dout):
                    yield found.point, other

    def _plain_entries(self, found: Smallest) -> Iterator[tuple[Point, Tensor | None]]:
        for place, (name, leaf) in enumerate(_named(found.point)):
            for other in _entries(leaf):
                if self._fits(name, other):
                    yield _with(found.point, place, other), None
        if found.dout is not None:
            yield from ((found.point, other) for other in _entries(found.dout))

    def _fits(self, name: str, tensor: Tensor) -> bool:
        """Whether the numbers are such as the probes draw for this primal: labels stay labels, what is positive stays so."""
        low, high, whole = self.bounds[name]
        inside = bool(((tensor >= low) & (tensor <= high)).all())
        return inside and (not whole or bool((tensor == tensor.round()).all()))


def _fitted(dout: Tensor | None, out: Tensor) -> Tensor:
    """The cotangent cut to another `out`, where that is smaller; drawn anew where it is not."""
    if dout is None or dout.dim() != out.dim() or any(o > d for o, d in zip(out.shape, dout.shape, strict=True)):
        drawn: Tensor = draw_cotangent(out, Generator().manual_seed(0))
        return drawn
    cut = dout[tuple(slice(0, size) for size in out.shape)]
    return cut.clone() if cut.is_contiguous() else cut


def _kind(found: Smallest) -> str:
    """In which way a result is wrong; a smaller input must be wrong in the same way, or it shows another mistake."""
    if found.raises:
        return found.raises.partition(":")[0]
    if not isinstance(found.got, Tensor) or found.got.shape != found.expected.shape:
        return "form"
    return "numbers" if bool(torch.isfinite(found.got.detach()).all()) else NOT_FINITE


def _difference(found: Smallest) -> float:
    """The largest difference relative to the largest entry; infinite for another form, or what is not finite."""
    if found.raises or not isinstance(found.got, Tensor) or found.got.shape != found.expected.shape:
        return float("inf")
    got, expected = found.got.detach().double(), found.expected.detach().double()
    if not bool(torch.isfinite(got).all()):
        return float("inf")
    if not expected.numel():
        return 0.0
    scale = max(float(got.abs().max()), float(expected.abs().max()), 1e-300)
    return float((got - expected).abs().max()) / scale


def _nudged(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    signs = torch.randint(0, 2, tensor.shape, generator=Generator().manual_seed(tensor.numel())) * 2 - 1
    return tensor + signs * NUDGE * (1 + tensor.abs())


def _tensors(point: Point) -> list[Tensor]:
    return [leaf for _, leaf in _named(point)]


def _named(point: Point) -> list[tuple[str, Tensor]]:
    """Every tensor of a point with the name of its primal, those of earlier calls as well."""
    found: list[tuple[str, Tensor]] = []
    for name, value in point.primals.items():

        def note(tensor: Tensor, name: str = name) -> Tensor:
            found.append((name, tensor))
            return tensor

        map_tensors(note, value)
    return found


def _rebuilt(point: Point, tensors: Sequence[Tensor]) -> Point:
    """The point with other tensors, in the same memory order as the old ones."""
    following = iter(tensors)
    return replace(point, primals={name: map_tensors(lambda _: next(following), value) for name, value in point.primals.items()})


def _with(point: Point, place: int, tensor: Tensor) -> Point:
    tensors = _tensors(point)
    return _rebuilt(point, [*tensors[:place], _laid(tensor, tensors[place]), *tensors[place + 1 :]])


def _laid(tensor: Tensor, like: Tensor) -> Tensor:
    return _contiguous(tensor) if like.is_contiguous() else non_contiguous(tensor)


def _bounds(points: Sequence[Point]) -> dict[str, Bounds]:
    """Smallest and largest number of each primal over all probes, and whether all are whole."""
    numbers: dict[str, list[Tensor]] = {}
    for point in points:
        for name, tensor in _named(point):
            numbers.setdefault(name, []).append(tensor.reshape(-1).double())
    joined = {name: torch.cat(parts) for name, parts in numbers.items()}
    return {
        name: (float(all_of.min()), float(all_of.max()), bool((all_of == all_of.round()).all()))
        if all_of.numel()
        else (0, 0, True)
        for name, all_of in joined.items()
    }


def _cuts(found: Smallest) -> Iterator[tuple[Point, Tensor | None]]:
    """Axes of one size cut together, most of them first, as short as may be first."""
    tensors = _tensors(found.point)
    axes = [(place, axis) for place, tensor in enumerate(tensors) for axis in range(tensor.dim())]
    sizes = sorted({tensors[place].shape[axis] for place, axis in axes}, reverse=True)
    for size in sizes:
        of_size = [(place, axis) for place, axis in axes if tensors[place].shape[axis] == size]
        for target in [target for target in (1, 2, 3, size - 1) if 0 < target < size]:
            for count in range(len(of_size), 0, -1):
                if count not in (len(of_size), 1) and len(of_size) > 7:
                    continue
                for chosen in itertools.combinations(of_size, count):
                    yield _rebuilt(found.point, [_cut(t, n, chosen, target) for n, t in enumerate(tensors)]), None


def _cut(tensor: Tensor, number: int, chosen: Sequence[tuple[int, int]], target: int) -> Tensor:
    cut = tensor
    for place, axis in chosen:
        if place == number:
            cut = cut.narrow(axis, 0, target)
    return tensor if cut is tensor else _laid(cut, tensor)


def _shorter(found: Smallest) -> Iterator[tuple[Point, Tensor | None]]:
    """One part of a list left out; one earlier call left out."""
    for name, value in found.point.primals.items():
        if isinstance(value, StateAfter):
            for number in range(len(value.calls)):
                calls = StateAfter(value.calls[:number] + value.calls[number + 1 :])
                yield replace(found.point, primals={**found.point.primals, name: calls}), None
        elif isinstance(value, list) and len(value) > 1:
            for number in range(len(value)):
                yield replace(found.point, primals={**found.point.primals, name: value[:number] + value[number + 1 :]}), None


def _defaults(found: Smallest) -> Iterator[tuple[Point, Tensor | None]]:
    """One hyperparameter left to its default."""
    if not isinstance(found.task, Stochastic):
        for key in found.point.hyper:
            yield replace(found.point, hyper={k: v for k, v in found.point.hyper.items() if k != key}), None


def _plain_wholes(tensor: Tensor) -> Iterator[Tensor]:
    if tensor.is_floating_point() or tensor.dtype == torch.int64:
        yield torch.zeros_like(tensor)
        yield torch.ones_like(tensor)
    if tensor.is_floating_point():
        counted = torch.arange(1, tensor.numel() + 1, dtype=tensor.dtype).reshape(tensor.shape)
        yield counted
        yield from (
            torch.full_like(tensor, 0.5),
            counted / 4,
            tensor.round(),
            (2 * tensor).round() / 2,
            (10 * tensor).round() / 10,
        )


def _entries(tensor: Tensor) -> Iterator[Tensor]:
    """One entry made plainer; not in tensors of many."""
    if tensor.dtype == torch.bool or tensor.numel() > FEW:
        return
    for number, value in enumerate(tensor.reshape(-1).tolist()):
        for other in PLAIN:
            if _rank(other) >= _rank(value):
                break
            if tensor.is_floating_point() or other == int(other):
                changed = _contiguous(tensor).reshape(-1)
                changed[number] = other
                yield _laid(changed.reshape(tensor.shape), tensor)


def _rank(value: float) -> int:
    """How plain a number is: 0 first; what is not in `PLAIN` by how many characters it takes."""
    return PLAIN.index(value) if value in PLAIN else len(PLAIN) + len(f"{value:g}") if float(f"{value:g}") == value else 99


def _plainness(tensor: Tensor) -> float:
    """Small for plain numbers; equal entries are plainer than different ones."""
    values = tensor.reshape(-1).tolist()
    return sum(_rank(float(value)) for value in values) / max(len(values), 1) + 0.5 * (len(set(values)) > 1)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The leaves of a nest, each with the indices and keys that lead to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _paths(item, (*path, number))
    else:
        yield path, value
