"""What a terminal sends, as keys."""

from __future__ import annotations

import sys
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.text import Text

from autograd_check.report.keyboard import Terminal, keys_in


@pytest.mark.parametrize(
    ("read", "keys"),
    [
        ("a", ["a"]),
        ("\x1b", ["escape"]),
        ("\x1b[A", ["up"]),
        ("\x1bOB\x1bOB", ["down", "down"]),
        ("\x1b[B\x1b[Bx\r", ["down", "down", "x", "enter"]),
        ("\x1b[5~\x1b[6~", ["page up", "page down"]),
        ("\x1b[C", []),  # an arrow to the right is not a c, which would check all lessons
        ("\x1b[H\x1b[1;5D\x1bOP", []),
        ("", ["q"]),
    ],
)
def test_an_escape_sequence_is_one_key(read: str, keys: list[str]) -> None:
    assert keys_in(read) == keys


def test_only_lines_that_have_changed_are_written_and_all_on_a_screen_of_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: 0))
    size, terminal = (40, 3), Terminal()
    monkeypatch.setattr(Terminal, "size", property(lambda self: size))

    def written(*lines: Text) -> str:
        out = StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        terminal.draw(lines)
        return out.getvalue()

    link = Text("double.py", spans=[])
    link.stylize("link file:///double.py")
    first = written(link, Text("wrong"), Text("0 s"))
    assert [word in first for word in ("double.py", "wrong", "0 s")] == [True] * 3
    assert written(link.copy(), Text("wrong"), Text("0 s")) == ""
    assert written(link.copy(), Text("wrong"), Text("1 s")) == "\x1b[3H\x1b[2K1 s"
    assert "wrong" in written(link.copy(), Text("wrong", style="bold"), Text("1 s"))
    size = (60, 3)
    assert "double.py" in written(link.copy(), Text("wrong", style="bold"), Text("1 s"))
