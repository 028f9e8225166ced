"""What a broken rule costs: nothing for what a function computes with it, and only that."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_check.causes import Cause
from autograd_check.course.spec import Layer, Lesson, Stateful, Stochastic, Task
from autograd_check.grade.kinds.base import kind_of
from autograd_check.run.operations import NUMERIC
from autograd_check.run.policy import Violation
from autograd_check.verify.finding import Diagnosis, Finding, Status, failed, root_subject


def rejected(lesson: Lesson, banned: Sequence[Violation]) -> list[Finding]:
    """One finding for each subject that a violation concerns; one while loading concerns all of them."""
    found: dict[str, Finding] = {}
    for violation in banned:
        who = violation.function or "the file, while it is loaded,"
        text = f"{who} uses {violation.name} (line {violation.line}): {violation.reason}"
        cause = Cause.NUMERIC_DIFFERENTIATION if violation.name == NUMERIC else Cause.FORBIDDEN_OPERATION
        diagnosis = Diagnosis(cause, text, {"line": violation.line, "name": violation.name})
        for subject in _subjects(lesson, violation.function):
            made = failed("allowed operations", subject, "", text, kind_of(subject), diagnosis=diagnosis)
            found.setdefault(subject, made)
    return list(found.values())


def without_rejected(lesson: Lesson, findings: Sequence[Finding], banned: Sequence[Violation]) -> list[Finding]:
    """The findings, with those about a function that breaks a rule replaced by one that says so.

    Work that has not begun stays `todo`.
    """
    if any(finding.status is Status.TODO for finding in findings):
        return list(findings)
    rules = rejected(lesson, banned)
    gone = {finding.subject for finding in rules}
    return rules + [finding for finding in findings if root_subject(finding.subject) not in gone]


def _subjects(lesson: Lesson, function: str) -> list[str]:
    """What reports call the results of a function; of all functions where it has no name."""
    subjects: list[str] = []
    for task in lesson.tasks:
        if function and function not in task.functions:
            continue
        backward = isinstance(task, (Layer, Stateful, Stochastic)) and function == task.backward
        if not backward:
            subjects.append(task.functions[0] if len(lesson.tasks) > 1 else "out")
        if isinstance(task, (Layer, Stateful, Stochastic)) and (backward or not function):
            subjects += [f"d{name}" for name in task.wrt]
    return subjects or [_value_of(lesson.tasks[0], lesson)]


def _value_of(task: Task, lesson: Lesson) -> str:
    return task.functions[0] if len(lesson.tasks) > 1 else "out"
