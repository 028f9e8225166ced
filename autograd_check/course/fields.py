"""What the fields of a lesson hold, without torch: a course at a glance reads them as the program that runs it does."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from typing import Any

from autograd_check.errors import CourseError

TUPLES = ("tasks", "mistakes", "variants", "benchmarks")
OF_TASKS = ("probes",)
NAMES = ("requires", "hints", "forbids", "allows")
NUMBERS = ("points", "minutes")
TEXTS = ("name", "title", "source", "why")
LITERAL = ("name", "title", "requires", "hints", "points", "minutes", "given", "why")
"""Fields that are read without running the file."""
LINES = ("name", "title")
FIELDS = (*TEXTS, *NAMES, *TUPLES, *NUMBERS, "given", "target")


def misfit(field: str, value: Any) -> str:
    """What is expected of a field that a value is not fit for, what came, and what to write; empty where it is fit."""
    for fields, fits, says in _KINDS:
        if field in fields and not fits(value):
            return f"{field} must be {says.format(field=field, shown=_shown(value))}, found {_came(value)}."
    return ""


def refuse_misfit(field: str, value: Any) -> None:
    """Raise `CourseError` where a value is not fit for a field."""
    if says := misfit(field, value):
        raise CourseError(says)


def did_you_mean(wrong: str, known: Collection[str]) -> str:
    """The name that was meant, or all that there are."""
    near = difflib.get_close_matches(wrong, known, 1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _texts(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(each, str) for each in value)


def _line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value.splitlines()) == 1


def _shown(value: Any) -> str:
    return f"({value!r},)" if isinstance(value, str) else "(...,)"


def _came(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:59] + '…'} ({type(value).__name__})"


_KINDS: tuple[tuple[tuple[str, ...], Callable[[Any], bool], str], ...] = (
    (LINES, _line, "a text of one line: {field}='...'"),
    (TEXTS, lambda value: isinstance(value, str), "a text: {field}='...'"),
    (NAMES, _texts, "a tuple of texts: {field}={shown}"),
    (
        (*TUPLES, *OF_TASKS),
        lambda value: isinstance(value, (tuple, list)),
        "a tuple: add a comma behind a single one, {field}=(...,)",
    ),
    (NUMBERS, _whole, "a whole number above 0: {field}=10"),
    (("given",), lambda value: isinstance(value, bool), "True or False"),
    (("target",), lambda value: value is None or isinstance(value, (int, float)) and value > 0, "a number above 0: target=3.0"),
)
