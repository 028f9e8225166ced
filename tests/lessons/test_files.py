"""How long lesson files are, how wide their stubs, and that no two of them repeat one another."""

from __future__ import annotations

import ast
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

from autograd_check.course.outline import LessonEntry
from autograd_check.course.probe import Convention
from autograd_check.course.stubs import WIDTH
from autograd_check.report.rows import CONVENTIONS
from tests import support

ENTRIES = support.outline().lessons
RUN = 6
"""So many equal lines in two files are one thing written twice."""


def lengths() -> list[int]:
    return [len(entry.solution.read_text(encoding="utf-8").splitlines()) for entry in ENTRIES]


def test_a_lesson_is_read_in_a_sitting() -> None:
    assert statistics.median(lengths()) <= 120
    assert max(lengths()) <= 240


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_stub_fits_beside_an_editors_margin(entry: LessonEntry) -> None:
    stub = support.lesson(entry.name).stub_source()
    assert [line for line in stub.splitlines() if len(line) > WIDTH] == []
    assert stub.rstrip("\n").splitlines()[-1] == f"# When it is written: autograd-check check {entry.name}"


def code_lines(entry: LessonEntry) -> list[str]:
    """The lines of a lesson without its prose and its imports, without indentation; empty ones do not count."""
    text = entry.solution.read_text(encoding="utf-8")
    lines = text.splitlines()
    left_out: set[int] = set()
    for number, node in enumerate(ast.parse(text).body):
        if isinstance(node, (ast.Import, ast.ImportFrom)) or (number == 0 and isinstance(node, ast.Expr)):
            left_out |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return [line.strip() for number, line in enumerate(lines, 1) if number not in left_out and line.strip()]


def runs(entry: LessonEntry) -> Iterator[tuple[str, ...]]:
    lines = code_lines(entry)
    for first in range(len(lines) - RUN + 1):
        piece = tuple(lines[first : first + RUN])
        if sum(len(line) > 3 for line in piece) > RUN // 2:  # closing brackets are no text
            yield piece


def test_nothing_is_written_twice() -> None:
    seen: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for entry in ENTRIES:
        for piece in runs(entry):
            seen[piece].add(entry.name)
    assert {
        names: "\n".join(piece) for piece, found in seen.items() if len(found) > 1 for names in [", ".join(sorted(found))]
    } == {}


def test_only_lessons_about_speed_have_a_goal() -> None:
    """A goal must bend no reference."""
    assert {name for name in support.names() if support.lesson(name).spec.target is not None} == {"training", "conv2d_fast"}


def conventions(value: object) -> Iterator[Convention]:
    """Every convention in a task, however deep it lies."""
    if isinstance(value, Convention):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from conventions(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from conventions(getattr(value, part.name))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_convention_that_is_kept_is_named_by_what_holds(entry: LessonEntry) -> None:
    used = {str(one.cause) for task in support.lesson(entry.name).spec.tasks for one in conventions(task)}
    assert used <= CONVENTIONS.keys()
