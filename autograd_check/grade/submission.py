"""A file that somebody handed in: its text, or a sentence that says why there is none.

Of a notebook the functions that the lesson asks for are taken from its code cells, and the imports, constants and helpers
that these use, in the order of the cells. Experiments, plots and calls of the checker are not handed in.
"""

from __future__ import annotations

import ast
import codecs
import io
import json
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograd_check.causes import Cause
from autograd_check.course.imported import syntax_tree
from autograd_check.errors import SubmissionError
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


MAGIC = re.compile(r"^\s*[%!?].*$|^[\w.]+\?+\s*$", re.MULTILINE)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Piece:
    """A statement at the top of a cell that gives names a meaning: which, the names that it uses, and its text."""

    names: frozenset[str]
    uses: frozenset[str]
    text: str


def notebook_source(text: str, shown: str, functions: Sequence[str] = ()) -> str:
    """The code that defines `functions` (all code, if none is named). Raises `SubmissionError` where there is none."""
    cells = code_cells(text, shown)
    if not any(cell.strip() for cell in cells):
        raise SubmissionError(f"{shown} is a notebook without code cells")
    if not functions:
        return "\n\n".join(cells) + "\n"
    return definitions(cells, functions)


def definitions(cells: Sequence[str], functions: Sequence[str]) -> str:
    """Of some texts, the definitions of `functions` and of everything that these use, in their order."""
    pieces = [piece for cell in cells for piece in _pieces(cell, functions)]
    wanted = _needed(pieces, functions)
    return "\n\n\n".join(piece.text for piece in pieces if piece.names & wanted) + "\n"


def code_cells(text: str, shown: str) -> list[str]:
    """The code cells of a notebook, without lines that speak to IPython. Raises `SubmissionError`."""
    try:
        cells = json.loads(text)["cells"]
        found = [_text(cell) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SubmissionError(f"{shown} is not a notebook: its content is not what Jupyter writes") from None
    return [MAGIC.sub("", cell) for cell in found]


def defined(text: str) -> set[str]:
    """Names of the functions that a file defines at its top; empty where it is not python."""
    return {node.name for node in _tree(text) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(line for line in source if isinstance(line, str))


def _tree(text: str) -> list[ast.stmt]:
    tree = syntax_tree(text)
    return [] if tree is None else tree.body


def _pieces(cell: str, functions: Sequence[str]) -> Iterator[Piece]:
    """The definitions in a cell. One that is not python counts where it begins to write one of the functions."""
    begun = [name for name in functions if re.search(rf"^\s*def\s+{re.escape(name)}\b", cell, re.MULTILINE)]
    tree = _tree(cell)
    if not tree and begun:
        yield Piece(frozenset(begun), frozenset(), cell.strip("\n"))
    lines = cell.split("\n")
    for node in tree:
        if isinstance(node, Definition):
            first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
            inner = list(ast.walk(node))
            uses = {part.id for part in inner if isinstance(part, ast.Name)}
            yield Piece(frozenset(_names(node)), frozenset(uses), "\n".join(lines[first - 1 : node.end_lineno]))


def _names(node: Definition) -> set[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return {node.name}


def _needed(pieces: Sequence[Piece], functions: Sequence[str]) -> set[str]:
    """The functions, and every name that they use, directly or not."""
    needed = {"*"}  # what `from torch import *` brings may be any of them
    waiting = list(functions)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [used for piece in pieces if name in piece.names for used in piece.uses]
    return needed
