"""Stubs from solutions: the same file, with the reference's code taken out.

Everything outside the marked regions stays byte for byte: prose, imports, helper functions. A stub raises; it never returns a
plausible value. It ends with what to type next.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from pathlib import Path

from autograd_check.course.markers import Layout, Region, read_layout
from autograd_check.errors import CourseError, MarkerError

WIDTH = 110
"""Columns of a stub, which is read beside an editor's margin."""


def make_stub(source: str, where: Path) -> str:
    """The stub of a solution file's text; `where` names the file in errors.

    Raises:
        MarkerError: a marker without its partner, or out of place.
        CourseError: the solution or its stub is not valid Python.
    """
    layout = read_layout(source, where)
    lines = _renamed(source.split("\n"), layout)
    kept: list[str] = []
    position = 0
    for index, region in enumerate(layout.regions):
        kept += lines[position : region.first - 1]
        position = region.last
        if region.kind == "SOLUTION":
            after = layout.regions[index + 1] if index + 1 < len(layout.regions) else None
            if after is None or after.kind != "STUB":
                kept += _raising(region, lines)
        elif region.kind == "STUB":
            kept += _handed_out(region, lines, where)
        else:
            while kept and not kept[-1].strip():
                kept.pop()
    kept += lines[position:]
    written = any(region.function for region in layout.regions if region.kind == "SOLUTION")
    following = f"\n\n# When it is written: autograd-check check {where.stem}" if written else ""
    stub = "\n".join(kept).rstrip("\n") + f"{following}\n"
    try:
        ast.parse(stub)
    except SyntaxError as error:
        raise CourseError(f"{where}: its stub is not valid Python, line {error.lineno}: {error.msg}.") from None
    return stub


def reference_code(source: str, where: Path) -> str:
    """The code of a solution as it is shown to who has solved the lesson: no prose, no markers, no specification.

    Raises `MarkerError` or `CourseError` as `make_stub` does.
    """
    layout, lines = read_layout(source, where), source.split("\n")
    left_out = {number for region in layout.regions for number in _not_code(region)}
    first = ast.parse(source).body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        left_out |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in left_out).strip("\n") + "\n"


def _not_code(region: Region) -> Iterable[int]:
    """The lines of a region that are not the reference's: its markers, or all of it."""
    return (region.first, region.last) if region.kind == "SOLUTION" else range(region.first, region.last + 1)


def _renamed(lines: list[str], layout: Layout) -> list[str]:
    """Imports of `solutions` become imports of `lessons`, from the last column to the first so that none moves another."""
    renamed = list(lines)
    for line, column in sorted(layout.imports, reverse=True):
        text = renamed[line - 1]
        renamed[line - 1] = text[:column] + "lessons" + text[column + len("solutions") :]
    return renamed


def _raising(region: Region, lines: list[str]) -> list[str]:
    if not region.function:
        return []
    message = f"{region.function}: {region.summary}" if region.summary else region.function
    indent = _indent(lines[region.first - 1])
    room = WIDTH - len(f'{indent}raise NotImplementedError("")')
    message = message if len(message) <= room else f"{message[: room - 1].rstrip()}…"
    return [f"{indent}raise NotImplementedError({json.dumps(message, ensure_ascii=False)})"]


def _handed_out(region: Region, lines: list[str], where: Path) -> list[str]:
    handed: list[str] = []
    for number in range(region.first + 1, region.last):
        text = lines[number - 1].strip()
        if text and not text.startswith("#"):
            raise MarkerError(f"{where}, line {number}: lines between BEGIN STUB and END STUB must be comments.")
        code = text.removeprefix("#").removeprefix(" ")
        handed.append(f"{_indent(lines[region.first - 1])}{code}" if code else "")
    return handed


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
