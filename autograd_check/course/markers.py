"""The marked regions of a solution file: what a student gets to see of it, and what not.

    ### BEGIN SOLUTION ... ### END SOLUTION   the reference's code; a stub raises in its place
    ### BEGIN STUB     ... ### END STUB       right after a solution: commented lines that the stub gets instead of a raise
    ### BEGIN SPEC     ... ### END SPEC       the specification; not part of a stub

A marker is a comment on a line of its own. libcst finds the comments, so that the same text inside a string is just a string.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

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


class _Finder(cst.CSTVisitor):
    """Collects marker comments with the function around each, and imports of `solutions`."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, lines: list[str], where: Path) -> None:
        self.lines = lines
        self.where = where
        self.markers: list[_Marker] = []
        self.imports: list[tuple[int, int]] = []
        self.functions: list[tuple[int, int, str, str]] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        place = self.get_metadata(PositionProvider, node)
        summary = (node.get_docstring() or "").strip().partition("\n")[0].strip()
        self.functions.append((place.start.line, self._end(place), node.name.value, summary))

    def _end(self, place: CodeRange) -> int:
        """The last line of a function: comments that end its body lie behind its last statement, but are indented."""
        end = place.end.line
        while end < len(self.lines):
            line = self.lines[end]
            comment = line.lstrip().startswith("#") and len(line) - len(line.lstrip()) > place.start.column
            if line.strip() and not comment:
                break
            end += 1
        return end

    def visit_Comment(self, node: cst.Comment) -> None:
        words = node.value.split()
        if len(words) < 2 or words[0] != "###" or words[1] not in ("BEGIN", "END"):
            return
        line = self.get_metadata(PositionProvider, node).start.line
        if len(words) != 3 or words[2] not in KINDS:
            kinds = ", ".join(KINDS)
            raise MarkerError(f"{self.where}, line {line}: unknown marker {node.value!r}; BEGIN and END go with {kinds}.")
        if self.lines[line - 1].strip() != node.value:
            raise MarkerError(f"{self.where}, line {line}: the marker {node.value!r} must stand on a line of its own.")
        around = [found for found in self.functions if found[0] <= line <= found[1]]
        function, summary = around[-1][2:] if around else ("", "")
        self.markers.append(_Marker(line, words[1] == "BEGIN", words[2], function, summary))

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        if node.module is not None and not node.relative:
            self._note(node.module)

    def visit_ImportAlias(self, node: cst.ImportAlias) -> None:
        self._note(node.name)

    def _note(self, name: cst.BaseExpression) -> None:
        while isinstance(name, cst.Attribute):
            name = name.value
        if isinstance(name, cst.Name) and name.value == "solutions":
            start = self.get_metadata(PositionProvider, name).start
            self.imports.append((start.line, start.column))


def read_layout(source: str, where: Path) -> Layout:
    """The regions of a solution file. Raises `MarkerError` with file and line, `CourseError` if it is not valid Python."""
    try:
        module = cst.parse_module(source)
    except cst.ParserSyntaxError as error:
        raise CourseError(f"{where}, line {error.raw_line}: not valid Python: {error.message}") from None
    finder = _Finder(source.split("\n"), where)
    MetadataWrapper(module, unsafe_skip_copy=True).visit(finder)
    regions = _paired(sorted(finder.markers, key=lambda marker: marker.line), where)
    _check_order(regions, source.split("\n"), where)
    return Layout(regions, tuple(finder.imports))


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
    return f"{where}, line {marker.line}: ### {mine} {marker.kind} has no ### {other} {marker.kind} ({what})."


def _check_order(regions: tuple[Region, ...], lines: list[str], where: Path) -> None:
    for before, region in itertools.pairwise((None, *regions)):
        if region is None or region.kind != "STUB":
            continue
        between = lines[before.last : region.first - 1] if before else []
        if before is None or before.kind != "SOLUTION" or any(line.strip() for line in between):
            raise MarkerError(f"{where}, line {region.first}: ### BEGIN STUB must come right after an ### END SOLUTION.")
