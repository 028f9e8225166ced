"""The lightest candidate: two functions called directly, for the public checks of trusted code in this process.

No deadline, no captured prints: a developer's function may print and be debugged. Arguments are cloned before a call and
compared afterwards; a forward that was seen to leave them alone is then swept over the points as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.candidate import Failure, Outcome, Point
from autograd_check.verify.oracle import oracle_vjp
from autograd_check.verify.restore import Rewind, reseed
from autograd_check.verify.sweep import BatchedSweep, Known
from autograd_check.verify.tree import is_tensor, leaves, map_tensors, named_leaves


class Direct:
    """A `PairCandidate` of one forward and one backward, both called as they are.

    `forward(*primals, **hyper)` gives `(out, cache)`, `backward(dout, cache)` the gradients. `rewind` puts random numbers and
    running statistics back; it is called before every forward.
    """

    isolation = "same process; trusted code"

    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        *,
        rewind: Rewind = reseed,
    ) -> None:
        self._forward = forward
        self._backward = backward
        self._rewind = rewind
        self._tidy = False
        self._last: Known | None = None
        self._sweep = BatchedSweep(self._value, known=lambda: self._last)

    def functions(self) -> tuple[str, ...]:
        """Both names, whatever the functions call themselves."""
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
    ) -> Outcome:
        """See `PairCandidate.vjp`."""
        changed: list[str] = []
        spoilt: list[str] = []
        aliases: dict[str, None] = {}
        out: Any = None
        answers: list[Any] = []
        primals: dict[str, Any] = {}
        cache: Any = None
        try:
            for number, dout in enumerate(douts or (None,)):
                if number == 0 or not share_cache:
                    primals = {name: copied(value) for name, value in point.primals.items()}
                    start = perf_counter()
                    value, cache = self._run(tuple(primals.values()), point.hyper)
                    seconds = perf_counter() - start
                    changed += _news(point.primals, primals, changed)
                    if out is None:
                        out = copied(value)
                        self._last = Known(point, out, seconds)
                if number == 0 and between is not None:
                    with suppress(Exception):  # only what it leaves behind matters
                        self._run(tuple(map(copied, between.primals.values())), between.hyper)
                if dout is not None:
                    cotangent = copied(dout)
                    answers.append(self._backward(cotangent, cache))
                    spoilt += _news({"dout": dout, **point.primals}, {"dout": cotangent, **primals}, [*changed, *spoilt])
                    if number == 0:
                        aliases |= dict.fromkeys(_shared(answers[0], primals))
        except Exception as error:  # the code under test may raise anything
            value = None if out is None else (out, answers)
            return Outcome(value, failure_of(error), tuple(changed), tuple(spoilt), tuple(aliases))
        self._tidy = not changed
        return Outcome((out, answers), None, tuple(changed), tuple(spoilt), tuple(aliases))

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.sweep`."""
        return Outcome(self._sweep(points, signatures))

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.taped`."""
        try:
            _, grads = oracle_vjp(self._followed, point, wrt, dout)
        except Exception as error:  # the tape may break anywhere in code that was not written for it
            return Outcome(failure=failure_of(error))
        return Outcome([grads[name] for name in wrt])

    def _run(self, primals: tuple[Any, ...], hyper: Mapping[str, Any]) -> tuple[Any, Any]:
        self._rewind()
        result = self._forward(*primals, **hyper)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(f"forward must return (out, cache); it returned {type(result).__name__}")
        return result[0], result[1]

    def _value(self, *primals: Any, **hyper: Any) -> Any:
        """`out` alone; of copies, unless the forward is known to leave its arguments alone."""
        given = primals if self._tidy else tuple(map(_follow, primals))
        return self._run(given, hyper)[0]

    def _followed(self, *primals: Any, **hyper: Any) -> Any:
        """`out` alone, of copies that a tape follows: writing into its roots would be an error."""
        return self._run(tuple(map(_follow, primals)), hyper)[0]


def copied(value: Any) -> Any:
    """The same nest with every tensor copied, off any tape."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return map_tensors(lambda tensor: tensor.detach().clone(), value)


def detached(value: Any) -> Any:
    """The same nest with every tensor off any tape."""
    return map_tensors(lambda tensor: tensor.detach(), value)


def _follow(value: Any) -> Any:
    return map_tensors(lambda tensor: tensor.clone(), value)


def changes(name: str, before: Any, after: Any) -> list[str]:
    """Paths of the tensors whose contents differ."""
    if isinstance(before, Tensor):
        return [] if _equal(before, after) else [name]
    pairs = zip(named_leaves(before, name), leaves(after), strict=True)
    return [path for (path, old), new in pairs if is_tensor(old) and not _equal(old, new)]


def _news(before: Mapping[str, Any], after: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """Paths of arguments whose contents differ, and are not among the known ones."""
    return [path for name, value in before.items() for path in changes(name, value, after[name]) if path not in known]


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


def failure_of(error: Exception) -> Failure:
    """The failure for what code under test raised."""
    cause = "not_implemented" if isinstance(error, NotImplementedError) else "crashed"
    return Failure(cause, str(error), type(error).__name__)
