"""A file that somebody handed in: its text, or a finding that says why there is none."""

from __future__ import annotations

import tokenize
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from autograd_check.causes import Cause
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status

MOST_BYTES = 2**20
"""A lesson is a page of code; a file of more than 1 MiB is something else."""


@dataclass(frozen=True)
class Submission:
    """A file by path; either `source` or `problem` is there."""

    path: Path
    source: str | None
    problem: Finding | None = None


def read_submission(path: Path) -> Submission:
    """Read a file that may be missing, a folder, binary, empty or far too big. Never raises for what the file is."""
    try:
        if path.is_dir():
            return _problem(path, f"{path} is a folder; a submission is a file of python code")
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return _problem(path, f"{path} does not exist")
    except OSError as error:
        return _problem(path, f"{path} cannot be read: {error.strerror or error}")
    if len(content) > MOST_BYTES:
        return _problem(path, f"{path} is larger than 1 MiB; a lesson is a page of python code")
    if not content.strip():
        return _problem(path, f"{path} is empty")
    try:
        source = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        named = _by_its_coding_line(content)
        if named is None:
            return _problem(path, f"{path} is not text in UTF-8 (byte {error.start}): is it a compiled or compressed file?")
        source = named
    if "\0" in source:
        return _problem(path, f"{path} holds zero bytes, which python code cannot: is it a compiled or compressed file?")
    return Submission(path, source)


def _by_its_coding_line(content: bytes) -> str | None:
    """Text in the encoding that python reads from the first two lines (`# -*- coding: latin-1 -*-`); None without such a line."""
    try:
        return content.decode(tokenize.detect_encoding(BytesIO(content).readline)[0])
    except (SyntaxError, UnicodeDecodeError):
        return None


def _problem(path: Path, text: str) -> Submission:
    return Submission(
        path, None, Finding("readable", "out", "", Status.FAILED, text, Kind.VALUE, None, Diagnosis(Cause.UNREADABLE, text))
    )
