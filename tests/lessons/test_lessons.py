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
from autograd_check.grade.rehearsal import By, Grader
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


def test_the_solution_passes(lesson: CourseLesson) -> None:
    record = graded(lesson, lesson.reference_source())
    assert record.status is Status.PASSED, not_passed(record.findings)
    assert record.score == record.max_score
    # conventions never touch a gradient
    assert all(f.subject.startswith("d") for f in record.findings if f.kind is Kind.GRADIENT)
    assert {f.subject for f in record.findings if f.kind is Kind.CONVENTION} <= set(lesson.spec.functions)


@pytest.mark.parametrize("seeds", [range(1, 5), pytest.param(range(5, 25), marks=pytest.mark.long)], ids=["few", "many"])
def test_the_solution_passes_with_other_seeds(lesson: CourseLesson, seeds: Iterable[int]) -> None:
    functions = functions_of(lesson.reference_source(), str(lesson.solution), lesson.spec.functions)
    assert [line for seed in seeds for line in not_passed(judged(lesson, functions, seed, Memo()))] == []


def missed(grader: Grader, known: Mistake) -> list[str]:
    """What is wrong about the grader's verdict on a mistake whose own fingerprint is left out; nothing if its cause is named.

    Where only the fingerprint can name it the mistake says why.
    """
    findings, named = grader.judged(known)
    if named:
        return []
    why = (
        ""
        if known.by_fingerprint
        else "; say in by_fingerprint why only its own fingerprint names it, or give it the cause found"
    )
    return [f"{known.name}, seed {grader.seed}: not {known.cause}{why}", *(not_passed(findings) or ["it passes"])]


def test_every_mistake_fails_with_its_cause_found_without_being_told(lesson: CourseLesson) -> None:
    grader = Grader(lesson)
    assert [line for known in lesson.spec.mistakes for line in missed(grader, known)] == []


@pytest.mark.long
def test_no_mistake_gives_a_reason_that_it_does_not_need(lesson: CourseLesson) -> None:
    grader = Grader(lesson)
    said = [known for known in lesson.spec.mistakes if known.by_fingerprint]
    assert [f"{known.name}: by_fingerprint is out of date" for known in said if grader.found(known) is not By.OWN] == []


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
