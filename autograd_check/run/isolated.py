"""Code under test in a process of its own, which can only send tensors back: the grader's side of it."""

from __future__ import annotations

import secrets
import signal
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from autograd_check.causes import Cause
from autograd_check.errors import WireError
from autograd_check.run.deadline import PATIENCE, Stopwatch, processor_clock
from autograd_check.run.failures import timed_out_text
from autograd_check.run.lending import Lender
from autograd_check.run.replies import check_form, read_outcome, read_partial
from autograd_check.run.wire import REPLY, REQUEST, TooLarge, receive, send
from autograd_check.verify.candidate import Failure, Outcome, Point, Question

MAX_LOSSES = 3
"""After so many processes of one file were lost, further calls fail at once."""

AHEAD = 0.05
"""Seconds that a question may take, as far as is known, to be sent before it is asked: who has expected wrongly waits for it."""

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

    def dismiss(self, child: Any) -> None:
        """End it without waiting for its end."""
        ...

    def teach(self, question: Question) -> None:
        """Have a question known to the processes that will be forked."""
        ...

    def number_of(self, question: Question, child: Any) -> int | None:
        """The number by which a process knows a question; None where it does not."""
        ...


LISTS = ("points", "douts", "wrt")
"""Arguments of questions that are sent as lists, whatever sequences they are."""


def asked(question: Question) -> dict[str, Any]:
    """A question as a message."""
    return {"ask": question.ask, "with": {name: list(v) if name in LISTS else v for name, v in question.given.items()}}


@dataclass(frozen=True)
class Ahead:
    """A question that was sent before it was asked: the number of its answer, and when it was sent, by the clock."""

    question: Question
    number: str
    sent: float


class Isolated:
    """A `Candidate` in a process of its own, started with the first question and again after it was lost.

    `deadline` is the seconds of its processor time that one request may take, `patience` the seconds by the clock; the
    grader keeps the time and kills. `lender` answers for the functions that the code borrows. Use it as a context manager,
    or call `close`.
    """

    one_cache = False

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
        self._file_sent: str | None = None
        self._ahead: deque[Ahead] = deque()
        self._heard = 0.0
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
        return self._ask(Question("call", {"function": function, "args": list(args), "kwargs": dict(kwargs or {})}))

    def ask(self, question: Question) -> Outcome:
        """See `Candidate.ask`."""
        return self._swept(question) if question.ask == "sweep" else self._ask(question)

    def expect(self, questions: Sequence[Question]) -> None:
        """See `Candidate.expect`: the questions are sent at once, as far as their process knows them by their numbers.

        So nothing fills its channel while it has answers to send; and one that borrows gets no question in the place of an
        answer. Each question is a lesson for the zygote, once.
        """
        for question in questions:
            self._zygote.teach(question)
        if self._loading is None and self._child is None:
            self._begin()
        if self._child is None or self._lender.names:
            return
        for question in questions:
            request = self._request(question)
            if "taught" not in request or not self._is_short(question):
                return
            with suppress(OSError):  # one that has ended is noticed by whoever waits for its answer
                self._ahead.append(Ahead(question, self._send(request), time.monotonic()))

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
        given = {"forward": forward, "backward": backward, "point": point, "douts": douts}
        return self.ask(Question("vjp", {**given, "share_cache": share_cache, "between": between, "wrt": wrt}))

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `Candidate.sweep`. Slow forwards are asked in portions, so that the deadline is one of a few calls."""
        given = {"forward": forward, "points": points, "signatures": signatures, "returns_cache": returns_cache}
        return self.ask(Question("sweep", given))

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """See `Candidate.taped`."""
        given = {"forward": forward, "point": point, "dout": dout, "wrt": wrt, "returns_cache": returns_cache}
        return self._ask(Question("taped", given))

    def timed(self, forward: str, backward: str, point: Point, dout: Any, times: int) -> Outcome:
        """See `Candidate.timed`."""
        given = {"forward": forward, "backward": backward, "point": point, "dout": dout, "times": times}
        return self._ask(Question("timed", given))

    def operations(
        self, forward: str, point: Point, backward: str | None = None, dout: Any = None, *, returns_cache: bool = True
    ) -> Outcome:
        """See `Candidate.operations`."""
        given = {"forward": forward, "point": point, "backward": backward, "dout": dout, "returns_cache": returns_cache}
        return self._ask(Question("operations", given))

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
        given = {"function": function, "starts": list(starts), "gradients": [list(grads) for grads in gradients]}
        return self._ask(Question("trajectory", {**given, "hyper": dict(hyper or {}), "together": together}))

    def close(self) -> None:
        """End the process; nobody waits for its end."""
        if self._child is not None:
            child, self._child = self._child, None
            self._ahead.clear()
            self._zygote.dismiss(child)

    def __enter__(self) -> Isolated:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _swept(self, question: Question) -> Outcome:
        """A sweep in portions, so that the deadline is one of a few calls."""
        forward, points = question.given["forward"], question.given["points"]
        values: list[Any] = []
        outcome = Outcome([])
        failure: Failure | None = None
        remaining = points
        while remaining:
            size = self._portion(forward)
            whole = size >= len(remaining) == len(points)
            portion = question if whole else Question("sweep", {**question.given, "points": remaining[:size]})
            remaining = remaining[size:]
            outcome = self._ask(portion)
            if not isinstance(outcome.value, list):
                return outcome
            values += outcome.value
            failure = failure or outcome.failure
        useless = all(out is None for out, _ in values)
        return replace(outcome, value=values, failure=failure if useless else None)

    def _is_short(self, question: Question) -> bool:
        """Whether a question is sent ahead: what is known to take long is not, nor a sweep of which nothing is known."""
        pace, given = self._pace.get(question.given["forward"]), question.given
        if pace is None:
            return question.ask != "sweep"
        return pace * len(given.get("points") or given.get("douts") or "1") <= min(AHEAD, self._seconds / 2)

    def _portion(self, forward: str) -> int:
        """How many points of a sweep fit into one deadline; one while nothing is known of the pace."""
        pace = self._pace.get(forward)
        return 1 if pace is None else max(int(self._seconds / 2 / max(pace, 1e-9)), 1)

    def _ask(self, question: Question) -> Outcome:
        loading = self.loaded()
        if loading.failure is not None:
            return Outcome(failure=loading.failure)
        self._drop_others(question)
        if self._losses >= MAX_LOSSES:
            says = f"not called again after {self._losses} lost processes; the last: {self._last_loss.says}"
            return Outcome(failure=replace(self._last_loss, says=says))
        if self._child is None:
            again = self._load()
            if again.failure is not None:
                return Outcome(failure=again.failure)
        started, number = time.monotonic(), None
        if self._ahead:
            ahead = self._ahead.popleft()
            started, number = max(ahead.sent, self._heard), ahead.number
        outcome = self._exchange(question, number)
        self._note_pace(question.given, self._heard - started)
        return outcome

    def _drop_others(self, question: Question) -> None:
        """Pass over the answers to questions that were expected, and are not asked after all."""
        while self._ahead and self._ahead[0].question is not question:
            ahead = self._ahead.popleft()
            self._exchange(ahead.question, ahead.number)

    def _note_pace(self, given: Mapping[str, Any], seconds: float) -> None:
        """How long one run of a forward takes."""
        if "douts" in given:
            self._pace[given["forward"]] = seconds / (1 if given["share_cache"] else max(len(given["douts"]), 1))
        elif "points" in given:
            self._pace[given["forward"]] = seconds / len(given["points"])

    def _begin(self) -> None:
        """Send the file to a new process. What cannot be sent is found out again by whoever waits for the answer."""
        self._child = self._zygote.birth()
        with suppress(OSError, WireError):
            self._file_sent = self._send(self._file())

    def _file(self) -> dict[str, Any]:
        return {
            "source": self._source,
            "filename": self._filename,
            "dependencies": self._dependencies,
            "borrowed": self._lender.names,
            "deadline": self._seconds,
        }

    def _load(self) -> Outcome:
        if self._child is None:
            self._begin()
        number, self._file_sent = self._file_sent, None
        outcome = self._exchange(None, number)
        if outcome.failure is not None:
            self.close()
        return outcome

    def _request(self, question: Question | None) -> dict[str, Any]:
        """The message of a question, short where the process knows it by its number; of the file where there is none."""
        if question is None:
            return self._file()
        number = self._zygote.number_of(question, self._child)
        return asked(question) if number is None else {"taught": number}

    def _send(self, request: dict[str, Any]) -> str:
        """Send a request; the number that its answer must have."""
        number = secrets.token_hex(8)
        self._child.channel.settimeout(self._patience)
        send(self._child.channel, {"id": number, **request}, REQUEST)
        return number

    def _exchange(self, question: Question | None, sent: str | None = None) -> Outcome:
        """The answer to a question (None: to the file) that was `sent` or is sent now.

        A process that gives none is ended, and the outcome says why.
        """
        stopwatch = Stopwatch(self._seconds, self._patience, processor_clock(self._child.pid))
        out: list[Any] = []
        try:
            channel = self._child.channel
            number = sent or self._send(self._request(question))
            while True:
                began = time.thread_time()
                reply = receive(channel, REPLY, stopwatch.left)
                if isinstance(reply, dict) and "partial" in reply and not out and question is not None and question.ask == "vjp":
                    out.append(read_partial(reply, number))
                    continue
                if isinstance(reply, dict) and "borrows" in reply:
                    send(channel, self._lender.answer(reply["borrows"]), REQUEST)
                    stopwatch.grant(time.thread_time() - began)  # to write and read it costs the other side about as much
                    continue
                outcome, functions = read_outcome(reply, number)
                if question is None:
                    self._functions = functions or ()
                else:
                    check_form(question, outcome)
                return outcome
        except TimeoutError:
            failure = self._lost(Failure(Cause.TIMED_OUT, timed_out_text(stopwatch.reached)))
        except (EOFError, ConnectionError):
            failure = self._lost(None)
        except TooLarge as error:
            failure = self._lost(Failure(Cause.CRASHED, f"what it returned is too large to check: {error}"))
        except WireError as error:
            failure = self._lost(Failure(Cause.DIED, f"its process sent something that is no answer: {error}"))
        finally:
            self._heard = time.monotonic()
        return Outcome(value=(out[0], []) if out else None, failure=failure)

    def _lost(self, failure: Failure | None) -> Failure:
        child, self._child = self._child, None
        self._ahead.clear()
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
