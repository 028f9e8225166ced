"""Somebody else's file read from its text alone: its syntax tree, and what it imports from its course."""

from __future__ import annotations

import ast
import re
import warnings

COURSE_PACKAGES = ("solutions", "lessons")


def syntax_tree(source: str) -> ast.Module | None:
    """The tree of a file; None where it is not python, or nested too deep to be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # python's own, about escapes in somebody else's text
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested too deep
        return None


def bare(error: SyntaxError) -> str:
    """What is wrong, without a second line: "(detected at line 3)" counts from elsewhere."""
    return re.sub(r" \(.*line \d+\)", "", error.msg)


def imported_names(source: str) -> set[str]:
    """Names that a file may import lessons by: from a course folder, from beside itself, or as a plain module."""
    tree = syntax_tree(source)
    names: set[str] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            modules = [alias.name.split(".") for alias in node.names]
            names |= {parts[-1] for parts in modules if len(parts) == 1 or parts[0] in COURSE_PACKAGES}
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            of_course = bool(node.level) or parts[0] in COURSE_PACKAGES
            if of_course:
                names |= {alias.name for alias in node.names}
            if of_course or len(parts) == 1:
                names.add(parts[-1])
    return names


GIVEN = "given"
"""The module of a unit that is no lesson: helpers of its lessons, handed out with them and supplied by the grader."""


def imported_given(source: str, unit: str) -> set[str]:
    """Units whose `given.py` a file of `unit` imports; a relative or a plain import is of its own unit's."""
    tree = syntax_tree(source)
    found: set[str] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            modules = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for parts in (module.split(".") for module in modules):
            if parts[-1] == GIVEN:
                found.add(parts[-2] if len(parts) > 1 and parts[-2] not in ("", *COURSE_PACKAGES) else unit)
    return found
