"""What a call printed, kept short; and its warnings, dropped."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from typing import TextIO, cast

MAX_PRINTED = 2000


class Printed(io.TextIOBase):
    """A text stream that keeps the first 2,000 characters and swallows the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[str] = []
        self._room = MAX_PRINTED
        self._listening = True

    def stop(self) -> None:
        """Swallow all that comes from now on, without a mark."""
        self._listening = False

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Keep what there is room for."""
        if self._room > 0 and self._listening:
            self._kept.append(text[: self._room])
            self._room -= len(self._kept[-1])
        return len(text)

    @property
    def text(self) -> str:
        """What was printed, with a mark where it was cut."""
        return "".join(self._kept) + (" ..." if self._room == 0 else "")


@contextlib.contextmanager
def quietly() -> Iterator[Printed]:
    """Prints go to the `Printed` that this yields, warnings nowhere."""
    printed = Printed()
    out, err = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = cast(TextIO, printed)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield printed
    finally:
        sys.stdout, sys.stderr = out, err
