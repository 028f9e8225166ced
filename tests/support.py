"""What tests of several folders need of the course in this repository: where it is, its names, and its lessons, loaded once."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path

from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.outline import Outline, read_outline
from autograd_check.course.without_answers import released_texts

ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def outline() -> Outline:
    """The course at a glance; no lesson is run, so tests can be named from it."""
    return read_outline(ROOT)


@functools.cache
def course() -> Course:
    """The course; a lesson is run when it is first asked for, once in each process."""
    return Course(outline())


def lesson(name: str) -> CourseLesson:
    """A lesson of the course."""
    return course().lesson(name)


def names() -> list[str]:
    """All lessons of the course, in order."""
    return [entry.name for entry in outline().lessons]


@functools.cache
def released() -> dict[Path, str]:
    """The python files of the course without its answers."""
    return released_texts(course())


@functools.cache
def sources() -> dict[str, str]:
    """The text of every solution by lesson, and of what units hand out beside them, as what a file may import."""
    lessons = {entry.name: entry.solution.read_text(encoding="utf-8") for entry in outline().lessons}
    return {**course().given(), **lessons}


def comes_true(condition: Callable[[], bool], within: float = 2.0) -> bool:
    """Whether something is so within so many seconds."""
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def is_gone(pid: int) -> bool:
    """Whether a process ends soon: the grader does not wait for the end of the last one before it goes on."""
    return comes_true(lambda: not os.path.exists(f"/proc/{pid}"))


def children(pid: int) -> set[int]:
    """Processes whose parent has that number, those that have ended apart."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.add(int(process.name))
    return found
