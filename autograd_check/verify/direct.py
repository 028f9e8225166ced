"""The lightest candidate: two functions called directly, for the public checks of trusted code in this process.

No deadline, no captured prints: a developer's function may print and be debugged. Arguments are cloned before a call and
compared afterwards; a forward that was seen to leave them alone is then swept over the points as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.candidate import Failure, Outcome, Point
from autograd_check.verify.oracle import oracle_vjp
from autograd_check.verify.restore import Rewind, reseed
from autograd_check.verify.sweep import BatchedSweep
from autograd_check.verify.tree import is_tensor, leaves, map_tensors, named_leaves


class Direct:
    """A `PairCandidate` of one forward and one backward, both called as they are.

    `forward(*primals, **hyper)` gives `(out, cache)`, `backward(dout, cache)` the gradients. `body` is the forward in a
    form that torch can differentiate and batch, where there is one (the forward itself, unless told that there is none).
    `graph` is for a cache that is autograd's graph: only the first backward and its repetition get one of their own.
    `rewind` puts random numbers and running statistics back; it is called before every forward.
    """

    isolation = "same process; trusted code"

    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        *,
        graph: bool = False,
        body: Callable[..., Any] | None = None,
        rewind: Rewind = reseed,
    ) -> None:
        self._forward = forward
        self._backward = backward
        self._graph = graph
        self._body = body
        self._rewind = rewind
        self._tidy = False
        self._taping = False
        self._sweep = BatchedSweep(self._value, None if body is None else self._batchable)

    def functions(self) -> tuple[str, ...]:
        """Both names, whatever the functions call themselves."""
        return ("forward", "backward")

    def loaded(self) -> Outcome:
        """There is nothing to load."""
        return Outcome()

    def vjp(self, forward: str, backward: str, point: Point, douts: Sequence[Any], *, share_cache: bool = False) -> Outcome:
        """See `PairCandidate.vjp`."""
        changed: dict[str, None] = {}
        aliases: dict[str, None] = {}
        out: Any = None
        answers: list[Any] = []
        primals: dict[str, Any] = {}
        cache: Any = None
        try:
            for number, dout in enumerate(douts or (None,)):
                if number == 0 or not (share_cache or (self._graph and number < len(douts) - 1)):
                    primals = {name: _copy(value) for name, value in point.primals.items()}
                    value, cache = self._run(primals, point.hyper)
                    out = _copy(value) if out is None else out
                if dout is not None:
                    cotangent = _copy(dout)
                    answers.append(self._backward(cotangent, cache))
                    changed |= dict.fromkeys(_changed("dout", dout, cotangent))
                    if number == 0 and not self._graph:  # autograd itself hands one tensor to two inputs
                        aliases |= dict.fromkeys(_shared(answers[0], primals))
                for name, value in point.primals.items():
                    changed |= dict.fromkeys(_changed(name, value, primals[name]))
        except Exception as error:  # the code under test may raise anything
            return Outcome(None if out is None else (out, answers), _failure(error), tuple(changed), tuple(aliases))
        self._tidy = all(name.startswith("dout") for name in changed)
        return Outcome((out, answers), None, tuple(changed), tuple(aliases))

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.sweep`."""
        rows = self._sweep(points, signatures)
        if self._graph and not self._taping and all(out is None for out, _ in rows):
            self._taping = True  # a function that differentiates inside does not run with gradients switched off
            rows = self._sweep(points, signatures)
        return Outcome(rows)

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.taped`."""
        if self._graph and self._body is None:
            return Outcome(failure=Failure("missing", "the backward is the tape itself"))
        try:
            _, grads = oracle_vjp(self._batchable, point, wrt, dout)
        except Exception as error:  # the tape may break anywhere in code that was not written for it
            return Outcome(failure=_failure(error))
        return Outcome([grads[name] for name in wrt])

    def _run(self, primals: Mapping[str, Any], hyper: Mapping[str, Any]) -> tuple[Any, Any]:
        self._rewind()
        result = self._forward(*primals.values(), **hyper)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"forward must return (out, cache); it returned {type(result).__name__}")
        return result

    def _value(self, *primals: Any, **hyper: Any) -> Any:
        """`out` alone; of copies, unless the forward is known to leave its arguments alone."""
        given = primals if self._tidy else tuple(map(_follow, primals))
        self._rewind()
        with torch.set_grad_enabled(self._taping):
            return _detached(self._forward(*given, **hyper)[0]) if self._taping else self._forward(*given, **hyper)[0]

    def _batchable(self, *primals: Any, **hyper: Any) -> Any:
        """`out` alone, by the form that torch can differentiate and batch."""
        self._rewind()
        given = tuple(map(_follow, primals))
        return self._forward(*given, **hyper)[0] if self._body is None else self._body(*given, **hyper)


def _copy(value: Any) -> Any:
    return map_tensors(lambda tensor: tensor.detach().clone(), value)


def _detached(value: Any) -> Any:
    return map_tensors(lambda tensor: tensor.detach(), value)


def _follow(value: Any) -> Any:
    return map_tensors(lambda tensor: tensor.clone(), value)


def _changed(name: str, before: Any, after: Any) -> list[str]:
    pairs = zip(named_leaves(before, name), leaves(after), strict=True)
    return [path for (path, old), new in pairs if is_tensor(old) and not _equal(old, new)]


def _equal(old: Tensor, new: Tensor) -> bool:
    return torch.equal(old, new) or torch.equal(old.nan_to_num(), new.nan_to_num())


def _shared(answer: Any, primals: Mapping[str, Any]) -> list[str]:
    """Gradients that share memory with a primal or with another gradient."""
    owners: dict[int, str] = {}
    for name, value in primals.items():
        owners |= {_address(leaf): path for path, leaf in named_leaves(value, name) if _has_memory(leaf)}
    found: list[str] = []
    for path, leaf in named_leaves(answer if isinstance(answer, (tuple, list)) else [answer], "gradient"):
        if _has_memory(leaf):
            if _address(leaf) in owners:
                found.append(f"{path} shares memory with {owners[_address(leaf)]}")
            owners[_address(leaf)] = path
    return found


def _has_memory(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.numel() > 0


def _address(leaf: Tensor) -> int:
    return leaf.untyped_storage().data_ptr()


def _failure(error: Exception) -> Failure:
    cause = "not_implemented" if isinstance(error, NotImplementedError) else "crashed"
    return Failure(cause, str(error), type(error).__name__)
