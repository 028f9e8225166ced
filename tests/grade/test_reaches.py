"""What goes beyond the idea of a lesson: a finding of its own, a small part of the points, and no verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.load import CourseLesson
from autograd_check.grade.grade import grade_lesson
from autograd_check.grade.record import REACH_SHARE, LessonRecord
from autograd_check.grade.session import Session
from autograd_check.pytest_plugin import item_names, sorted_in
from autograd_check.report.terminal import to_text
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Finding, Kind, Status
from tests import support

PLAIN = """
import torch
def logsumexp_forward(x):
    if x.dim() != 2:
        raise RuntimeError("only matrices, please")
    m = x.amax(1)
    out = m + torch.log(torch.exp(x - m[:, None]).sum(1))
    return out, (x, out)
def logsumexp_backward(dout, cache):
    x, out = cache
    return dout[:, None] * torch.exp(x - out[:, None])
"""
REACH = "reach: any number of axes"


@pytest.fixture(scope="module")
def lesson() -> CourseLesson:
    return support.lesson("logsumexp")


def graded(lesson: CourseLesson, source: str) -> tuple[LessonRecord, Finding]:
    record = grade_lesson(lesson, source, "logsumexp.py")
    (found,) = [finding for finding in record.findings if finding.check == REACH]
    return record, found


def test_right_code_that_goes_no_further_passes_with_fewer_points(lesson: CourseLesson) -> None:
    record, found = graded(lesson, PLAIN)
    assert record.status is Status.PASSED
    assert record.score == round(record.max_score * (1 - REACH_SHARE), 2)
    assert (found.status, found.kind, found.subject) == (Status.FAILED, Kind.REACH, "logsumexp_forward")
    assert found.message.startswith("only x of two axes is taken so far; let everything run over the last axis, -1 (")
    assert "only matrices, please" in found.message
    assert found.diagnosis is not None
    assert found.diagnosis.cause == "not_general"
    assert all(f.status is Status.PASSED for f in record.findings if f.kind is Kind.GRADIENT and f.status is not Status.SKIPPED)
    text = to_text(record)
    assert "beyond" in text
    assert "failed" not in text


def test_a_wrong_value_beyond_the_idea_is_the_same_finding(lesson: CourseLesson) -> None:
    source = PLAIN.replace('raise RuntimeError("only matrices, please")', "return x.sum(-1) * 0, x").replace(
        "    x, out = cache\n", "    if torch.is_tensor(cache):\n        return cache * 0\n    x, out = cache\n"
    )
    record, found = graded(lesson, source)
    assert record.status is Status.PASSED
    assert "out is wrong" in found.message


def test_a_gradient_that_is_wrong_only_beyond_the_idea_is_said_to_be_wrong(lesson: CourseLesson) -> None:
    reference = lesson.reference_source().partition("### BEGIN SPEC")[0]
    head, signature, tail = reference.partition("def logsumexp_backward(dout, cache):")
    renamed = head + signature.replace("_backward", "_own") + tail
    source = f"{renamed}\n\ndef logsumexp_backward(dout, cache):\n    return logsumexp_own(dout, cache) * (2 if dout.dim() > 1 else 1)\n"
    record, found = graded(lesson, source)
    assert record.status is Status.PASSED
    assert found.status is Status.FAILED
    assert found.message.startswith("any number of axes: out is right there, and dx is not (")


@pytest.mark.parametrize(
    ("taken", "exchanged"), [("columns, rows = pair(scale)", True), ("rows = columns = pair(scale)[0]", False)]
)
def test_a_pair_that_is_taken_the_other_way_round_is_said_to_be(taken: str, exchanged: bool, tmp_path: Path) -> None:
    """It is taken: only its two numbers have changed places."""
    path = tmp_path / "upsample_nearest2d.py"
    source = support.lesson(path.stem).reference_source().partition("### BEGIN SPEC")[0]
    path.write_text(source.replace("rows, columns = pair(scale)", taken))
    record = Session(support.course()).grade_file(path.stem, path)
    (found,) = [finding for finding in record.findings if finding.check == "reach: pairs"]
    assert (record.status, found.status) == (Status.PASSED, Status.FAILED)
    assert found.diagnosis is not None
    assert found.diagnosis.cause == "not_general"
    words = "pairs: out is what it would be with the numbers of scale the other way round: rows for columns ("
    assert found.message.startswith(words) is exchanged


def test_a_backward_that_fails_beyond_the_idea_is_said_to_fail(lesson: CourseLesson) -> None:
    reference = lesson.reference_source().partition("### BEGIN SPEC")[0]
    head, signature, tail = reference.partition("def logsumexp_backward(dout, cache):")
    source = (
        f"{head}{signature.replace('_backward', '_own')}{tail}\n\ndef logsumexp_backward(dout, cache):\n"
        "    if dout.dim() > 1:\n        raise RuntimeError('too many')\n    return logsumexp_own(dout, cache)\n"
    )
    record, found = graded(lesson, source)
    assert record.status is Status.PASSED
    assert found.message.startswith("any number of axes: out is right there, and logsumexp_backward fails (")


def test_what_goes_further_has_all_points(lesson: CourseLesson) -> None:
    record, found = graded(lesson, lesson.reference_source())
    assert (record.status, found.status, record.score) == (Status.PASSED, Status.PASSED, record.max_score)
    assert "reach" in to_text(record)


def test_where_the_plain_case_is_wrong_nothing_is_said_about_more(lesson: CourseLesson) -> None:
    record, found = graded(lesson, PLAIN.replace("torch.exp(x - out[:, None])", "2 * torch.exp(x - out[:, None])"))
    assert (record.status, found.status) == (Status.FAILED, Status.SKIPPED)
    assert "the plain case is not right yet" in found.message


def test_pytest_does_not_fail_for_it(lesson: CourseLesson) -> None:
    record, _ = graded(lesson, PLAIN)
    groups = sorted_in(record.findings, item_names(lesson.spec))
    assert all(f.kind is not Kind.REACH for found in groups.values() for f in found)


@pytest.mark.parametrize(
    "line", ["from lessons.u07_convolution.given import pair", "from .given import pair", "from given import pair"]
)
@pytest.mark.parametrize("apart", [False, True])
def test_what_a_unit_is_given_comes_with_every_file(line: str, apart: bool, tmp_path: Path, zygote: Zygote) -> None:
    """A submission is one file: the grader supplies the rest, also where strangers' code runs."""
    lesson = support.lesson("global_avgpool2d")
    path = tmp_path / "global_avgpool2d.py"
    path.write_text(f"{line}\nSIZES = pair(3)\n{lesson.reference_source().partition('### BEGIN SPEC')[0]}")
    session = Session(support.course(), zygote if apart else None)
    record = session.grade_file("global_avgpool2d", path)
    assert record.status is Status.PASSED, [f.message for f in record.findings if f.status is Status.FAILED]
