"""Long work says how far it is, on a terminal or not."""

from __future__ import annotations

import errno
import itertools

import pytest

from autograd_check.report.console import sentence, tracked, wrapped


def test_without_a_terminal_a_line_now_and_then_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    clock = itertools.count(0.0, 10.0)  # every item takes ten seconds
    assert list(tracked(range(7), "submissions", 20, 8, clock=lambda: next(clock))) == list(range(7))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "submissions: 11 of 20, 0.1/s, 90 s left\nsubmissions: 14 of 20, 0.1/s, 60 s left\n"


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked(range(3), "lessons", 3)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_long_lines_go_on_below_their_last_column_and_nothing_else_changes() -> None:
    text = (
        "short  stays\n  pip install     what the course needs, and no more\na/path/that/is/longer/than/that/and/is/not/broken x"
    )
    assert wrapped(text, 40) == (
        "short  stays\n"
        "  pip install     what the course needs,\n"
        "                  and no more\n"
        "a/path/that/is/longer/than/that/and/is/not/broken\n"
        "x"
    )


def test_an_error_of_the_system_is_told_without_its_number() -> None:
    assert (
        sentence(PermissionError(errno.EACCES, "Permission denied", "lessons/linear.py"))
        == "Permission denied: lessons/linear.py"
    )
    assert sentence(OSError("gone")) == sentence(ValueError("gone")) == "gone"
