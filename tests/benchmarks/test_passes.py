"""`make bench`: the reference's passes beside torch's own forward and autograd, on one thread, grouped by lesson."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from autograd_check.course.load import Course
from autograd_check.grade.bench import duels, one_thread

ROOT = Path(__file__).parents[2]
COURSE = Course.load(ROOT)
CASES = [
    pytest.param(lesson.spec.name, part, side, id=f"{lesson.spec.name}-{part}-{side}")
    for lesson in COURSE.lessons
    for part in [duel.part for duel in duels(COURSE, lesson)]
    for side in ("ours", "torch")
]


@pytest.mark.parametrize(("name", "part", "side"), CASES)
def test_pass(benchmark: BenchmarkFixture, name: str, part: str, side: str) -> None:
    duel = next(duel for duel in duels(COURSE, COURSE.lesson(name)) if duel.part == part)
    benchmark.group = f"{name} {part}"
    with one_thread():
        benchmark(duel.ours if side == "ours" else duel.theirs)
