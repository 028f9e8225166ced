"""Text on lines of a given width: no word, number or index is broken."""

from __future__ import annotations

import re
import textwrap

_TOGETHER = re.compile(r"\[[^\[\]\n]{1,16}\]|\([^()\n]{1,16}\)")
"""`x[n, d]`, `(N, M)`: read as one word."""
NO_BREAK = "\u00a0"


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """The lines of a paragraph, each behind `indent` and at most `width` columns with it."""
    joined = _TOGETHER.sub(lambda found: found[0].replace(" ", NO_BREAK), text)
    lines = textwrap.wrap(joined, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return [line.replace(NO_BREAK, " ") for line in lines]


def filled(text: str, width: int, indent: str = "") -> str:
    """The same as one text."""
    return "\n".join(wrapped(text, width, indent))
