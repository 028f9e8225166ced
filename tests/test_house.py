"""The house: few files, each with one idea and a name of its own, and numbers with their reasons."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch

import autograd_check as ac
import autograd_check.api
from autograd_check.grade.grade import grade_lesson
from autograd_check.run.zygote import Zygote
from tests import support

PACKAGE = Path(ac.__file__).parent
VERIFY = PACKAGE / "verify"
BARE = {0, 1, 2, 0.5, -1, 4, 3}
"""Numbers that are what they look like: ends of ranges, halves, counts of axes and of a ladder's last levels."""
REASONS = ("Derivation: ", "Source: ", "Measured: ", "Measured on ")


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]


def test_no_two_files_share_a_name() -> None:
    names = Counter(path.name for path in modules() if path.parent.name != "cli")
    assert [name for name, count in names.items() if count > 1] == []


def test_the_mathematics_is_few_files() -> None:
    files = list(VERIFY.glob("*.py"))
    assert len(files) <= FILES
    assert sum(len(path.read_text().splitlines()) for path in files) <= LINES


FILES, LINES = 18, 4350
"""Source: the architecture, section "verify/", which allows 21 and 4,500 with forward mode and batched gradients: these have a folder of their own, tape."""


def documented_numbers(path: Path) -> dict[str, str]:
    """Every constant of a module with the text below it."""
    body = ast.parse(path.read_text()).body
    found = {}
    for statement, following in zip(body, body[1:], strict=False):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            text = following.value if isinstance(following, ast.Expr) else None
            found[statement.targets[0].id] = str(text.value) if isinstance(text, ast.Constant) else ""
    return found


def test_every_number_that_a_verdict_rests_on_has_its_reason() -> None:
    numbers = documented_numbers(VERIFY / "tolerances.py")
    assert len(numbers) > 40
    unexplained = [name for name, text in numbers.items() if not any(reason in re.sub(r"\s+", " ", text) for reason in REASONS)]
    assert unexplained == []


def bare_numbers(path: Path) -> list[str]:
    """Fractions and large numbers inside functions: a threshold that should have a name."""
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    constants = {id(node): node for function in functions for node in ast.walk(function) if isinstance(node, ast.Constant)}
    return [
        f"{path.name}:{node.lineno}: {node.value}"
        for node in constants.values()
        if isinstance(node.value, float) and node.value not in BARE
    ]


def test_no_threshold_stands_in_the_code() -> None:
    found = [bare for path in VERIFY.glob("*.py") if path.name != "tolerances.py" for bare in bare_numbers(path)]
    assert found == []


def entered(run: Callable[[], Any]) -> set[str]:
    """The files of the package whose functions a call runs; importing one, as a first call does, is not entering it."""
    seen: set[str] = set()

    def look(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name != "<module>" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            seen.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        run()
    finally:
        sys.setprofile(before)
    return seen


def test_one_gradcheck_enters_few_files() -> None:
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    assert 0 < len(entered(lambda: ac.gradcheck(torch.tanh, x))) <= 22


def test_one_grading_enters_few_files() -> None:
    lesson = support.lesson("linear")
    source = lesson.reference_source().partition("### BEGIN SPEC")[0]  # what somebody hands in has no specification
    here = entered(lambda: grade_lesson(lesson, source, "linear.py"))
    with Zygote() as zygote:
        apart = entered(lambda: grade_lesson(lesson, source, "linear.py", zygote=zygote))
    assert 0 < len(here) <= 50
    assert 0 < len(apart) <= 50
