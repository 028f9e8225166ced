"""Any torch callable as a candidate: its backward is autograd's, and one graph serves many cotangents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.run.batch import BatchedSweep, Known
from autograd_check.run.failures import failure_of
from autograd_check.run.restore import Rewind
from autograd_check.run.side_effects import changed_paths
from autograd_check.verify.candidate import Failure, Outcome, Point
from autograd_check.verify.function import Wrapped
from autograd_check.verify.oracle import oracle_vjp
from autograd_check.verify.rows import Batch
from autograd_check.verify.tensors import copied
from autograd_check.verify.tree import leaves, map_tensors


@dataclass
class Run:
    """One taped forward: the point, the copies it was given, its output and graph, and each cotangent with what it gave."""

    point: Point
    primals: dict[str, Any]
    out: Any
    cache: Any
    seconds: float
    asked: list[tuple[Any, Any]] = field(default_factory=list)


class TorchCallable:
    """A `PairCandidate` of a torch callable.

    All cotangents of a request share a graph, so that a backward that spoils what it saved is seen; where the first is
    repeated, the forward runs once more, so that one that differs from run to run is seen. `body` is the forward of a
    `torch.autograd.Function` without its backward: what autograd can tape, and vmap batch.
    `doubted` is whether branches were asked for, as they are where a gradient did not agree at once.
    """

    isolation = "same process; trusted code"

    def __init__(self, wrapped: Wrapped, body: Callable[..., Any] | None, rewind: Rewind) -> None:
        self._wrapped = wrapped
        self._body = body
        self._rewind = rewind
        self._last: Run | None = None
        self._tidy = False
        self._taping = False
        self.doubted = False
        self._sweep = BatchedSweep(self._value, None if body is None else self._plainly, self._known)

    @property
    def outputs(self) -> int:
        """How many outputs of the last run have a gradient."""
        return sum(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in leaves(self._last.out)) if self._last else 0

    @property
    def returned(self) -> tuple[Any] | None:
        """What the last run gave, alone in a tuple; None where there was none."""
        return (self._last.out,) if self._last else None

    def functions(self) -> tuple[str, ...]:
        """Two names that stand for the callable and for autograd's backward."""
        return ("forward", "backward")

    def loaded(self) -> Outcome:
        """There is nothing to load."""
        return Outcome()

    def vjp(
        self,
        forward: str,
        backward: str,
        point: Point,
        douts: Sequence[Any],
        *,
        share_cache: bool = False,
        between: Point | None = None,
        wrt: Sequence[str] = (),
    ) -> Outcome:
        """See `PairCandidate.vjp`. Where the first cotangent is repeated, `out` is that of a second run.

        A graph belongs to its own forward, so nothing that runs in between (`between`) could change it.
        """
        changed: dict[str, None] = {}
        spoilt: dict[str, None] = {}
        answers: list[Any] = []
        run = self._last if self._last is not None and self._last.point is point else None
        try:
            if run is None:
                run = self._run(point)
            known = _recalled(run.asked, douts) if share_cache else None
            if known is not None:
                return Outcome((copied(run.out), known))
            for number, dout in enumerate(douts):
                if number and dout is douts[number - 1]:
                    answers.append(answers[-1])
                    continue
                cotangent = copied(dout)
                answers.append(self._wrapped.backward(cotangent, run.cache))
                run.asked.append((dout, answers[-1]))
                spoilt |= dict.fromkeys(changed_paths("dout", dout, cotangent))
            for name, value in point.primals.items():
                changed |= dict.fromkeys(changed_paths(name, value, run.primals[name]))
            again = run.out
            if len(douts) > 1 and douts[0] is douts[-1]:
                again = self._forward(point)[1]
        except Exception as error:  # the code under test may raise anything
            return Outcome(None if run is None else (copied(run.out), answers), failure_of(error), tuple(changed), tuple(spoilt))
        self._tidy = not changed
        return Outcome((copied(again), answers), None, tuple(changed), tuple(spoilt))

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.sweep`."""
        self.doubted = self.doubted or signatures
        rows = self._sweep(points, signatures)
        if not self._taping and not isinstance(rows, Batch) and all(out is None for out, _ in rows):
            self._taping = True  # a function that differentiates inside does not run with gradients switched off
            rows = self._sweep(points, signatures)
        return Outcome(rows)

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.taped`; without a `body` the backward is the tape itself."""
        if self._body is None:
            return Outcome(failure=Failure(Cause.MISSING, "the backward is the tape itself"))
        try:
            self._tidy = False  # a tape's roots may not be written into
            _, grads = oracle_vjp(self._plainly, point, wrt, dout)
        except Exception as error:  # the tape may break anywhere in code that was not written for it
            return Outcome(failure=failure_of(error))
        return Outcome([grads[name] for name in wrt])

    def _run(self, point: Point) -> Run:
        start = perf_counter()
        run = self._forward(point)
        self._last = Run(point, *run, perf_counter() - start)
        return self._last

    def _known(self) -> Known | None:
        run = self._last
        return None if run is None else Known(run.point, run.out, run.seconds)

    def _forward(self, point: Point) -> tuple[dict[str, Any], Any, Any]:
        self._rewind()
        primals = {name: copied(value) for name, value in point.primals.items()}
        with torch.enable_grad():
            out, cache = self._wrapped.forward(*primals.values())
        return primals, out, cache

    def _value(self, *primals: Any) -> Any:
        """`out` alone; of copies, unless the callable is known to leave its arguments alone."""
        self._rewind()
        given = primals if self._tidy else tuple(map(copied, primals))
        if not self._taping:
            return self._wrapped.forward(*given)[0]
        with torch.enable_grad():
            return map_tensors(Tensor.detach, self._wrapped.forward(*given)[0])

    def _plainly(self, *primals: Any) -> Any:
        """`out` alone, by the form without a backward of its own."""
        self._rewind()
        given = primals if self._tidy else tuple(map_tensors(Tensor.clone, value) for value in primals)
        return self._body(*given) if self._body is not None else None


def _recalled(asked: Sequence[tuple[Any, Any]], douts: Sequence[Any]) -> list[Any] | None:
    """What these cotangents gave: the first answer for the first occurrence of one, and so on; None where one is missing."""
    left = list(asked)
    found = []
    for dout in douts:
        place = next((k for k, (other, _) in enumerate(left) if other is dout), None)
        if place is None:
            return None
        found.append(left.pop(place)[1])
    return found
