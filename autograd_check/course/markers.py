"""The marked regions of a solution file: what a student gets to see of it, and what not.

    ### BEGIN SOLUTION ... ### END SOLUTION   the reference's code; a stub raises in its place
    ### BEGIN STUB     ... ### END STUB       right after a solution: commented lines that the stub gets instead of a raise
    ### BEGIN SPEC     ... ### END SPEC       the specification; not part of a stub

A marker is a comment on a line of its own. The comments are python's own tokens, so that the same text inside a string is
just a string.
"""

from __future__ import annotations

import ast
import io
import itertools
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from autograd_check.course.imported import bare
from autograd_check.errors import CourseError, MarkerError

KINDS = ("SOLUTION", "STUB", "SPEC")


@dataclass(frozen=True)
class Region:
    """Lines `first` to `last` (counted from 1, the markers included), inside function `function` ("" at module level)."""

    kind: str
    first: int
    last: int
    function: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Layout:
    """The regions of a file in order, and where the name `solutions` begins an import (line from 1, column from 0)."""

    regions: tuple[Region, ...]
    imports: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Marker:
    line: int
    begins: bool
    kind: str
    function: str
    summary: str


@dataclass(frozen=True)
class _Function:
    first: int
    last: int
    name: str
    summary: str


@lru_cache(maxsize=256)
def read_layout(source: str, where: Path) -> Layout:
    """The regions of a solution file. Raises `MarkerError` with file and line, `CourseError` if it is not valid Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise CourseError(f"{where}:{error.lineno}: not valid Python: {bare(error)}.") from None
    lines = source.split("\n")
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    functions = sorted(_functions(tree, lines), key=lambda function: function.first)
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    markers = [marker for token in comments if (marker := _marker(token, functions, where)) is not None]
    regions = _paired(markers, where)
    _check_order(regions, lines, where)
    return Layout(regions, tuple(_imports(tree, lines, tokens)))


def _functions(tree: ast.Module, lines: list[str]) -> Iterator[_Function]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            summary = (ast.get_docstring(node) or "").strip().partition("\n")[0].strip()
            yield _Function(node.lineno, _end(node, lines), node.name, summary)


def _end(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """The last line of a function: comments that end its body lie behind its last statement, but are indented."""
    end = node.end_lineno or node.lineno
    while end < len(lines):
        line = lines[end]
        comment = line.lstrip().startswith("#") and len(line) - len(line.lstrip()) > node.col_offset
        if line.strip() and not comment:
            break
        end += 1
    return end


def _marker(comment: tokenize.TokenInfo, functions: list[_Function], where: Path) -> _Marker | None:
    words, line = comment.string.split(), comment.start[0]
    if len(words) < 2 or words[0] != "###" or words[1] not in ("BEGIN", "END"):
        return None
    if len(words) != 3 or words[2] not in KINDS:
        kinds = ", ".join(KINDS)
        raise MarkerError(f"{where}:{line}: unknown marker {comment.string!r}; BEGIN and END go with {kinds}.")
    if comment.line.strip() != comment.string.strip():
        raise MarkerError(f"{where}:{line}: the marker {comment.string!r} must stand on a line of its own.")
    around = [function for function in functions if function.first <= line <= function.last]
    function, summary = (around[-1].name, around[-1].summary) if around else ("", "")
    return _Marker(line, words[1] == "BEGIN", words[2], function, summary)


def _imports(tree: ast.Module, lines: list[str], tokens: list[tokenize.TokenInfo]) -> Iterator[tuple[int, int]]:
    """Where the name `solutions` stands in imports; a module after `from` is the token behind that word."""
    after = {token.start: following.start for token, following in itertools.pairwise(tokens)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and _of_solutions(node.module):
            yield after[_place(node, lines)]
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (_place(alias, lines) for alias in node.names if _of_solutions(alias.name))


def _of_solutions(name: str | None) -> bool:
    return name is not None and name.split(".")[0] == "solutions"


def _place(node: ast.ImportFrom | ast.alias, lines: list[str]) -> tuple[int, int]:
    """Line and column in characters; a syntax tree counts bytes."""
    return node.lineno, len(lines[node.lineno - 1].encode()[: node.col_offset].decode())


def _paired(markers: list[_Marker], where: Path) -> tuple[Region, ...]:
    regions: list[Region] = []
    opened: _Marker | None = None
    for marker in markers:
        if marker.begins:
            if opened is not None:
                raise MarkerError(_alone(opened, where, f"BEGIN {marker.kind} follows in line {marker.line}"))
            opened = marker
        elif opened is None:
            raise MarkerError(_alone(marker, where, "nothing was begun"))
        elif opened.kind != marker.kind:
            raise MarkerError(_alone(opened, where, f"END {marker.kind} follows in line {marker.line}"))
        else:
            regions.append(Region(opened.kind, opened.line, marker.line, opened.function, opened.summary))
            opened = None
    if opened is not None:
        raise MarkerError(_alone(opened, where, "the file ends without it"))
    return tuple(regions)


def _alone(marker: _Marker, where: Path, what: str) -> str:
    mine, other = ("BEGIN", "END") if marker.begins else ("END", "BEGIN")
    return f"{where}:{marker.line}: ### {mine} {marker.kind} has no ### {other} {marker.kind} ({what})."


def _check_order(regions: tuple[Region, ...], lines: list[str], where: Path) -> None:
    for before, region in itertools.pairwise((None, *regions)):
        if region is None or region.kind != "STUB":
            continue
        between = lines[before.last : region.first - 1] if before else []
        if before is None or before.kind != "SOLUTION" or any(line.strip() for line in between):
            raise MarkerError(f"{where}:{region.first}: ### BEGIN STUB must come right after an ### END SOLUTION.")
