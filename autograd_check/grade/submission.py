"""A file that somebody handed in: its text, or a finding that says why there is none."""

from __future__ import annotations

import codecs
import io
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograd_check.causes import Cause
from autograd_check.errors import SubmissionError
from autograd_check.grade.cells import notebook_source
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status

MOST_BYTES = 2**20
"""A lesson is a page of code; a file of more than 1 MiB is something else."""

ENCODINGS = ("utf-8", "ascii", "iso8859", "cp", "koi8", "mac", "gb", "big5", "shift_jis", "euc")
"""How the names of codecs for text begin. Others (punycode, escapes) are no text, and some take minutes for a megabyte."""

WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark is how this one begins
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True)
class Submission:
    """A file by path; either `source` or `problem` is there."""

    path: Path
    source: str | None
    problem: Finding | None = None


def read_submission(path: Path, functions: Sequence[str] = ()) -> Submission:
    """Read a file that may be missing, a folder, binary, empty or far too big. Never raises for what the file is.

    A notebook gives what its code cells define for `functions`.
    """
    try:
        return Submission(path, source_of(_content(path), str(path), functions))
    except SubmissionError as error:
        return Submission(path, None, unreadable(str(error)))


def source_of(content: bytes, shown: str, functions: Sequence[str] = ()) -> str:
    """The python code in a file's content (its first `MOST_BYTES` + 1 bytes are enough).

    Raises `SubmissionError` with one sentence, which calls the file `shown`.
    """
    if len(content) > MOST_BYTES:
        raise SubmissionError(f"{shown} is larger than 1 MiB; a lesson is a page of python code")
    if not content.strip():
        raise SubmissionError(f"{shown} is empty")
    text = _decoded(content, shown)
    if "\0" in text:
        raise SubmissionError(f"{shown} holds zero bytes, which python code cannot: is it a compiled or compressed file?")
    if not text.strip():
        raise SubmissionError(f"{shown} is empty")
    return notebook_source(text, shown, functions) if Path(shown).suffix.lower() == ".ipynb" else text


def unreadable(text: str) -> Finding:
    """The finding that stands for a file that cannot be read."""
    return Finding("readable", "out", "", Status.FAILED, text, Kind.VALUE, None, Diagnosis(Cause.UNREADABLE, text))


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise SubmissionError(f"{path} is a folder; a submission is a file of python code")
        if path.exists() and not path.is_file():
            raise SubmissionError(f"{path} is not a file but a pipe, a socket or a device")
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise SubmissionError(f"{path} does not exist") from None
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror or error}") from None


def _decoded(content: bytes, shown: str) -> str:
    """The text, as python itself would decode it: UTF-8, or what a coding line says."""
    wide = next((name for mark, name in WIDE.items() if content.startswith(mark)), None)
    if wide is not None:
        raise SubmissionError(f"{shown} is text in {wide}, which python does not read: save it as UTF-8")
    encoding = "utf-8"
    try:
        encoding = codecs.lookup(tokenize.detect_encoding(io.BytesIO(content).readline)[0]).name
    except SyntaxError as error:
        if "unknown encoding" in str(error):
            raise SubmissionError(f"{shown} has a coding line that python does not know: save it as UTF-8") from None
    if not encoding.startswith(ENCODINGS):
        raise SubmissionError(f"{shown} says that it is in {encoding}, which is not read here: save it as UTF-8")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        strange = any(byte < 9 or 13 < byte < 32 or byte == 127 for byte in content)
        guess = "is it a compiled or compressed file?" if strange else "it may be in Latin-1; save it as UTF-8"
        name = "UTF-8" if encoding.startswith("utf-8") else encoding
        raise SubmissionError(f"{shown} is not text in {name} (byte {error.start}): {guess}") from None
