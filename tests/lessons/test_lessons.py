"""Every lesson of the course: its stub is todo, its solution passes, every mistake fails with its cause, every variant passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from autograd_check.course.load import CourseLesson
from autograd_check.course.mistakes import functions_of
from autograd_check.course.spec import Mistake
from autograd_check.grade.grade import grade_candidate, grade_lesson
from autograd_check.grade.record import LessonRecord
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Kind, Status
from autograd_check.verify.memo import Memo
from tests import support
from tests.causes_table import By, Grader


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


def missed(grader: Grader, known: Mistake) -> list[str]:
    """What is wrong about the grader's verdict on a mistake whose own fingerprint is left out; nothing if its cause is named.

    Where only the fingerprint can name it the mistake says why; a reason that is not needed is wrong as well.
    """
    by = grader.found(known)
    if by is By.NOT_FOUND:
        findings = grader.without(known, [])
        return [f"{known.name}, seed {grader.seed}: not {known.cause}", *(not_passed(findings) or ["it passes"])]
    if by is By.OWN and not known.by_fingerprint:
        return [
            f"{known.name}: only its own fingerprint names {known.cause}; say why in by_fingerprint, or give it the cause that "
            "is found",
            *not_passed(grader.alone(known)),
        ]
    if by is not By.OWN and known.by_fingerprint:
        return [f"{known.name}: {known.cause} is found by {by}, without its fingerprint: by_fingerprint is out of date"]
    return []


def test_every_mistake_fails_with_its_cause_found_without_being_told(lesson: CourseLesson) -> None:
    grader = Grader(lesson)
    assert [line for known in lesson.spec.mistakes for line in missed(grader, known)] == []


@pytest.mark.long
def test_every_mistake_fails_with_its_cause_with_more_seeds(lesson: CourseLesson) -> None:
    for seed in range(1, 4):
        grader = Grader(lesson, seed)
        assert [known.name for known in lesson.spec.mistakes if grader.found(known) is By.NOT_FOUND] == []


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
