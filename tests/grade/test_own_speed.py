"""How fast passing code is beside torch: told to who has passed, by the side that runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograd_check.course.load import Course
from autograd_check.grade.checking import grade_all
from autograd_check.grade.own_speed import OwnSpeed, own_speed
from autograd_check.grade.targets import folder_targets
from autograd_check.report.terminal import after_pass, render_all
from autograd_check.run.in_process import InProcess
from autograd_check.run.zygote import Zygote
from autograd_check.verify.candidate import Outcome
from tests import support
from tests.toy import RIGHT, WRONG, make_course


class Slow(InProcess):
    """Takes a thousand times as long as it says torch could."""

    def timed(self, *_: Any) -> Outcome:
        return Outcome(1e6)


def test_the_ratio_is_to_torchs_own_forward_and_backward(zygote: Zygote) -> None:
    lesson = support.lesson("linear")
    with Slow(lesson.reference_source(), "a.py") as candidate:
        slow = own_speed(candidate, lesson.spec)
    assert slow is not None
    assert slow.seconds == 1e6
    assert slow.ratio > 1000
    assert slow.sizes == "x (455, 30), w (30, 64), b (64,)"
    for opened in (InProcess(lesson.reference_source(), "a.py"), zygote.candidate(lesson.reference_source(), "a.py")):
        with opened as candidate:
            found = own_speed(candidate, lesson.spec)
        assert found is not None
        assert found.ratio > 0


def test_what_fails_or_has_no_pair_is_not_timed() -> None:
    lesson = support.lesson("linear")
    with InProcess("def linear_forward(x, w, b): raise ValueError\n", "a.py") as candidate:
        assert own_speed(candidate, lesson.spec) is None
    with InProcess("", "a.py") as candidate:
        assert own_speed(candidate, support.lesson("sgd").spec) is None


@pytest.mark.parametrize(
    ("speed", "said"),
    [
        (OwnSpeed(2.5e-5, 0.1, "x (3,)"), "takes 25 µs, 10.0 times as fast as torch's own (x (3,))."),
        (OwnSpeed(0.0125, 1.02, "x (3,)"), "takes 12.5 ms, as long as torch's own (x (3,))."),
        (OwnSpeed(2.0, 31.25, "x (3,)"), "takes 2 s, 31.2 times as long as torch's own (x (3,))."),
    ],
)
def test_what_is_said(speed: OwnSpeed, said: str, tmp_path: Path) -> None:
    entry = Course.load(make_course(tmp_path)).outline.lesson("double")
    assert f"One forward and backward {said}" in " ".join(after_pass(entry, speed).plain.split())
    assert "Why it works" not in after_pass(entry).plain
    assert after_pass(replace(entry, why="It is 2 x."), width=40).plain.startswith("\nWhy it works: It is 2 x.\n")


@pytest.mark.parametrize(("text", "told"), [(RIGHT, True), (WRONG, False)])
def test_only_who_has_passed_is_told(text: str, told: bool, tmp_path: Path) -> None:
    course = Course.load(make_course(tmp_path, stubs=True))
    (tmp_path / "lessons" / "u01_toys" / "double.py").write_text(text)
    targets = folder_targets(course.outline, ["double"], None)
    records = list(grade_all(course, targets, isolated=False, times=True))
    said = render_all(records, course.outline).plain
    assert ("as torch's own (x (3,))." in " ".join(said.split())) is told
    assert ("The reference, to compare with yours:\n\ndef double_forward" in said) is told
    assert ("to go before the next lesson, quadruple.\nA hint: autograd-check hint double" in said) is not told
