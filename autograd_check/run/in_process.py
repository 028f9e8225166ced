"""Code under test in this very process: for notebooks, debuggers, and code that is trusted anyway."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import MappingProxyType
from typing import Any

from autograd_check.run import deadline as alarms
from autograd_check.run.batch import BatchedSweep
from autograd_check.run.caller import Request, Session, load
from autograd_check.run.deadline import DEADLINE, PATIENCE, Deadline, NoDeadline
from autograd_check.run.lending import Lender, borrowed_modules
from autograd_check.run.restore import Rewind, reseed
from autograd_check.verify.candidate import Outcome, Point
from autograd_check.verify.slope import Row

NOTHING: Mapping[str, str] = MappingProxyType({})


def in_process_isolation() -> str:
    """What keeps code in this process in check here."""
    if alarms.available():
        return "same process; deadline by alarm (not inside one long operation); trusted code only"
    return "same process; no deadline; trusted code only"


class InProcess(Session):
    """A `Candidate` whose functions run here. See `Session` for its methods.

    The deadline is an alarm, so it holds in the main thread on POSIX only (`isolation` says so), and one long operation in
    C outlasts it.
    """

    def __init__(
        self,
        source: str,
        filename: str,
        *,
        dependencies: Mapping[str, str] = NOTHING,
        deadline: float = DEADLINE,
        patience: float = PATIENCE,
        capture: bool = True,
        lender: Lender | None = None,
    ) -> None:
        alarm, lender = Deadline(deadline, patience), lender or Lender()
        borrowed = borrowed_modules(lender.names, lender.here)
        functions, loading = load(source, filename, dependencies, alarm, borrowed=borrowed, capture=capture)
        super().__init__(functions, loading, (filename,), alarm, capture=capture)
        self.isolation = in_process_isolation()

    @classmethod
    def of(
        cls,
        functions: Mapping[str, Callable[..., Any]],
        *,
        deadline: float = DEADLINE,
        patience: float = PATIENCE,
        capture: bool = True,
    ) -> InProcess:
        """A candidate of functions that exist already."""
        made = cls.__new__(cls)
        Session.__init__(made, functions, Outcome(), _files(functions), Deadline(deadline, patience), capture=capture)
        made.isolation = in_process_isolation()
        return made

    def close(self) -> None:
        """Nothing to end; here so that both executors close alike."""

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class Trusted(Session):
    """A `Candidate` of a forward and a backward that somebody is at work on, by the names "forward" and "backward".

    What they print is shown, a debugger may stop in them, autograd is as the caller left it, and no deadline ends them; ctrl-C
    ends the check as well. `rewind` puts random numbers and running statistics back, before every forward. A forward that was
    seen to leave its arguments alone is swept over the points as they are, and over all at once where it allows that.
    """

    _caught = (Exception, SystemExit)
    isolation = "same process; trusted code"

    def __init__(self, forward: Callable[..., Any], backward: Callable[..., Any], *, rewind: Rewind = reseed) -> None:
        functions = {"forward": forward, "backward": backward}
        super().__init__(functions, Outcome(), _files(functions), NoDeadline(math.inf), capture=False, rewind=rewind)
        self._tidy = False
        self._batched = BatchedSweep()

    def _surroundings(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def _forward(self, request: Request, name: str, point: Point) -> tuple[dict[str, Any], Any, Any]:
        found = super()._forward(request, name, point)
        self._tidy = not request.changed
        return found

    def _rows(self, forward: str, points: Sequence[Point], signatures: bool, returns_cache: bool) -> Sequence[Row]:
        if forward == "forward" and returns_cache:
            return self._batched(partial(self._value, "forward", True), points, signatures)
        return super()._rows(forward, points, signatures, returns_cache)

    def _lent(self, primals: tuple[Any, ...]) -> Sequence[Any]:
        return primals if self._tidy else super()._lent(primals)


def _files(functions: Mapping[str, Callable[..., Any]]) -> frozenset[str]:
    """Where functions were written: their lines are shown where they fail."""
    return frozenset(f.__code__.co_filename for f in functions.values() if hasattr(f, "__code__"))
