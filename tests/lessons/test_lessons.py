"""Every lesson of the course: its stub is todo, its solution passes, every mistake fails with its cause, every variant passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.mistakes import functions_of, mistake_functions
from autograd_check.course.outline import read_outline
from autograd_check.course.spec import Mistake, Variant
from autograd_check.grade.grade import grade_candidate, grade_lesson
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Kind, Status

ROOT = Path(__file__).resolve().parents[2]
NAMES = [entry.name for entry in read_outline(ROOT).lessons]
SEEDS = range(20)
COURSE = Course.load(ROOT)


def lesson_named(name: str) -> CourseLesson:
    return COURSE.lesson(name)


def dependencies() -> dict[str, str]:
    return {entry.name: entry.solution.read_text(encoding="utf-8") for entry in COURSE.outline.lessons}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a lesson, mistake and variant; a lesson is loaded only in the worker that needs its names."""
    if "mistake" in metafunc.fixturenames:
        cases = [(name, m) for name in NAMES for m in lesson_named(name).spec.mistakes]
        metafunc.parametrize(("name", "mistake"), cases, ids=[f"{name}-{m.name}" for name, m in cases])
    elif "variant" in metafunc.fixturenames:
        cases = [(name, v) for name in NAMES for v in lesson_named(name).spec.variants]
        metafunc.parametrize(("name", "variant"), cases, ids=[f"{name}-{v.name}" for name, v in cases])
    elif "name" in metafunc.fixturenames:
        metafunc.parametrize("name", NAMES)


def not_passed(findings: tuple[Finding, ...] | list[Finding]) -> list[str]:
    return [
        f"{f.check} / {f.subject} / {f.probe}: {f.status} {f.message} ({f.diagnosis.cause if f.diagnosis else '-'})"
        for f in findings
        if f.status not in (Status.PASSED, Status.SKIPPED)
    ]


def test_the_stub_is_todo(name: str) -> None:
    lesson = lesson_named(name)
    record = grade_lesson(lesson, lesson.stub_source(), f"{name}.py", dependencies=dependencies())
    assert record.status is Status.TODO, not_passed(record.findings)
    assert record.score == 0


def test_the_solution_passes_with_twenty_seeds(name: str) -> None:
    lesson = lesson_named(name)
    for seed in SEEDS:
        record = grade_lesson(lesson, lesson.reference_source(), f"{name}.py", dependencies=dependencies(), seed=seed)
        assert record.status is Status.PASSED, (seed, not_passed(record.findings))
        assert record.score == record.max_score


def graded(lesson: CourseLesson, functions: object, seed: int = 0) -> list[Finding]:
    assert isinstance(functions, dict)
    with InProcess.of(functions) as candidate:
        return grade_candidate(lesson, candidate, seed=seed)


def test_the_mistake_fails_with_its_cause(name: str, mistake: Mistake) -> None:
    lesson = lesson_named(name)
    for seed in (0, 1):  # as in a new process each time: a mistake may keep something from call to call
        functions = dict(mistake_functions(lesson.spec, mistake, lesson.reference_source(), str(lesson.solution)))
        findings = graded(lesson, functions, seed)
        failed = [finding for finding in findings if finding.status is Status.FAILED]
        assert failed, "the mistake passes"
        causes = {finding.diagnosis.cause for finding in failed if finding.diagnosis}
        assert mistake.cause in causes, not_passed(findings)


def test_the_variant_passes(name: str, variant: Variant) -> None:
    lesson = lesson_named(name)
    functions = functions_of(lesson.reference_source(), str(lesson.solution), lesson.spec.functions)
    findings = graded(lesson, {**functions, **variant.functions})
    assert not_passed(findings) == []


def test_the_lesson_is_complete(name: str) -> None:
    spec = lesson_named(name).spec
    assert len(spec.mistakes) >= 3
    assert len(spec.variants) >= 2
    assert len(spec.hints) == 3
    assert spec.source


def test_conventions_never_touch_a_gradient(name: str) -> None:
    """A solution's findings about conventions name functions, those about gradients name gradients."""
    lesson = lesson_named(name)
    record = grade_lesson(lesson, lesson.reference_source(), f"{name}.py", dependencies=dependencies())
    for finding in record.findings:
        if finding.kind is Kind.GRADIENT:
            assert finding.subject.startswith("d")
        if finding.kind is Kind.CONVENTION:
            assert finding.subject in lesson.spec.functions
