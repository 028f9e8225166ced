"""Code that breaks where a tensor is not contiguous is told so, with the probe, at every rank that its lesson has."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.load import Course
from autograd_check.course.mistakes import functions_of
from autograd_check.grade.grade import grade_candidate, grade_lesson
from autograd_check.run.in_process import InProcess
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Finding, Kind, Status

COURSE = Course.load(Path(__file__).resolve().parents[2])
BEGIN = "    ### BEGIN SOLUTION\n"

AT_ONE_RANK = [
    ("square", "x", "x.dim() == 1", ""),  # a strided row has flat views, so nothing breaks
    ("square", "x", "x.dim() == 4", "four axes, non-contiguous"),
    ("relu", "x", "x.dim() == 2", "shape (4, 5), non-contiguous"),
    ("relu", "x", "x.dim() == 4", "four axes, non-contiguous"),
    ("softmax", "x", "x.dim() == 2", "leading axes (4,), K=5, non-contiguous"),
    ("l2_penalty", "w", "w.dim() == 4", "four axes, non-contiguous"),
    ("mlp", "x", "len(params) == 1", "one layer, non-contiguous"),
    ("dropout", "x", "x.dim() == 4 and not train", "four axes, not in training, non-contiguous"),
    ("dropout", "x", "x.dim() == 4 and train", "four axes, p = 0, non-contiguous"),
]


def flattening(name: str, primal: str, when: str) -> str:
    """The solution of a lesson whose forward takes a flat view of a primal."""
    line = f"    if {when}: {primal}.view(-1)\n"
    return COURSE.lesson(name).reference_source().replace(BEGIN, BEGIN + line, 1)


def bad_findings(name: str, source: str) -> list[Finding]:
    lesson = COURSE.lesson(name)
    with InProcess.of(functions_of(source, f"{name}.py", lesson.spec.functions)) as candidate:
        findings = grade_candidate(lesson, candidate)
    return [finding for finding in findings if finding.status.severity >= Status.TODO.severity]


@pytest.mark.parametrize(("name", "primal", "when", "probe"), AT_ONE_RANK)
def test_a_flat_view_at_one_rank_is_a_crash_on_the_probe_of_that_rank(name: str, primal: str, when: str, probe: str) -> None:
    bad = bad_findings(name, flattening(name, primal, when))
    assert [(f.check, f.subject, f.probe) for f in bad] == ([("runs", "out", probe)] if probe else [])
    for finding in bad:
        assert finding.diagnosis is not None
        assert finding.diagnosis.cause == "crashed"
        assert "forward raised RuntimeError: view size is not compatible with input tensor's size and stride" in finding.message


@pytest.mark.parametrize("rank", [2, 3, 4])
def test_where_the_layout_is_a_convention_it_stays_one_at_every_rank(rank: int) -> None:
    probe = {2: "4 rows, 6 features, non-contiguous", 3: "non-contiguous", 4: "four axes, non-contiguous"}[rank]
    (finding,) = bad_findings("layernorm", flattening("layernorm", "x", f"x.dim() == {rank}"))
    assert (finding.check, finding.subject, finding.probe) == ("layout", "layernorm_forward", probe)
    assert finding.kind is Kind.CONVENTION
    assert finding.message.startswith("layernorm_forward raised RuntimeError: view size is not compatible")


def test_strides_reach_a_process_of_its_own() -> None:
    with Zygote() as zygote:
        record = grade_lesson(COURSE.lesson("relu"), flattening("relu", "x", "x.dim() == 4"), "relu.py", zygote=zygote)
    assert [f.probe for f in record.findings if f.status is Status.FAILED] == ["four axes, non-contiguous"]
