"""The code under test, wherever it runs: in this process, or in another one that can only send tensors back.

A check never calls a student's function itself. It asks a `Candidate`, which clones every argument before the call, keeps
the `cache` on its own side, and turns whatever happens (an exception, `sys.exit`, an endless loop) into a `Failure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from autograd_check.causes import Cause


@dataclass(frozen=True)
class Opaque:
    """Stands for a returned value that is no tensor, number, string, list, tuple or dict: only its type's name."""

    type_name: str


@dataclass(frozen=True)
class Failure:
    """Why a call gave no value. `cause` is of the vocabulary of diagnoses.

    One of `not_implemented`, `missing` (no such function), `crashed`, `exited`, `timed_out`, `wrong_arity` (a forward that
    does not return `(out, cache)`), `forbidden_operation`, `died`.
    `exception` is the exception's class name, `says` its text, `where` "file:line" in the student's file, `trace` the
    student's own frames only.
    """

    cause: Cause
    says: str
    exception: str = ""
    where: str = ""
    trace: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of one request: a value or a failure, and what the call did besides.

    `changed` names arguments whose contents differ after the call ("x"), `spoilt` those that only a backward changed ("dout",
    or "x" through its cache); `aliases` names pairs of results and arguments that share memory where they must not ("db
    shares memory with x").
    """

    value: Any = None
    failure: Failure | None = None
    changed: tuple[str, ...] = ()
    spoilt: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    printed: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.failure is None


@dataclass(frozen=True)
class Point:
    """One set of arguments of a forward function: primals by name (in order) and keyword hyperparameters.

    A primal is a tensor, or a nested list or tuple of tensors (a network's parameters).
    """

    primals: Mapping[str, Any]
    hyper: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Question:
    """Something to ask of candidates, known again by its identity: the name of one of their methods, the arguments by name."""

    ask: str
    given: Mapping[str, Any]


class PairCandidate(Protocol):
    """What checks of a forward and a backward may ask. Every method returns; none raises for what the code under test does."""

    isolation: str
    one_cache: bool
    """Whether all cotangents of a vjp share a cache, asked for or not: then nothing is learned from asking."""

    def functions(self) -> tuple[str, ...]:
        """Names of the functions that the code defines (empty where it could not be loaded)."""
        ...

    def loaded(self) -> Outcome:
        """What came of running the file itself."""
        ...

    def ask(self, question: Question) -> Outcome:
        """What the method that the question names gives."""
        ...

    def expect(self, questions: Sequence[Question]) -> None:
        """These will be asked next, in this order: who answers in another process may begin with them at once."""
        ...

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
        """Run the forward, then the backward for every cotangent; the value is `(out, [grads, ...])`.

        Each backward gets a cache of its own from a forward of its own, unless `share_cache`. With `between` another forward
        runs there before the first backward, whatever comes of it. `wrt` are the primals that get a gradient, in order: the
        names in `aliases` are made of them; nobody looks for aliases where the cache is shared. A failure of the backward still carries `value=(out, [])`.
        """
        ...

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """Evaluate the forward at many points: the value is a list of `(out, signature)`, `signature` None if not asked.

        A point at which the forward raises has `out` None; where it raises at every point there is a failure as well.
        Where a forward does not return `(out, cache)` but `out` alone, say `returns_cache=False`.
        """
        ...

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """`torch.autograd` of the code's own forward: a list of gradients in the order of `wrt` (None where the tape is cut)."""
        ...
