"""Helpers of these benchmarks are imported by name; `make bench` runs them at full length."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "verify")]


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
