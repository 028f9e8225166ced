"""Code under test in this very process: for notebooks, debuggers, and code that is trusted anyway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from autograd_check.run import deadline as alarms
from autograd_check.run.deadline import Deadline
from autograd_check.run.session import Session, load
from autograd_check.verify.candidate import Outcome

DEADLINE = 5.0
"""Seconds that one call of a student's function may take."""

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
        capture: bool = True,
    ) -> None:
        alarm = Deadline(deadline)
        functions, loading = load(source, filename, dependencies, alarm, capture=capture)
        super().__init__(functions, loading, (filename,), alarm, capture=capture)
        self.isolation = in_process_isolation()

    @classmethod
    def of(cls, functions: Mapping[str, Callable[..., Any]], *, deadline: float = DEADLINE, capture: bool = True) -> InProcess:
        """A candidate of functions that exist already."""
        files = frozenset(f.__code__.co_filename for f in functions.values() if hasattr(f, "__code__"))
        made = cls.__new__(cls)
        Session.__init__(made, functions, Outcome(), files, Deadline(deadline), capture=capture)
        made.isolation = in_process_isolation()
        return made

    def close(self) -> None:
        """Nothing to end; here so that both executors close alike."""

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
