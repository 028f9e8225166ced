"""The process that runs one student's file: it waits for a request, calls a function, answers with plain values."""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd_check.causes import Cause
from autograd_check.errors import WireError
from autograd_check.run import limits
from autograd_check.run.caller import Session, load
from autograd_check.run.confine import Confinement
from autograd_check.run.deadline import NoDeadline
from autograd_check.run.lending import Ask, borrowed_modules
from autograd_check.run.source import own_names
from autograd_check.run.wire import REPLY, REQUEST, pack, receive
from autograd_check.verify.candidate import Failure, Outcome

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Prepared:
    """What a zygote has ready for all processes that it forks: each has its own copy, as of everything in memory.

    `taught` are questions that each of them knows by their numbers, `names` python's own for the student's file, `size` the
    bytes of address space of the zygote, and of each process as it begins.
    """

    taught: Sequence[Mapping[str, Any]] = ()
    names: dict[str, Any] = field(default_factory=own_names)
    size: int = 0


def become_student(descriptor: int, allowance: limits.Allowance, confinement: Confinement, prepared: Prepared) -> None:
    """Turn this freshly forked process into one that serves a single student's file. Never returns."""
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        limits.silence((0, 1, 2))
        limits.keep_only({descriptor, *confinement.descriptors()})
        channel = socket.socket(fileno=descriptor)
        gc.enable()
        limits.apply(allowance, prepared.size)
        confinement.apply()
        serve(channel, prepared)
    finally:
        # Never into the grader's code that is still on this stack, nor into anybody's exit handlers.
        os._exit(0)


def forget_environment() -> None:
    """Leave only those variables that python and torch look at: a student's code can read them."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    os.environ.clear()
    os.environ.update(kept)


def serve(channel: socket.socket, prepared: Prepared) -> None:
    """Load the file of the first message, then answer requests until the grader hangs up."""
    # Bound now: what the student patches later does not reach them.
    ask, answer = receive, pack
    try:
        first = ask(channel, REQUEST)
        deadline, given, filename = NoDeadline(first["deadline"]), first["dependencies"], first["filename"]
        borrowed = borrowed_modules(first["borrowed"], _asker(channel, ask, answer))
        functions, loading = load(first["source"], filename, given, deadline, borrowed=borrowed, names=prepared.names)
        session = Session(functions, loading, (filename,), deadline)
        names = [name for name in functions if len(name) <= 100][:500]
        _reply(channel, answer, {"id": first["id"], "functions": names}, loading)
        requests = _requests(session)
        while True:
            request = ask(channel, REQUEST)
            question = prepared.taught[request["taught"]] if "taught" in request else request
            arguments = dict(question["with"])
            if question["ask"] == "vjp":
                arguments["told"] = _partial_sender(channel, answer, request["id"])
            _reply(channel, answer, {"id": request["id"]}, requests[question["ask"]](**arguments))
    except (EOFError, OSError):
        return


def _requests(session: Session) -> Mapping[str, Callable[..., Outcome]]:
    return {
        "call": session.call,
        "vjp": session.vjp,
        "sweep": session.sweep,
        "taped": session.taped,
        "operations": session.operations,
        "timed": session.timed,
        "trajectory": session.trajectory,
    }


def _asker(channel: socket.socket, ask: Callable[..., Any], answer: Callable[..., Any]) -> Ask:
    """Asks the grader for the value of a borrowed function, in the middle of a request."""

    def asker(question: dict[str, Any]) -> dict[str, Any]:
        channel.sendall(b"".join(answer({"borrows": question}, REPLY)))
        given: dict[str, Any] = ask(channel, REQUEST)
        return given

    return asker


def _partial_sender(channel: socket.socket, answer: Callable[..., Any], number: str) -> Callable[[Any], None]:
    def send_partial(out: Any) -> None:
        try:
            pieces = answer({"id": number, "partial": out}, REPLY)
        except WireError:
            # The full answer will be too large as well, and says so.
            return
        channel.sendall(b"".join(pieces))

    return send_partial


def _reply(channel: socket.socket, answer: Callable[..., Any], about: dict[str, Any], outcome: Outcome) -> None:
    try:
        pieces = answer({**about, "outcome": outcome_record(outcome)}, REPLY)
    except WireError as error:
        pieces = _refusal(answer, about, f"what it returned is too large to check: {error}")
    except Exception as error:  # a tensor of a student's own may raise wherever it is touched
        pieces = _refusal(answer, about, f"what it returned cannot be read: {type(error).__name__}: {str(error)[:300]}")
    channel.sendall(b"".join(pieces))


def _refusal(answer: Callable[..., Any], about: dict[str, Any], says: str) -> Any:
    return answer({**about, "outcome": outcome_record(Outcome(failure=Failure(Cause.CRASHED, says)))}, REPLY)


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a record for the wire."""
    failure = outcome.failure
    return {
        "value": outcome.value,
        "failure": None if failure is None else {**vars(failure), "cause": str(failure.cause)},
        "changed": list(outcome.changed)[:100],
        "spoilt": list(outcome.spoilt)[:100],
        "aliases": list(outcome.aliases)[:100],
        "printed": outcome.printed,
    }
