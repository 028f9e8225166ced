"""The screen of `watch`: exactly as many lines as there are, and a body that can be scrolled."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.text import Text

from autograd_check.course.outline import LessonEntry
from autograd_check.course.progress import Stage
from autograd_check.report.screen import Frame, lines_of

ENTRY = LessonEntry("linear", "The linear layer", "u02_network", Path("linear.py"), Path("linear.py"))


def shown(body: str, scrolled: int = 0, width: int = 60, height: int = 20) -> list[str]:
    frame = Frame(ENTRY, {"linear": Stage.OPEN}, Text(body), "news", scrolled=scrolled)
    lines = [line.plain for line in lines_of(frame, width, height)]
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    return lines


def test_what_does_not_fit_is_counted_and_can_be_scrolled_to() -> None:
    body = "\n".join(f"line {n}" for n in range(40))
    top = shown(body)
    assert (top[2], top[16]) == ("line 0", "... 26 more lines (arrow down)")
    assert shown(body, 3)[2] == "line 3"
    assert shown(body, 3)[16] == "... 23 more lines (arrow down)"
    end = shown(body, 100)
    assert (end[15], end[16]) == ("line 39", "(arrow up goes back)")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 20), (30, 8), (20, 5)])
def test_a_screen_of_any_size_is_filled(width: int, height: int) -> None:
    assert any("a word" in line for line in shown("a word " * 40, 0, width, height))
    assert "news" in shown("a word", 0, width, height)


def test_where_little_fits_the_lesson_goes_before_the_unit() -> None:
    assert shown("", width=80)[0].startswith("Unit 2 · network · The linear layer ")
    assert shown("", width=40)[0].startswith("The linear la")
