"""A notebook as a lesson's file: what its code cells define for the lesson's functions, and nothing else.

A student's notebook holds experiments, plots and calls of the checker as well. They are not handed in: taken are the
functions that the lesson asks for, and the imports, constants and helpers that these use, in the order of the cells.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from autograd_check.errors import SubmissionError

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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # python's own about the student's escapes
            return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


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
