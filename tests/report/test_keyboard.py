"""What a terminal sends, as keys."""

from __future__ import annotations

import pytest

from autograd_check.report.keyboard import keys_in


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
