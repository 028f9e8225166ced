"""Every lesson of the course: its stub is todo, its solution passes, every mistake fails with its cause, every variant passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from autograd_check.course.load import CourseLesson
from autograd_check.course.mistakes import functions_of, mistake_functions
from autograd_check.course.spec import Mistake
from autograd_check.grade.grade import grade_candidate, grade_lesson
from autograd_check.grade.record import LessonRecord
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Kind, Status
from autograd_check.verify.memo import Memo
from tests import support


@pytest.fixture(scope="module", params=support.names())
def lesson(request: pytest.FixtureRequest) -> CourseLesson:
    return support.lesson(request.param)


def not_passed(findings: Iterable[Finding]) -> list[str]:
    return [
        f"{f.check} / {f.subject} / {f.probe}: {f.status} {f.message} ({f.diagnosis.cause if f.diagnosis else '-'})"
        for f in findings
        if f.status not in (Status.PASSED, Status.SKIPPED)
    ]


def graded(lesson: CourseLesson, source: str, seed: int = 0) -> LessonRecord:
    return grade_lesson(lesson, source, f"{lesson.spec.name}.py", dependencies=support.sources(), seed=seed)


def judged(lesson: CourseLesson, functions: Mapping[str, Callable[..., Any]], seed: int, memo: Memo) -> list[Finding]:
    with InProcess.of(functions) as candidate:
        return grade_candidate(lesson, candidate, seed=seed, memo=memo)


def test_the_stub_is_todo(lesson: CourseLesson) -> None:
    record = graded(lesson, lesson.stub_source())
    assert record.status is Status.TODO, not_passed(record.findings)
    assert record.score == 0


def solution_passes(lesson: CourseLesson, seeds: Iterable[int]) -> None:
    for seed in seeds:
        record = graded(lesson, lesson.reference_source(), seed)
        assert record.status is Status.PASSED, (seed, not_passed(record.findings))
        assert record.score == record.max_score
        # conventions never touch a gradient
        assert all(f.subject.startswith("d") for f in record.findings if f.kind is Kind.GRADIENT)
        assert {f.subject for f in record.findings if f.kind is Kind.CONVENTION} <= set(lesson.spec.functions)


def test_the_solution_passes(lesson: CourseLesson) -> None:
    solution_passes(lesson, range(5))


@pytest.mark.long
def test_the_solution_passes_with_more_seeds(lesson: CourseLesson) -> None:
    solution_passes(lesson, range(5, 25))


def missed(lesson: CourseLesson, known: Mistake, seed: int, memo: Memo) -> list[str]:
    """What is wrong about the grader's verdict on a mistake; nothing if it fails and its cause is named."""
    functions = mistake_functions(lesson.spec, known, lesson.reference_source(), str(lesson.solution))
    findings = judged(lesson, functions, seed, memo)
    failed = [finding for finding in findings if finding.status is Status.FAILED]
    causes = {finding.diagnosis.cause for finding in failed if finding.diagnosis}
    if known.cause in causes:
        return []
    return [f"{known.name}, seed {seed}: not {known.cause}", *(not_passed(findings) or ["it passes"])]


def mistakes_fail(lesson: CourseLesson, seeds: Iterable[int]) -> None:
    for seed in seeds:
        memo = Memo()
        assert [line for known in lesson.spec.mistakes for line in missed(lesson, known, seed, memo)] == []


def test_every_mistake_fails_with_its_cause(lesson: CourseLesson) -> None:
    mistakes_fail(lesson, [0])


@pytest.mark.long
def test_every_mistake_fails_with_its_cause_with_more_seeds(lesson: CourseLesson) -> None:
    mistakes_fail(lesson, range(1, 4))


def test_every_variant_passes(lesson: CourseLesson) -> None:
    functions = functions_of(lesson.reference_source(), str(lesson.solution), lesson.spec.functions)
    memo = Memo()
    for variant in lesson.spec.variants:
        assert not_passed(judged(lesson, {**functions, **variant.functions}, 0, memo)) == [], variant.name


def test_the_lesson_is_complete(lesson: CourseLesson) -> None:
    spec = lesson.spec
    assert len(spec.mistakes) >= 3
    assert len(spec.variants) >= 2
    assert len(spec.hints) == 3
    assert spec.source
