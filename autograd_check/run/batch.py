"""A forward at many points, on the side of the code under test: one by one, or all at once where the function allows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, overload

import torch
from torch import Tensor

from autograd_check.run.branches import BranchRecorder
from autograd_check.verify.candidate import Point
from autograd_check.verify.rays import Walk
from autograd_check.verify.slope import Row
from autograd_check.verify.tensors import copied, equal_bits, has_room, is_differentiable, largest, leaves, refilled


class Batch(Sequence[Row]):
    """Outputs of one batched call: each tensor of the output has the points along its first axis.

    A row is cut out when it is asked for; who takes differences of all rows uses `columns` as they are.
    """

    def __init__(self, form: Any, columns: Sequence[Tensor]) -> None:
        """`form` is the nest of one output, made of tensors alone; `columns` holds its leaves, stacked."""
        self._form = form
        self.columns = tuple(columns)

    def __len__(self) -> int:
        return len(self.columns[0])

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Batch: ...
    def __getitem__(self, index: int | slice) -> Row | Batch:
        if isinstance(index, slice):
            return Batch(self._form, [column[index] for column in self.columns])
        return self._row([column[index] for column in self.columns])

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, zip(*(column.unbind(0) for column in self.columns), strict=True))

    def _row(self, tensors: Sequence[Tensor]) -> Row:
        return tensors[0] if isinstance(self._form, Tensor) else refilled(self._form, tensors), None


def batchable(form: Any) -> bool:
    """Whether a nest is made of tensors alone, at least one."""
    found = leaves(form)
    return bool(found) and all(isinstance(leaf, Tensor) for leaf in found)


WORTHWHILE = 4
"""Fewer points than this are not worth a batch."""
MOST = 2**17
"""More entries of moving input than this gain nothing from a batch."""
FIRST = 2
"""So many points are evaluated before it is decided how the others are."""
LONG = 1.2e-3
"""A batch is tried where a loop over the points would take this many seconds: twice what `torch.vmap` itself takes."""
ROUNDING = 2**10
"""A batched operation may add in another order; more ulps than this (of the largest entry) are another result."""


def sweep(
    forward: Callable[..., Any], points: Sequence[Point], *, signatures: bool = False, begun: Sequence[Row] = ()
) -> list[Row]:
    """`(out, signature)` at every point; `out` None where the forward raises, `signature` None if not asked for.

    Every `out` has memory of its own: a forward that fills one buffer again and again is seen by its addresses, and then
    evaluated once more with copies. Of few points copies are made at once, since those may be kept for long. `begun` are the rows
    of the first points where somebody has evaluated them.
    """
    few = len(points) < WORTHWHILE
    with torch.no_grad():
        rows = [*begun, *(_evaluate(forward, point, signatures, few) for point in points[len(begun) :])]
        return rows if few or _apart(rows) else [_evaluate(forward, point, signatures, True) for point in points]


def _evaluate(forward: Callable[..., Any], point: Point, signature: bool, copying: bool) -> Row:
    try:
        if not signature:
            out = forward(*point.primals.values(), **point.hyper)
            return copied(out) if copying else out, None
        with BranchRecorder() as recorder:
            out = forward(*point.primals.values(), **point.hyper)
        return copied(out) if copying else out, recorder.digest()
    except Exception:  # whatever the code raises, there is no value here
        return None, None


def _apart(rows: Sequence[Row]) -> bool:
    """Whether no tensor of one row begins where one of another row does; all of them are alive, so their memory is not reused."""
    owners: dict[int, int] = {}
    for number, (out, _) in enumerate(rows):
        for leaf in leaves(out):
            placed = isinstance(leaf, Tensor) and leaf.layout is torch.strided and leaf.numel()
            if placed and owners.setdefault(leaf.data_ptr(), number) != number:
                return False
    return True


class BatchedSweep:
    """A sweep that tries `torch.vmap` once, and remembers whether the function allows it and gains from it.

    It does not where the function writes into tensors of its own, branches on values or leaves torch. The first points are
    evaluated one by one: they say how long the others would take, and what a batch has to give. Where that differs by more than
    rounding, or takes longer, no further one is tried. `batched` is None until that is decided.
    """

    def __init__(self) -> None:
        self.batched: bool | None = None
        self._same: bool | None = None

    def __call__(
        self,
        forward: Callable[..., Any],
        points: Sequence[Point],
        signatures: bool,
        form: Callable[..., Any] | None = None,
    ) -> Sequence[Row]:
        """`(out, signature)` at every point, in order.

        `form` is the same function in a form that can be batched where `forward` itself cannot; if it gives the same bits it is
        also what is called point by point, since it costs less. Both are the same from call to call (and not kept: who asks
        may hold this object).
        """
        form = form or forward
        usual = form if self._same else forward
        if signatures or self.batched is False or len(points) < WORTHWHILE:
            return sweep(usual, points, signatures=signatures)
        if self.batched:
            rows = self._at_once(form, points)
            self.batched = rows is not None
            return sweep(usual, points) if rows is None else rows
        return self._first(usual, form, points)

    def _first(self, forward: Callable[..., Any], form: Callable[..., Any], points: Sequence[Point]) -> Sequence[Row]:
        """A request while nothing is decided: of few points, or of a quick function, it decides nothing."""
        start = perf_counter()
        with torch.no_grad():
            rows = [_evaluate(forward, point, False, False) for point in points[:FIRST]]
        seconds = (perf_counter() - start) / FIRST * len(points)
        out = rows[0][0]
        if seconds > LONG and out is not None:
            start, self.batched = perf_counter(), False
            batch = self._at_once(form, points)
            if batch is not None and perf_counter() - start < seconds and _close(batch[0][0], out):
                self.batched = True
                return batch
        if self._same is None:
            self._same = form is not forward and equal_bits(sweep(form, points[:1])[0][0], out)
        return sweep(form if self._same else forward, points, begun=rows)

    def _at_once(self, form: Callable[..., Any], points: Sequence[Point]) -> Batch | None:
        if not isinstance(points, Walk) or _entries(points) > MOST:
            return None
        stacks = _stacked(points)
        return None if stacks is None else self._mapped(form, *stacks, points[0].hyper)

    @staticmethod
    def _mapped(form: Callable[..., Any], values: list[Any], axes: list[int | None], hyper: Any) -> Batch | None:
        shape: list[Any] = []

        def call(*primals: Any) -> Any:
            out = form(*primals, **hyper)
            shape.append(out)
            return tuple(leaves(out))

        try:
            with torch.no_grad():
                stacked = torch.vmap(call, in_dims=tuple(axes), randomness="same")(*values)
        except Exception:  # whatever forbids the batch, the function is called point by point
            return None
        return Batch(shape[0], stacked) if batchable(shape[0]) else None


def _entries(walk: Walk) -> int:
    """How many numbers a batched call would move."""
    names = {ray.primal for path, _ in walk.stops if path is not None for ray in path.rays}
    moving = [leaf for name in names for leaf in leaves(walk.origin.primals[name]) if isinstance(leaf, Tensor)]
    return len(walk) * sum(leaf.numel() for leaf in moving)


def _stacked(walk: Walk) -> tuple[list[Any], list[int | None]] | None:
    """Every primal with the axis along which its points lie (None where it does not move), for a batched call.

    None where a primal that moves is a nest of tensors, or a view into a larger storage.
    """
    moving: dict[str, list[int]] = {}
    for place, (path, _) in enumerate(walk.stops):
        for ray in path.rays if path is not None else ():
            moving.setdefault(ray.primal, []).append(place)
    primals = walk.origin.primals
    if not all(isinstance(primals[name], Tensor) and not has_room(primals[name]) for name in moving):
        return None
    ts = torch.tensor([t for _, t in walk.stops], dtype=torch.float64, device="cpu")
    values = [_stack(walk, name, moving[name], ts) if name in moving else x for name, x in primals.items()]
    return values, [0 if name in moving else None for name in primals]


def _stack(walk: Walk, name: str, places: list[int], ts: Tensor) -> Tensor:
    x: Tensor = walk.origin.primals[name].detach()
    column = x.new_empty((len(walk), *x.shape)).copy_(x)
    ts = ts.to(x.device, x.dtype).reshape(-1, *(1 for _ in x.shape))
    start = 0
    while start < len(places):
        path, stop = walk.stops[places[start]][0], start
        while stop < len(places) and walk.stops[places[stop]][0] is path and places[stop] - places[start] == stop - start:
            stop += 1
        if path is not None:
            run = slice(places[start], places[stop - 1] + 1)
            (ray,) = (ray for ray in path.rays if ray.primal == name)
            torch.addcmul(x, ts[run], ray.u, out=column[run])
        start = stop
    return column


def _close(one: Any, other: Any) -> bool:
    if other is None or len(leaves(one)) != len(leaves(other)):
        return False
    for a, b in zip(leaves(one), leaves(other), strict=True):
        if not isinstance(a, Tensor) or not isinstance(b, Tensor):
            continue
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        if torch.equal(a, b):
            continue
        if not is_differentiable(a):
            return False
        if a.numel():
            if largest(a - b) <= ROUNDING * torch.finfo(a.dtype).eps * largest(b) < math.inf:
                continue
            same = (a == b) | (a != a) & (b != b)
            size = torch.nan_to_num(b.abs(), 0.0, 0.0, 0.0).max()
            if not bool((same | ((a - b).abs() <= ROUNDING * torch.finfo(a.dtype).eps * size)).all()):
                return False
    return True
