"""Files in a course: what they may import, and what they may keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autograd_check.course.load import Course
from autograd_check.grade.session import Session
from tests import support, warm
from tests.support import ROOT

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


SIGMOID = """
import torch


def sigmoid_forward(x):
    out = 1 / (1 + torch.exp(-x))
    return out, out


def sigmoid_backward(dout, out):
    return dout * out * (1 - out)
"""

TANH_BY_SIGMOID = """
from lessons.u02_network.sigmoid import sigmoid_backward, sigmoid_forward


def tanh_forward(x):
    s, cache = sigmoid_forward(2 * x)
    return 2 * s - 1, cache


def tanh_backward(dout, cache):
    return 4 * sigmoid_backward(dout, cache)
"""

GELU_BY_TANH = """
import math

from lessons.u03_activations.tanh import tanh_backward, tanh_forward

C = math.sqrt(2 / math.pi)


def gelu_tanh_forward(x):
    t, cache = tanh_forward(C * (x + 0.044715 * x**3))
    return 0.5 * x * (1 + t), (x, t, cache)


def gelu_tanh_backward(dout, cache):
    x, t, cache = cache
    return dout * 0.5 * (1 + t) + C * (1 + 3 * 0.044715 * x**2) * tanh_backward(dout * 0.5 * x, cache)
"""


@pytest.fixture
def course() -> Course:
    return support.course()


def graded(course: Course, folder: Path, name: str, source: str) -> Any:
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


def test_an_earlier_lesson_may_rest_on_one_that_the_reference_does_without(course: Course, tmp_path: Path) -> None:
    (tmp_path / "sigmoid.py").write_text(SIGMOID)
    (tmp_path / "tanh.py").write_text(TANH_BY_SIGMOID)
    record = graded(course, tmp_path, "gelu_tanh", GELU_BY_TANH)
    assert record.status == "passed"
    assert record.borrowed == ()


def test_a_wrong_gradient_is_explained_wherever_the_grader_runs(tmp_path: Path) -> None:
    """References import earlier ones; the folder in which somebody checks need not be the course's."""
    text = (ROOT / "solutions" / "u07_convolution" / "residual_block.py").read_text().partition("### BEGIN SPEC")[0]
    head, signature, tail = text.partition("def residual_block_backward(dout, cache):")
    broken = tail.replace("### BEGIN SOLUTION", "### BEGIN SOLUTION\n    dout = dout * 0.5", 1)
    assert broken != tail
    (tmp_path / "residual_block.py").write_text(head + signature + broken)
    ran = warm.program_in(tmp_path, "check", "residual_block", "--course", str(ROOT), "--lessons", ".")
    assert "residual_block · failed" in ran.stdout, ran.stdout + ran.stderr
    assert "Every entry of dx is exactly 1/2 of the right value" in " ".join(ran.stdout.split())
