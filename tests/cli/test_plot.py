"""`autograd-check plot`: a figure where there is something to draw, a sentence where there is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Program
from tests.toy import RIGHT, WRONG

PNG = b"\x89PNG"


@pytest.fixture
def wrong(course: Path) -> Path:
    path = course / "anna.py"
    path.write_text(WRONG)
    return path


def test_a_wrong_gradient_is_drawn_and_named(program: Program, wrong: Path) -> None:
    ran = program("plot", "double", "--file", str(wrong))
    assert (ran.code, ran.out.strip()) == (0, "double.png: dx wrong on the probe 'N=3'")
    assert Path("double.png").read_bytes().startswith(PNG)


def test_a_right_one_is_drawn_on_the_first_probe_or_the_one_asked_for(program: Program, course: Path) -> None:
    ran = program("plot", "double", "--lessons", "solutions", "--output", "a.svg")
    assert ran.out.strip() == "a.svg: every gradient right on the probe 'N=3'"
    assert "<svg" in Path("a.svg").read_text()
    ran = program("plot", "double", "--lessons", "solutions", "--probe", "batch of one", "-o", "b.png")
    assert ran.out.strip() == "b.png: every gradient right on the probe 'batch of one'"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["double"], "double_forward and double_backward are not both written yet, so there is nothing to draw."),
        (["double", "--lessons", "solutions", "--probe", "four"], "double has no probe 'four'; there are: N=3, batch of one."),
        (["double", "--lessons", "solutions", "-o", "a.xyz"], "The figure could not be written to a.xyz: Format 'xyz'"),
        (["double", "--file", "nobody.py"], "There is nothing to draw"),
        (["triple"], "There is no lesson named 'triple'"),
    ],
)
def test_what_cannot_be_drawn_is_said(program: Program, course: Path, arguments: list[str], said: str) -> None:
    ran = program("plot", *arguments)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())
    assert not list(course.glob("*.png"))


@pytest.mark.parametrize(
    ("backward", "said"),
    [
        ("return None", "dx is None, expected a tensor of shape (3,); run check first."),
        ("return dout, dout", "double_backward gives no gradients to draw on the probe 'N=3'; run check first."),
        ("return dout[:1]", "dx is a tensor of shape (1,), expected a tensor of shape (3,); run check first."),
        ("raise ZeroDivisionError('oh')", "to draw on the probe 'N=3' (oh); run check first."),
    ],
)
def test_a_backward_that_gives_nothing_is_said(program: Program, course: Path, backward: str, said: str) -> None:
    path = course / "anna.py"
    path.write_text(RIGHT.replace("return dout + dout", backward))
    ran = program("plot", "double", "--file", str(path))
    assert ran.code == 2
    assert said in " ".join(ran.err.split())
