"""One process to fork students' processes from, for all tests of a worker: it takes an import of torch to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autograd_check.run.zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Memo on purpose: what one test leaves behind shows in the next."""
    with Zygote() as zygote:
        yield zygote
