"""Code under test in a process of its own, which can only send tensors back: the grader's side of it."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from autograd_check.causes import Cause
from autograd_check.errors import WireError
from autograd_check.run.deadline import PATIENCE, Stopwatch, processor_clock
from autograd_check.run.failures import timed_out_text
from autograd_check.run.lending import Lender
from autograd_check.run.replies import check_form, read_outcome, read_partial
from autograd_check.run.wire import REPLY, REQUEST, TooLarge, receive, send
from autograd_check.verify.candidate import Failure, Outcome, Point

MAX_LOSSES = 3
"""After so many processes of one file were lost, further calls fail at once."""

GRACE = 1.0
"""Seconds for a process that hung up to end by itself, so that its own exit code or signal can be told."""


class Births(Protocol):
    """Where processes come from: a `Zygote`."""

    @property
    def isolation(self) -> str:
        """What keeps the processes in check."""
        ...

    def birth(self) -> Any:
        """A new process: an object with its `pid` and its `channel`."""
        ...

    def end(self, child: Any, grace: float = 0.0) -> int | None:
        """End it; its own exit status if it had ended by itself."""
        ...


class Isolated:
    """A `Candidate` in a process of its own, started with the first question and again after it was lost.

    `deadline` is the seconds of its processor time that one request may take, `patience` the seconds by the clock; the
    grader keeps the time and kills. `lender` answers for the functions that the code borrows. Use it as a context manager,
    or call `close`.
    """

    def __init__(
        self,
        zygote: Births,
        source: str,
        filename: str,
        *,
        dependencies: Mapping[str, str],
        deadline: float,
        patience: float = PATIENCE,
        lender: Lender | None = None,
    ) -> None:
        self._zygote = zygote
        self._source = source
        self._filename = filename
        self._dependencies = dict(dependencies)
        self._seconds = deadline
        self._patience = patience
        self._lender = lender or Lender()
        self._child: Any = None
        self._loading: Outcome | None = None
        self._functions: tuple[str, ...] = ()
        self._losses = 0
        self._last_loss = Failure(Cause.DIED, "")
        self._pace: dict[str, float] = {}
        self.isolation = zygote.isolation

    def functions(self) -> tuple[str, ...]:
        """Names of the functions that the code defines (empty where it could not be loaded)."""
        self.loaded()
        return self._functions

    def loaded(self) -> Outcome:
        """What came of running the file itself."""
        if self._loading is None:
            self._loading = self._load()
        return self._loading

    def call(self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Outcome:
        """See `Candidate.call`."""
        return self._ask("call", function=function, args=list(args), kwargs=dict(kwargs or {}))

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
        started = time.monotonic()
        outcome = self._ask(
            "vjp",
            forward=forward,
            backward=backward,
            point=point,
            douts=list(douts),
            share_cache=share_cache,
            between=between,
            wrt=list(wrt),
        )
        runs = 1 if share_cache else max(len(douts), 1)
        self._pace[forward] = (time.monotonic() - started) / runs
        return outcome

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `Candidate.sweep`. Slow forwards are asked in portions, so that the deadline is one of a few calls."""
        values: list[Any] = []
        outcome = Outcome([])
        failure: Failure | None = None
        remaining = list(points)
        while remaining:
            portion, remaining = self._portion(forward, remaining)
            started = time.monotonic()
            outcome = self._ask("sweep", forward=forward, points=portion, signatures=signatures, returns_cache=returns_cache)
            self._pace[forward] = (time.monotonic() - started) / len(portion)
            if not isinstance(outcome.value, list):
                return outcome
            values += outcome.value
            failure = failure or outcome.failure
        useless = all(out is None for out, _ in values)
        return replace(outcome, value=values, failure=failure if useless else None)

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """See `Candidate.taped`."""
        return self._ask("taped", forward=forward, point=point, dout=dout, wrt=list(wrt), returns_cache=returns_cache)

    def timed(self, forward: str, backward: str, point: Point, dout: Any, times: int) -> Outcome:
        """See `Candidate.timed`."""
        return self._ask("timed", forward=forward, backward=backward, point=point, dout=dout, times=times)

    def operations(
        self, forward: str, point: Point, backward: str | None = None, dout: Any = None, *, returns_cache: bool = True
    ) -> Outcome:
        """See `Candidate.operations`."""
        return self._ask("operations", forward=forward, point=point, backward=backward, dout=dout, returns_cache=returns_cache)

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
        return self._ask(
            "trajectory",
            function=function,
            starts=list(starts),
            gradients=[list(grads) for grads in gradients],
            hyper=dict(hyper or {}),
            together=together,
        )

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            child, self._child = self._child, None
            self._zygote.end(child)

    def __enter__(self) -> Isolated:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _portion(self, forward: str, points: list[Point]) -> tuple[list[Point], list[Point]]:
        pace = self._pace.get(forward)
        size = 1 if pace is None else max(int(self._seconds / 2 / max(pace, 1e-9)), 1)
        return points[:size], points[size:]

    def _ask(self, ask: str, **given: Any) -> Outcome:
        loading = self.loaded()
        if loading.failure is not None:
            return Outcome(failure=loading.failure)
        if self._losses >= MAX_LOSSES:
            says = f"not called again after {self._losses} lost processes; the last: {self._last_loss.says}"
            return Outcome(failure=replace(self._last_loss, says=says))
        if self._child is None:
            again = self._load()
            if again.failure is not None:
                return Outcome(failure=again.failure)
        return self._exchange({"ask": ask, "with": given})

    def _load(self) -> Outcome:
        self._child = self._zygote.birth()
        outcome = self._exchange(
            {
                "source": self._source,
                "filename": self._filename,
                "dependencies": self._dependencies,
                "borrowed": self._lender.names,
                "deadline": self._seconds,
            }
        )
        if outcome.failure is not None:
            self.close()
        return outcome

    def _exchange(self, request: dict[str, Any]) -> Outcome:
        """One request and its answer; a process that gives none is ended, and the outcome says why."""
        number = secrets.token_hex(8)
        stopwatch = Stopwatch(self._seconds, self._patience, processor_clock(self._child.pid))
        out: list[Any] = []
        try:
            channel = self._child.channel
            channel.settimeout(self._patience)
            send(channel, {"id": number, **request}, REQUEST)
            while True:
                began = time.thread_time()
                reply = receive(channel, REPLY, stopwatch.left)
                if isinstance(reply, dict) and "partial" in reply and not out and request.get("ask") == "vjp":
                    out.append(read_partial(reply, number))
                    continue
                if isinstance(reply, dict) and "borrows" in reply:
                    send(channel, self._lender.answer(reply["borrows"]), REQUEST)
                    stopwatch.grant(time.thread_time() - began)  # to write and read it costs the other side about as much
                    continue
                outcome, functions = read_outcome(reply, number)
                if "ask" not in request:
                    self._functions = functions or ()
                else:
                    check_form(request["ask"], request["with"], outcome)
                return outcome
        except TimeoutError:
            failure = self._lost(Failure(Cause.TIMED_OUT, timed_out_text(stopwatch.reached)))
        except (EOFError, ConnectionError):
            failure = self._lost(None)
        except TooLarge as error:
            failure = self._lost(Failure(Cause.CRASHED, f"what it returned is too large to check: {error}"))
        except WireError as error:
            failure = self._lost(Failure(Cause.DIED, f"its process sent something that is no answer: {error}"))
        return Outcome(value=(out[0], []) if out else None, failure=failure)

    def _lost(self, failure: Failure | None) -> Failure:
        child, self._child = self._child, None
        status = self._zygote.end(child, GRACE if failure is None else 0.0)
        self._losses += 1
        self._last_loss = failure or _ending(status)
        return self._last_loss


def _ending(status: int | None) -> Failure:
    """How a process ended that hung up without an answer."""
    if status is None:
        return Failure(Cause.DIED, "its process closed the connection to the grader")
    if status >= 0:
        return Failure(Cause.EXITED, f"it ended its own process with exit code {status}")
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return Failure(Cause.DIED, f"its process was ended by {name}")
