"""The student's test is put to the test: caught, missed, accepted, rejected, by luck, or without an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from autograd_check.course.spec import Specimen, WriteTheTest, planted
from autograd_check.errors import CourseError
from autograd_check.grade.context import Context
from autograd_check.grade.kinds import check_task
from autograd_check.grade.record import LessonRecord
from autograd_check.run.in_process import InProcess
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Finding, Status

DOUBLE = "def f(x):\n    return 2 * x\n"
TASK = WriteTheTest(
    "check_double",
    ("f",),
    wrong=(
        planted("half", "halves x", DOUBLE, ("2 * x", "x / 2")),
        planted("only positive", "forgets the sign", DOUBLE, ("2 * x", "2 * abs(x)")),
    ),
    right=(Specimen("product", DOUBLE), Specimen("sum", "def f(x):\n    return x + x\n")),
)


def judge(test: Callable[..., Any], task: WriteTheTest = TASK) -> list[Finding]:
    with InProcess.of({task.name: test}) as candidate:
        return check_task(task, Context(candidate, 0))


def brief(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f.check, f.subject, str(f.status)) for f in findings]


def good(f: Any, *, generator: torch.Generator) -> bool:
    x = -float(torch.rand((), generator=generator)) - 1
    return abs(f(x) - 2 * x) < 1e-6


def test_a_good_test_catches_and_accepts_everything() -> None:
    assert brief(judge(good)) == [
        ("accepts", "product", "passed"),
        ("accepts", "sum", "passed"),
        ("catches", "half", "passed"),
        ("catches", "only positive", "passed"),
    ]


def test_a_missed_bug_is_named_and_costs_its_share() -> None:
    findings = judge(lambda f, *, generator: f(3.0) == 6.0)
    assert brief(findings)[3] == ("catches", "only positive", "failed")
    missed = findings[3]
    assert missed.message == "check_double accepts an implementation that forgets the sign"
    assert missed.diagnosis is not None
    assert missed.diagnosis.cause == "missed_bug"
    assert missed.diagnosis.evidence == {"accepted": 3, "of": 3}
    assert LessonRecord("double", "a.py", tuple(findings), 8).score == 6


def test_a_bug_found_by_luck_only_counts_as_missed() -> None:
    asked = [0]

    def lucky(f: Any, *, generator: torch.Generator) -> bool:
        asked[0] += 1
        x = -1.0 if asked[0] % 3 == 0 else 1.0
        return abs(f(x) - 2 * x) < 1e-6

    findings = judge(lucky)
    assert findings[3].message == "check_double accepts with 2 of 3 generators an implementation that forgets the sign"
    assert findings[3].diagnosis is not None
    assert findings[3].diagnosis.says == "Your test found it only by luck: it needs more inputs, or a closer look at each."


def test_a_right_implementation_that_is_rejected() -> None:
    findings = judge(lambda f, *, generator: good(f, generator=generator) and "+" not in str(f(Text())))
    assert brief(findings)[:2] == [("accepts", "product", "passed"), ("accepts", "sum", "failed")]
    assert findings[1].message == "check_double rejects a right implementation: sum"
    assert findings[1].diagnosis is not None
    assert findings[1].diagnosis.cause == "false_alarm"


class Text:
    """Writes down what is done with it."""

    def __rmul__(self, other: Any) -> str:
        return f"{other} * x"

    def __add__(self, other: Any) -> str:
        return "x + x"

    def __truediv__(self, other: Any) -> str:
        return f"x / {other}"

    def __abs__(self) -> Text:
        return self


def test_an_exception_rejects_as_in_any_test_runner() -> None:
    def asserting(f: Any, *, generator: torch.Generator) -> bool:
        assert f(-2.0) == -4.0
        return True

    assert {f.status for f in judge(asserting)} == {Status.PASSED}


def test_a_test_that_crashes_on_right_code_shows_its_exception() -> None:
    def crashing(f: Any, *, generator: torch.Generator) -> bool:
        if f(-1.0) == -2.0:
            raise KeyError("x")
        return False

    finding = judge(crashing)[0]
    assert finding.diagnosis is not None
    assert (finding.diagnosis.cause, finding.diagnosis.says) == ("crashed", "It raised KeyError: 'x'")


@pytest.mark.parametrize(("answer", "lucky", "word"), [(True, "accepts", "accepts"), (False, "catches", "rejects")])
def test_one_answer_for_everything_earns_nothing(answer: bool, lucky: str, word: str) -> None:
    findings = judge(lambda f, *, generator: answer)
    for finding in findings:
        if finding.check == lucky:
            assert finding.status is Status.SKIPPED
            assert finding.message == f"not counted: check_double {word} everything"
        else:
            assert finding.status is Status.FAILED
    assert LessonRecord("double", "a.py", tuple(findings), 8).score == 0


@pytest.mark.parametrize(
    ("answer", "cause", "text"),
    [
        (None, "returns_none", "check_double returned None, expected True or False"),
        (1, "wrong_type", "check_double returned int, expected True or False"),
        (torch.ones(2, dtype=torch.bool), "wrong_type", "check_double returned a tensor of shape (2,), expected True or False"),
    ],
)
def test_an_answer_that_is_none(answer: Any, cause: str, text: str) -> None:
    finding = judge(lambda f, *, generator: answer)[0]
    assert (finding.message, finding.diagnosis.cause if finding.diagnosis else "") == (text, cause)


def test_a_tensor_of_one_truth_is_an_answer() -> None:
    assert {f.status for f in judge(lambda f, *, generator: torch.tensor(good(f, generator=generator)))} == {Status.PASSED}


def test_an_unwritten_test_is_todo() -> None:
    def unwritten(f: Any, *, generator: torch.Generator) -> bool:
        raise NotImplementedError("check_double")

    assert [f.status for f in judge(unwritten)] == [Status.TODO]


def test_a_test_that_never_ends_is_no_verdict() -> None:
    def endless(f: Any, *, generator: torch.Generator) -> bool:
        while f(1.0) == 0.5:
            pass
        return good(f, generator=generator)

    with InProcess.of({"check_double": endless}, deadline=0.3) as candidate:
        findings = check_task(TASK, Context(candidate, 0))
    assert [(f.check, f.subject) for f in findings if f.status is Status.FAILED] == [("runs", "half")]
    assert "did not return in time" in next(f.message for f in findings if f.status is Status.FAILED)


def test_the_same_verdicts_in_a_process_of_its_own(zygote: Zygote) -> None:
    source = """
def check_double(f, *, generator):
    import torch
    x = -float(torch.rand((), generator=generator)) - 1
    return abs(f(x) - 2 * x) < 1e-6
"""
    with zygote.candidate(source, "check_double.py") as candidate:
        assert {f.status for f in check_task(TASK, Context(candidate, 0))} == {Status.PASSED}


def test_a_planted_bug_must_be_one() -> None:
    with pytest.raises(CourseError, match="'nothing' edits '3', which does not occur"):
        planted("nothing", "does nothing", DOUBLE, ("3", "4"))


@pytest.mark.parametrize("name", ["half", "a.b", "a[0]"])
def test_names_of_specimens_are_subjects_of_findings(name: str) -> None:
    with pytest.raises(CourseError, match="must be the name of one specimen only, without dots and brackets"):
        WriteTheTest("t", ("f",), wrong=TASK.wrong, right=(Specimen(name, DOUBLE),))
