"""Benchmarks run on one thread; `make bench` runs them at full length."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the benchmarks are what was asked for; within the other tests they are kept short."""
    return bool(request.config.getoption("benchmark_only", False))
