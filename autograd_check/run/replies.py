"""Answers of a process that runs student code, read with suspicion: they are data, and only of the expected form."""

from __future__ import annotations

from typing import Any

from autograd_check.causes import Cause
from autograd_check.errors import WireError
from autograd_check.verify.candidate import Failure, Outcome, Question

CAUSES = {
    str(cause): cause
    for cause in (
        Cause.NOT_IMPLEMENTED,
        Cause.MISSING,
        Cause.CRASHED,
        Cause.EXITED,
        Cause.TIMED_OUT,
        Cause.FORBIDDEN_OPERATION,
        Cause.WRONG_ARITY,
    )
}
MAX_TEXT = 4000
MAX_NAMES = 100


def read_outcome(reply: Any, number: str) -> tuple[Outcome, tuple[str, ...] | None]:
    """The outcome of an answer to request `number`, and the names of functions if it is the answer to loading.

    Raises:
        WireError: it is not of that form.
    """
    record = _answer(reply, number).get("outcome")
    if not isinstance(record, dict):
        raise WireError("expected an outcome in the answer")
    outcome = Outcome(
        value=record.get("value"),
        failure=_failure(record.get("failure")),
        changed=_names(record.get("changed")),
        spoilt=_names(record.get("spoilt")),
        aliases=_names(record.get("aliases")),
        printed=_text(record.get("printed")),
    )
    functions = reply.get("functions")
    return outcome, None if functions is None else _names(functions, 500)


def read_partial(reply: Any, number: str) -> Any:
    """The forward's output, sent before the backward began.

    Raises:
        WireError: it is not of that form.
    """
    return _answer(reply, number)["partial"]


def check_form(question: Question, outcome: Outcome) -> None:
    """The value has the form that the question asks for, so that whoever unpacks it may.

    Raises:
        WireError: it has another.
    """
    ask, given, value, complete = question.ask, question.given, outcome.value, outcome.failure is None
    fits = value is None and not complete
    if ask == "call":
        fits = True
    elif ask == "vjp" and isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], list):
        wanted = len(given["douts"])
        fits = len(value[1]) == wanted if complete else len(value[1]) <= wanted
    elif ask == "sweep" and isinstance(value, list) and len(value) == len(given["points"]):
        fits = all(
            isinstance(pair, tuple) and len(pair) == 2 and (pair[1] is None or isinstance(pair[1], bytes)) for pair in value
        )
    elif ask == "taped" and isinstance(value, list):
        fits = len(value) == len(given["wrt"])
    elif ask == "trajectory" and isinstance(value, list):
        fits = len(value) <= len(given["gradients"]) and all(isinstance(params, list) for params in value)
        fits = fits and all(len(params) == len(given["starts"]) for params in value)
    elif ask == "timed":
        fits = isinstance(value, float) or fits
    elif ask == "operations" and isinstance(value, tuple):
        fits = all(isinstance(name, str) for name in value)
    if not fits:
        raise WireError(f"expected the value of a {ask}, got another form")


def _answer(reply: Any, number: str) -> dict[str, Any]:
    if not isinstance(reply, dict) or reply.get("id") != number:
        raise WireError("expected the answer to the request in hand")
    return reply


def _failure(record: Any) -> Failure | None:
    if record is None:
        return None
    if not isinstance(record, dict):
        raise WireError("expected a failure in the answer")
    cause = record.get("cause")
    parts = [_text(record.get(name)) for name in ("says", "exception", "where", "trace")]
    return Failure(CAUSES.get(cause, Cause.CRASHED) if isinstance(cause, str) else Cause.CRASHED, *parts)


def _names(value: Any, most: int = MAX_NAMES) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise WireError("expected a list of names in the answer")
    return tuple(_text(name) for name in value[:most])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise WireError("expected text in the answer")
    return value[:MAX_TEXT]
