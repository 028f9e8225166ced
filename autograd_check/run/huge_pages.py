"""A process that is forked again and again, kept in few large pages: a fork copies the table of pages, and ending clears it.

With torch imported there are 35,000 small pages of its own memory, and a fork and an end cost 10 ms and more; in large pages
1 ms. What a child writes to is still copied in small ones. Source: madvise(2), MADV_COLLAPSE (Linux 6.1); without it nothing
is gained and nothing lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from autograd_check.run.limits import advise, linux

SIZE = 1 << 21
"""Bytes of a large page on x86-64 and on aarch64 with small pages of 4 KiB; elsewhere the kernel refuses, which is harmless."""
MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25


def collapse() -> None:
    """Put this process's own memory into large pages where the kernel can; takes 0.3 s once."""
    if not linux():
        return
    for start, size in _own_memory():
        for advice in (MADV_HUGEPAGE, MADV_COLLAPSE):
            with contextlib.suppress(OSError):
                advise(start, size, advice)


def _own_memory() -> Iterator[tuple[int, int]]:
    """Start and size of every stretch of whole large pages that holds objects: the heap and anonymous memory."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        places, rights, _, _, _, *name = line.split(maxsplit=5)
        start, end = (int(place, 16) for place in places.split("-"))
        start, end = -(-start // SIZE) * SIZE, end // SIZE * SIZE
        if rights == "rw-p" and name in ([], ["[heap]"]) and start < end:
            yield start, end - start
