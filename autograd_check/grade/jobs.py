"""Jobs and their results, as they go to workers and come back: plain data, which needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autograd_check.grade.record import LessonRecord, failed_checker


@dataclass(frozen=True)
class Setup:
    """What a workshop needs to know: the course folder, the checker it must have, and whether strangers' code may run unconfined."""

    root: str
    checker: str
    allow_unsandboxed: bool = False


@dataclass(frozen=True)
class Job:
    """A file to grade as a lesson. `beside` are the student's own earlier lessons that it imports, `passed` says of which
    it is known whether they pass, `seeds` those of the lesson and of the earlier ones.
    """

    key: str
    lesson: str
    source: str
    seeds: Mapping[str, int]
    beside: Mapping[str, str]
    passed: Mapping[str, bool]


@dataclass(frozen=True)
class Graded:
    """The result of a job: the record as JSON, and what is asked about it most."""

    key: str
    lesson: str
    status: str
    score: float
    max_score: float
    isolation: str
    seconds: float
    record: str


def given_up(job: Job, points: float, what: str) -> Graded:
    """The result of a job that no worker survived."""
    return graded(job.key, failed_checker(job.lesson, f"{job.lesson}.py", points, what), 0.0)


def graded(key: str, record: LessonRecord, seconds: float) -> Graded:
    """A record as the result under a key."""
    text = json.dumps(_plain(record.to_dict()), allow_nan=False)
    return Graded(key, record.lesson, str(record.status), record.score, record.max_score, record.isolation, seconds, text)


def _plain(value: Any) -> Any:
    """The same value with texts for numbers that JSON has no word for."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
