"""What a result rests on, as one key: the file and what it imports, the specification, the checker, and the seed.

A result is kept under its key. The same key again is the same result, for whoever handed the file in; anything that changes
what a verdict could be changes the key, so a regrade grades what changed and nothing else.

Jobs and results are plain data, as they go to workers and come back; nothing here needs torch.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from autograd_check.course.files import digest
from autograd_check.course.imported import COURSE_PACKAGES, imported_names
from autograd_check.course.outline import Outline
from autograd_check.errors import SubmissionError
from autograd_check.grade.record import LessonRecord, failed_checker

VERDICTS = ("causes.py", "errors.py", "verify", "diagnose", "course", "run", "grade")
"""The parts of this package that a verdict may depend on."""

SEED_BITS = 40
"""A seed is multiplied by small numbers before torch takes it as one of 64 bits."""


@dataclass(frozen=True)
class Keys:
    """Makes keys and seeds for one course. `secret` is empty where probes are those of `check`, which students know."""

    outline: Outline
    secret: bytes = b""
    _specifications: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def seed(self, lesson: str) -> int:
        """The seed of a lesson's probes, the same for the whole class."""
        if not self.secret:
            return 0
        mark = hmac.digest(self.secret, lesson.encode(), "sha256")
        return int.from_bytes(mark[:8], "big") % (1 << SEED_BITS)

    def of(self, lesson: str, source: str, beside: Mapping[str, str]) -> str:
        """The key of one file's result. `beside` are the student's earlier lessons that it imports, directly or not."""
        earlier = sorted({*beside, *self._imports(source), *(name for text in beside.values() for name in self._imports(text))})
        parts = {
            "lesson": lesson,
            "source": digest(source),
            "beside": {name: digest(text) for name, text in sorted(beside.items())},
            "specifications": {name: self.specification(name) for name in (lesson, *earlier)},
            "seeds": {name: self.seed(name) for name in (lesson, *sorted(beside))},
            "checker": checker_version(),
        }
        return digest(json.dumps(parts, sort_keys=True))

    def beside(self, lesson: str, sources: Mapping[str, str]) -> dict[str, str]:
        """Of a student's files by lesson, the earlier ones that this lesson's file imports, directly or not."""
        order = [entry.name for entry in self.outline.lessons]
        earlier = set(order[: order.index(lesson)]) & sources.keys()
        found: set[str] = set()
        waiting = [sources[lesson]]
        while waiting:
            new = imported_names(waiting.pop()) & earlier - found
            found |= new
            waiting += [sources[name] for name in new]
        return {name: sources[name] for name in order if name in found}

    def specification(self, lesson: str) -> str:
        """The hash of a lesson's solution file and of every file of the course that it imports."""
        if lesson not in self._specifications:
            entry = self.outline.lesson(lesson)
            source = self.outline.source
            texts = {str(path.relative_to(source)): _text(path) for path in _files(source, entry.solution)}
            self._specifications[lesson] = digest(json.dumps(texts, sort_keys=True))
        return self._specifications[lesson]

    def _imports(self, source: str) -> set[str]:
        return imported_names(source) & {entry.name for entry in self.outline.lessons}


def read_secret(path: Path | None) -> bytes:
    """The course's secret key; a file that is not there yet is made, for its owner's eyes. Raises `SubmissionError`."""
    if path is None:
        return b""
    try:
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32) + "\n")
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SubmissionError(f"{path} cannot be used as the key file: {error.strerror or error}") from error
    if len(secret) < 16:
        raise SubmissionError(f"{path} holds {len(secret)} bytes; expected a key of at least 16, such as 64 random digits.")
    return secret


@functools.cache
def checker_version() -> str:
    """This checker's version and the hash of its code: `0.1.0+1a2b3c4d5e6f, torch 2.6.0`."""
    package = Path(__file__).parents[1]
    files = sorted(
        path for part in VERDICTS for path in ((package / part).rglob("*.py") if (package / part).is_dir() else [package / part])
    )
    code = hashlib.sha256()
    for path in files:
        code.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{_version('autograd_check')}+{code.hexdigest()[:12]}, torch {_version('torch')}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _files(root: Path, start: Path) -> set[Path]:
    """A file of the course and those of the course that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [other for other in _imported_files(root, path) if other.is_file()]
    return found


def _imported_files(root: Path, path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(_text(path))):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            if module.split(".")[0] in COURSE_PACKAGES:
                yield root.joinpath(*module.split(".")).with_suffix(".py")


@dataclass(frozen=True)
class Setup:
    """What a workshop needs to know: the course folder, the checker it must have, and whether strangers' code may run unconfined.

    `lessons` must all be fit to be graded before the first file is.
    """

    root: str
    checker: str
    allow_unsandboxed: bool = False
    lessons: tuple[str, ...] = ()


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
