"""A candidate that remembers what its code printed: when the file was loaded, and when each function first ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograd_check.requests import Candidate
from autograd_check.verify.candidate import Outcome, Point, Question


class Listening:
    """Passes every question on to a `Candidate`. `printed` is what a person wants to read, not what thousands of calls say.

    Of each function that is the first request that printed: the first probe. A forward that ran with its backward comes
    before one that ran alone.
    """

    def __init__(self, candidate: Candidate) -> None:
        self._candidate = candidate
        self._loading = ""
        self._whole: dict[str, str] = {}
        self._parts: dict[str, str] = {}
        self.isolation = candidate.isolation
        self.one_cache = candidate.one_cache

    @property
    def printed(self) -> str:
        """Everything that is kept, in order of the calls; "" where nothing was printed."""
        texts = [self._loading, *(self._whole.get(name) or text for name, text in self._parts.items())]
        return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts if text)

    def functions(self) -> tuple[str, ...]:
        """See `Candidate.functions`."""
        return self._candidate.functions()

    def loaded(self) -> Outcome:
        """See `Candidate.loaded`."""
        outcome = self._candidate.loaded()
        self._loading = outcome.printed
        return outcome

    def call(self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Outcome:
        """See `Candidate.call`."""
        return self._heard(function, self._candidate.call(function, args, kwargs))

    def ask(self, question: Question) -> Outcome:
        """See `Candidate.ask`."""
        outcome = self._candidate.ask(question)
        if question.ask == "timed":
            return outcome
        function: str = question.given["forward" if "forward" in question.given else "function"]
        return self._heard(function, outcome, whole=question.ask == "vjp")

    def expect(self, questions: Sequence[Question]) -> None:
        """See `Candidate.expect`."""
        self._candidate.expect(questions)

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
        """See `Candidate.vjp`."""
        outcome = self._candidate.vjp(forward, backward, point, douts, share_cache=share_cache, between=between, wrt=wrt)
        return self._heard(forward, outcome, whole=True)

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `Candidate.sweep`. Where only a sweep prints, what a single point prints is not told apart."""
        return self._heard(forward, self._candidate.sweep(forward, points, signatures=signatures, returns_cache=returns_cache))

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """See `Candidate.taped`."""
        return self._heard(forward, self._candidate.taped(forward, point, dout, wrt, returns_cache=returns_cache))

    def timed(self, forward: str, backward: str, point: Point, dout: Any, times: int) -> Outcome:
        """See `Candidate.timed`. What it prints a thousand times nobody wants to read."""
        return self._candidate.timed(forward, backward, point, dout, times)

    def operations(
        self, forward: str, point: Point, backward: str | None = None, dout: Any = None, *, returns_cache: bool = True
    ) -> Outcome:
        """See `Candidate.operations`."""
        return self._heard(forward, self._candidate.operations(forward, point, backward, dout, returns_cache=returns_cache))

    def trajectory(
        self,
        function: str,
        starts: Sequence[Any],
        gradients: Sequence[Sequence[Any]],
        hyper: Mapping[str, Any] | None = None,
        *,
        together: bool = False,
    ) -> Outcome:
        """See `Candidate.trajectory`."""
        return self._heard(function, self._candidate.trajectory(function, starts, gradients, hyper, together=together))

    def _heard(self, function: str, outcome: Outcome, *, whole: bool = False) -> Outcome:
        if outcome.printed and whole:
            self._whole.setdefault(function, outcome.printed)
        if outcome.printed:
            self._parts.setdefault(function, outcome.printed)
        return outcome
