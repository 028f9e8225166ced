"""Everything that `autograd-check bench` times can be timed: one round a lesson. `make bench` prints all rounds instead."""

from __future__ import annotations

import pytest

from autograd_check.course.spec import Layer
from autograd_check.grade.bench import bench_lesson
from tests import support


@pytest.mark.parametrize("name", support.names())
def test_a_lesson_can_be_timed(name: str) -> None:
    lesson = support.lesson(name)
    rows = list(bench_lesson(support.course(), lesson, rounds=1))
    pairs = sum(isinstance(task, Layer) for task in lesson.spec.tasks)
    for part in ("forward", "backward", "forward+backward"):
        assert sum(row.part == part for row in rows) >= pairs
    assert all(row.ratio_to_torch > 0 for row in rows)
