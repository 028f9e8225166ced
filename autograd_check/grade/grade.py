"""One lesson, one source text: source → policy → candidate → checks → record."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from autograd_check.causes import Cause
from autograd_check.course.imported import syntax_tree
from autograd_check.course.load import COURSE_MODULE, CourseLesson
from autograd_check.course.spec import Layer, Plain, Stateful, Task, UpdateRule
from autograd_check.diagnose.explain import Mutants, no_mutants
from autograd_check.diagnose.fingerprints import Fingerprint
from autograd_check.grade.context import Context
from autograd_check.grade.honesty import rejected, without_rejected
from autograd_check.grade.kinds import check_task
from autograd_check.grade.known_mistakes import LessonFingerprints, mutants_of
from autograd_check.grade.listening import Listening
from autograd_check.grade.own_speed import own_speed
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.recorded_mistakes import RecordedFingerprints
from autograd_check.requests import Candidate
from autograd_check.run.debugger import without_debugger
from autograd_check.run.failures import DebuggerLeft
from autograd_check.run.in_process import InProcess
from autograd_check.run.lending import Lender
from autograd_check.run.policy import violations
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status
from autograd_check.verify.memo import Memo

A_DAY = 86_400.0
DEBUGGER_LEFT = "the debugger was left; the verdict is on the code without its breakpoints"


def no_debugger(lesson: str) -> str:
    """How to stop in the code of a lesson: a process of its own has no terminal."""
    return (
        f"breakpoint() does not stop here; to stop in your code: autograd-check check {lesson} --in-process "
        f"(or: pytest lessons -k {lesson})"
    )


def grade_lesson(
    lesson: CourseLesson,
    source: str,
    filename: str,
    *,
    zygote: Zygote | None = None,
    dependencies: Mapping[str, str] | None = None,
    borrowed: tuple[str, ...] = (),
    lender: Lender | None = None,
    seed: int = 0,
    memo: Memo | None = None,
    times: bool = False,
) -> LessonRecord:
    """Grade the text of one file as one lesson.

    Args:
        lesson: the lesson in its course.
        source: the text of the student's file.
        filename: its name, for messages.
        zygote: where to fork the process that runs the code; None runs it in this process, under a debugger if you like.
        dependencies: source of earlier lessons by name, for files that import them.
        borrowed: which earlier lessons are the reference's because the student's are not right yet.
        lender: answers for those of them that have no source, in a course without references.
        seed: of all probes and directions.
        memo: of other files graded as this lesson with this seed.
        times: whether to time what passes beside torch.

    """
    if lesson.spec.given and _same_code(source, lesson.stub_source()):
        return LessonRecord(lesson.spec.name, filename, (_untouched(lesson),), lesson.spec.points, "not run", borrowed)
    plain = without_debugger(source)
    banned = violations(
        plain,
        lesson.spec.functions,
        forbids=lesson.spec.forbids,
        allows=lesson.spec.allows,
        lessons=(*(name.rpartition(".")[2] for name in dependencies or ()), *borrowed),
    )
    if any(not violation.function for violation in banned):
        found = tuple(rejected(lesson.spec, banned))
        return LessonRecord(lesson.spec.name, filename, found, lesson.spec.points, "not run", borrowed)

    def run(opened: AbstractContextManager[Candidate], *notes: str) -> LessonRecord:
        with opened as candidate:
            heard = Listening(candidate)
            found = without_rejected(lesson.spec, grade_candidate(lesson, heard, seed=seed, memo=memo), banned)
            said = (lesson.spec.points, candidate.isolation, borrowed, heard.printed, notes)
            record = LessonRecord(lesson.spec.name, filename, tuple(found), *said)
            if times and record.status is Status.PASSED:
                return replace(record, speed=own_speed(candidate, lesson.spec, seed))
        return record

    given = dependencies or {}
    if plain == source:
        return run(open_candidate(source, filename, zygote, given, lender))
    if zygote is not None:
        return run(open_candidate(plain, filename, zygote, given, lender), no_debugger(lesson.spec.name))
    try:
        return run(open_debugged(source, filename, given, lender))
    except DebuggerLeft:  # whoever has seen enough still wants the verdict, on all calls from the first
        return run(open_candidate(plain, filename, None, given, lender), DEBUGGER_LEFT)


def grade_candidate(
    lesson: CourseLesson,
    candidate: Candidate,
    *,
    seed: int = 0,
    memo: Memo | None = None,
    left_out: Collection[str] = (),
    explains: bool = True,
) -> list[Finding]:
    """All findings of a lesson's tasks about code that is already loaded.

    `left_out` are mistakes without a fingerprint; without `explains` no cause is looked for.
    """
    findings: list[Finding] = []
    kept = memo or Memo()
    for task in lesson.spec.tasks:
        known, edits = _fingerprints(lesson, task, kept), _mutants(lesson, task, kept)
        context = Context(candidate, seed, known, lesson.spec.forbids, kept, left_out, edits, explains)
        with warnings.catch_warnings():  # what the course's own files warn of is not for students
            warnings.filterwarnings("ignore", module=COURSE_MODULE)
            found = check_task(task, context)
        findings += [_of_task(finding, task, lesson) for finding in found]
    return findings


def _fingerprints(lesson: CourseLesson, task: Task, memo: Memo) -> Sequence[Fingerprint]:
    """The lesson's known mistakes; those of a layer keep nothing from call to call, and serve all files."""
    if not isinstance(task, (Layer, Plain, Stateful, UpdateRule)):
        return ()
    if lesson.released:
        return memo.once("fingerprints", [task], lambda: RecordedFingerprints(lesson.numbers, task))
    if isinstance(task, (Layer, Plain)):
        return memo.once("fingerprints", [task], lambda: LessonFingerprints(lesson, task))
    return LessonFingerprints(lesson, task)


def _mutants(lesson: CourseLesson, task: Task, memo: Memo) -> Mutants:
    """The edits of the lesson's reference; those of a layer serve all files."""
    if lesson.released or not isinstance(task, (Layer, Plain, Stateful, UpdateRule)):
        return no_mutants
    return lambda forward: memo.once(("mutants", forward), [task], lambda: list(mutants_of(lesson, task, forward)))


def open_candidate(
    source: str, filename: str, zygote: Zygote | None, dependencies: Mapping[str, str], lender: Lender | None = None
) -> AbstractContextManager[Candidate]:
    """The code under test, in a process forked from the zygote or in this one."""
    if zygote is None:
        return InProcess(source, filename, dependencies=dependencies, lender=lender)
    return zygote.candidate(source, filename, dependencies=dependencies, lender=lender)


def open_debugged(
    source: str, filename: str, dependencies: Mapping[str, str], lender: Lender | None = None
) -> AbstractContextManager[Candidate]:
    """Code that stops in a debugger, without a deadline, and what it prints is shown: somebody is typing at a prompt."""
    return InProcess(source, filename, dependencies=dependencies, deadline=A_DAY, patience=A_DAY, capture=False, lender=lender)


def _of_task(finding: Finding, task: Task, lesson: CourseLesson) -> Finding:
    """In a lesson of several tasks `out` alone is ambiguous: it becomes the function's name."""
    if finding.subject == "out" and len(lesson.spec.tasks) > 1:
        return replace(finding, subject=task.functions[0])
    return finding


def _same_code(one: str, other: str) -> bool:
    """Whether two files hold the same code, comments and layout aside."""
    trees = syntax_tree(one), syntax_tree(other)
    try:
        return all(trees) and len({ast.dump(tree) for tree in trees if tree is not None}) == 1
    except RecursionError:
        return False


def _untouched(lesson: CourseLesson) -> Finding:
    text = f"{lesson.spec.name} is as it was handed out: find what is wrong in it, and fix it"
    return Finding("changed", "out", "", Status.TODO, text, Kind.VALUE, None, Diagnosis(Cause.NOT_IMPLEMENTED, text))
