"""Everything that `autograd-check bench` times can be timed: one round a lesson. `make bench` prints all rounds instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.load import Course
from autograd_check.course.outline import read_outline
from autograd_check.course.spec import Pair
from autograd_check.grade.bench import bench_lesson

ROOT = Path(__file__).parents[2]
NAMES = [entry.name for entry in read_outline(ROOT).lessons]


@pytest.fixture(scope="module")
def course() -> Course:
    return Course.load(ROOT)


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_can_be_timed(course: Course, name: str) -> None:
    lesson = course.lesson(name)
    rows = list(bench_lesson(course, lesson, rounds=1))
    pairs = sum(isinstance(task, Pair) for task in lesson.spec.tasks)
    for part in ("forward", "backward", "forward+backward"):
        assert sum(row.part == part for row in rows) >= pairs
    assert all(row.ratio_to_torch > 0 for row in rows)
