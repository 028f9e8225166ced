"""The standard streams, before anything that takes time is imported: what is said while somebody waits, and in what alphabet."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

PLAIN = str.maketrans(
    {"·": "-", "→": "->", "⇒": "=>", "−": "-", "–": "-", "…": "...", "‖": "||", "×": "x", "²": "^2", "Σ": "sum"}
)


@contextmanager
def announced(what: str) -> Iterator[None]:
    """A line on a terminal while something takes its time; gone afterwards. No thread: processes are forked meanwhile."""
    stream = sys.stderr
    if not stream.isatty():
        yield
        return
    stream.write(f"{what} ...")
    stream.flush()
    try:
        yield
    finally:
        stream.write("\r\x1b[K")
        stream.flush()


def never_fail_to_print() -> None:
    """On a terminal without Unicode a sign that it lacks is written in ASCII, and what has no such form as `?`."""

    def instead(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        sign = error.object[error.start : error.end].translate(PLAIN)
        return sign.encode("ascii", "replace").decode(), error.end

    codecs.register_error("autograd_check.ascii", instead)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="autograd_check.ascii")
