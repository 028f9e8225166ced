"""The candidate that is a torch callable: its backward is autograd's, and one graph serves many cotangents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.candidate import Failure, Outcome, Point
from autograd_check.verify.direct import changes, copied, detached, failure_of
from autograd_check.verify.function import Wrapped
from autograd_check.verify.oracle import oracle_vjp
from autograd_check.verify.restore import Rewind
from autograd_check.verify.sweep import BatchedSweep
from autograd_check.verify.tree import leaves


@dataclass
class Run:
    """One taped forward: the point, the copies it was given, its output and its graph, and its first backward."""

    point: Point
    primals: dict[str, Any]
    out: Any
    cache: Any
    first: tuple[Any, Any] | None = None


class Graph:
    """A `PairCandidate` of a torch callable.

    All cotangents of a request but the last share a graph; the last, which repeats the first, gets a graph of its own, so
    that both a second pass over one graph and a second run are seen. `body` is the forward of a `torch.autograd.Function`
    without its backward: what autograd can tape, and vmap batch.
    """

    isolation = "same process; trusted code"

    def __init__(self, wrapped: Wrapped, body: Callable[..., Any] | None, rewind: Rewind) -> None:
        self._wrapped = wrapped
        self._body = body
        self._rewind = rewind
        self._last: Run | None = None
        self._tidy = False
        self._taping = False
        self._sweep = BatchedSweep(self._value, None if body is None else self._plainly)

    @property
    def outputs(self) -> int:
        """How many outputs of the last run have a gradient."""
        return sum(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in leaves(self._last.out)) if self._last else 0

    def functions(self) -> tuple[str, ...]:
        """Two names that stand for the callable and for autograd's backward."""
        return ("forward", "backward")

    def loaded(self) -> Outcome:
        """There is nothing to load."""
        return Outcome()

    def vjp(self, forward: str, backward: str, point: Point, douts: Sequence[Any], *, share_cache: bool = False) -> Outcome:
        """See `PairCandidate.vjp`. `out` is that of the last forward that ran."""
        changed: dict[str, None] = {}
        answers: list[Any] = []
        run = self._last if self._last is not None and self._last.point is point else None
        try:
            if run is None:
                run = self._run(point)
            for number, dout in enumerate(douts):
                if number and number == len(douts) - 1 and not share_cache:
                    run = self._run(point)
                if number == 0 and share_cache and run.first is not None and run.first[0] is dout:
                    answers.append(run.first[1])
                    continue
                cotangent = copied(dout)
                answers.append(self._wrapped.backward(cotangent, run.cache))
                run.first = run.first or (dout, answers[-1])
                changed |= dict.fromkeys(changes("dout", dout, cotangent))
            for name, value in point.primals.items():
                changed |= dict.fromkeys(changes(name, value, run.primals[name]))
        except Exception as error:  # the code under test may raise anything
            return Outcome(None if run is None else (copied(run.out), answers), failure_of(error), tuple(changed))
        self._tidy = all(name.startswith("dout") for name in changed)
        return Outcome((copied(run.out), answers), None, tuple(changed))

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.sweep`."""
        rows = self._sweep(points, signatures)
        if not self._taping and all(out is None for out, _ in rows):
            self._taping = True  # a function that differentiates inside does not run with gradients switched off
            rows = self._sweep(points, signatures)
        return Outcome(rows)

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.taped`; without a `body` the backward is the tape itself."""
        if self._body is None:
            return Outcome(failure=Failure("missing", "the backward is the tape itself"))
        try:
            _, grads = oracle_vjp(self._plainly, point, wrt, dout)
        except Exception as error:  # the tape may break anywhere in code that was not written for it
            return Outcome(failure=failure_of(error))
        return Outcome([grads[name] for name in wrt])

    def _run(self, point: Point) -> Run:
        self._rewind()
        primals = {name: copied(value) for name, value in point.primals.items()}
        with torch.enable_grad():
            out, cache = self._wrapped.forward(*primals.values())
        self._last = Run(point, primals, out, cache)
        return self._last

    def _value(self, *primals: Any) -> Any:
        """`out` alone; of copies, unless the callable is known to leave its arguments alone."""
        self._rewind()
        given = primals if self._tidy else tuple(map(copied, primals))
        if not self._taping:
            return self._wrapped.forward(*given)[0]
        with torch.enable_grad():
            return detached(self._wrapped.forward(*given)[0])

    def _plainly(self, *primals: Any) -> Any:
        """`out` alone, by the form without a backward of its own."""
        self._rewind()
        given = (value.clone() if isinstance(value, Tensor) else value for value in primals)
        return self._body(*given) if self._body is not None else None
