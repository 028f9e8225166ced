"""Helpers of these benchmarks are imported by name; `make bench` runs them at full length."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "verify")]


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the benchmarks are what was asked for; within the other tests they are kept short."""
    return bool(request.config.getoption("benchmark_only", False))
