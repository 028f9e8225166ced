"""Stubs from solutions: the same file, with the reference's code taken out.

Everything outside the marked regions stays byte for byte: prose, imports, helper functions. A stub raises; it never returns a
plausible value. It ends with what to type next.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from pathlib import Path

from autograd_check.course.imported import bare
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
        raise CourseError(f"{where}: its stub is not valid Python: {bare(error)} (line {error.lineno} of the stub).") from None
    return stub


def reference_code(source: str, where: Path) -> str:
    """The reference of a solution as it is shown to who has solved the lesson: what stands between its markers, in its functions.

    No prose, no docstrings, and nothing that was handed out. Raises `MarkerError` or `CourseError` as `make_stub` does.
    """
    lines, tree = source.split("\n"), ast.parse(source)
    regions = read_layout(source, where).regions
    answers = [region for region in regions if region.kind == "SOLUTION"]
    left_out = {number for region in regions for number in _not_code(region)}
    spans: list[range] = []
    for region in answers:
        around = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _holds(node, region)]
        if around:
            first = around[0]
            left_out |= _docstring(first)
            spans.append(range(first.lineno, max(first.end_lineno or 0, *(r.last for r in answers if _holds(first, r))) + 1))
        else:
            spans.append(range(region.first, region.last))
    blocks = (
        "\n".join(lines[number - 1] for number in span if number not in left_out).strip("\n") for span in dict.fromkeys(spans)
    )
    return "\n\n".join(block for block in blocks if block) + "\n"


def _holds(node: ast.FunctionDef, region: Region) -> bool:
    """Whether a region is in a function; its end marker, a comment, may lie behind the last statement."""
    return node.lineno < region.first <= (node.end_lineno or 0)


def _docstring(node: ast.FunctionDef) -> set[int]:
    """The lines of a function's docstring."""
    if ast.get_docstring(node, clean=False) is None:
        return set()
    return set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))


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
            raise MarkerError(f"{where}:{number}: lines between BEGIN STUB and END STUB must be comments.")
        code = text.removeprefix("#").removeprefix(" ")
        handed.append(f"{_indent(lines[region.first - 1])}{code}" if code else "")
    return handed


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
