"""The specimens of the write-the-test lessons are what they claim to be, by the grader's own judgement of the lesson they are about."""

from __future__ import annotations

import pytest

from autograd_check.course.spec import Specimen, WriteTheTest
from autograd_check.grade.grade import grade_candidate
from autograd_check.requests import Code
from autograd_check.run.in_process import InProcess
from autograd_check.run.marshal import evaluate
from autograd_check.verify.finding import Status
from autograd_check.verify.memo import Memo
from tests import support

ABOUT = {
    "catch_cross_entropy": ("cross_entropy", {"forward": "cross_entropy_forward", "backward": "cross_entropy_backward"}),
    "catch_adam": ("adam", {"step": "adam_step"}),
}


def task_of(lesson: str) -> WriteTheTest:
    (task,) = support.lesson(lesson).spec.tasks
    assert isinstance(task, WriteTheTest)
    return task


def failures(lesson: str, specimen: Specimen, memo: Memo) -> list[str]:
    about, names = ABOUT[lesson]
    functions = {theirs: evaluate(Code(mine, specimen.source)) for mine, theirs in names.items()}
    with InProcess.of(functions) as candidate:
        findings = grade_candidate(support.lesson(about), candidate, memo=memo, explains=False)
    # of a specimen only the mathematics and the arguments are promised: refusals and dtypes are the lesson's own manners
    return [f.message for f in findings if f.status is Status.FAILED and f.check not in ("refuses", "keeps float32")]


@pytest.mark.parametrize("lesson", ABOUT)
def test_right_specimens_are_right(lesson: str) -> None:
    shared = Memo()
    right = task_of(lesson).right
    assert [f"{specimen.name}: {text}" for specimen in right for text in failures(lesson, specimen, shared)] == []


@pytest.mark.parametrize("lesson", ABOUT)
def test_planted_bugs_are_wrong(lesson: str) -> None:
    shared = Memo()
    assert [specimen.name for specimen in task_of(lesson).wrong if not failures(lesson, specimen, shared)] == []
