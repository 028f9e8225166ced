"""One process to fork students' processes from, for all tests of a worker: it takes an import of torch to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autograd_check.run.zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Memo on purpose: what one test leaves behind shows in the next.

    Never inside bubblewrap: tests look for students' processes by the numbers that these have of themselves.
    """
    with Zygote(outer=False) as zygote:
        yield zygote
