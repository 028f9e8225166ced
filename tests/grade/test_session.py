"""Files in a course: what they may import, and what they may keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.load import Course
from autograd_check.grade.session import Session

ROOT = Path(__file__).parents[2]

BY_A_LATER_LESSON = """
from solutions.u05_optimisers.adamw import adamw_step


def adam_step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    return adamw_step(param, grad, state, lr=lr, betas=betas, eps=eps, weight_decay=0.0)
"""

STATE_BY_SHAPE = """
import torch

VELOCITIES = {}


def momentum_step(param, grad, state, *, lr, momentum=0.9):
    if state is None:
        VELOCITIES[param.shape] = torch.zeros_like(param)
    VELOCITIES[param.shape] = momentum * VELOCITIES[param.shape] + grad
    return param - lr * VELOCITIES[param.shape], True
"""


@pytest.fixture(scope="module")
def course() -> Course:
    return Course.load(ROOT)


def graded(course: Course, folder: Path, name: str, source: str):
    path = folder / f"{name}.py"
    path.write_text(source)
    return Session(course).grade_file(name, path)


def test_a_later_lesson_is_no_help(course: Course, tmp_path: Path) -> None:
    record = graded(course, tmp_path, "adam", BY_A_LATER_LESSON)
    assert record.status == "failed"
    assert record.borrowed == ()
    assert any("no earlier lesson is called 'adamw'" in finding.message for finding in record.findings)


def test_parameters_of_one_shape_have_a_state_each(course: Course, tmp_path: Path) -> None:
    record = graded(course, tmp_path, "momentum", STATE_BY_SHAPE)
    assert record.status == "failed"
    assert any(finding.message.startswith("leaves torch.optim's trajectory at step 1") for finding in record.findings) or any(
        "trajectory at step 2" in finding.message for finding in record.findings
    )


def test_numpys_numbers_are_numbers(course: Course, tmp_path: Path) -> None:
    source = course.lesson("cosine_schedule").reference_source().partition("### BEGIN SPEC")[0]
    wrapped = f"import numpy as np\n{source}\n\nplain = cosine_schedule\n\n\ndef cosine_schedule(*args, **kwargs):\n    return np.float64(plain(*args, **kwargs))\n"
    assert graded(course, tmp_path, "cosine_schedule", wrapped).status == "passed"


def test_an_error_beyond_a_conventions_reach_is_an_error(course: Course, tmp_path: Path) -> None:
    source = course.lesson("clip_grad_norm").reference_source()
    near = source.replace("max_norm / norm", "max_norm / (norm + 1e-6)")
    far = source.replace("(max_norm / norm).clamp(max=1)", "torch.where(norm > 1.5, (max_norm / norm).clamp(max=1), 1.0)")
    assert near != source != far
    kinds = [
        {str(f.kind) for f in graded(course, tmp_path, "clip_grad_norm", text).findings if f.status == "failed"}
        for text in (near, far)
    ]
    assert kinds == [{"convention"}, {"value"}]


def test_arguments_changed_in_place_are_seen_where_claims_do_not_look(course: Course, tmp_path: Path) -> None:
    source = course.lesson("adam_hunt").reference_source()
    spoilt = source.replace(
        "    states = [None] * len(params)\n",
        "    states = [None] * len(params)\n    params[0].mul_(1.0).add_(0.0)\n    params[1].add_(1).sub_(1)\n",
    )
    assert spoilt != source
    found = [f for f in graded(course, tmp_path, "adam_hunt", spoilt).findings if f.status == "failed"]
    assert [(f.check, str(f.kind)) for f in found] == [("unmodified", "convention")]
    assert "was changed in place by fit" in found[0].message
