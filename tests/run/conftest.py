"""Every candidate test runs twice: in this process and in one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from autograd_check.run.in_process import InProcess, Trusted
from autograd_check.verify.candidate import Point

LINEAR = """\
import torch

def linear_forward(x, w, b):
    return x @ w + b, (x, w)

def linear_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)
"""


@pytest.fixture(params=["in process", "isolated"])
def open_candidate(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A function that opens a candidate of some source, in both executors."""
    opened = []

    def open_one(source: str, filename: Any = "student.py", **options: Any) -> Any:
        if request.param == "in process":
            opened.append(InProcess(source, filename, **options))
        else:
            opened.append(request.getfixturevalue("zygote").candidate(source, filename, **options))
        return opened[-1]

    yield open_one
    for candidate in opened:
        candidate.close()


@pytest.fixture(params=["in process", "isolated", "trusted"])
def open_pair(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A function that opens a candidate of a source with `forward` and `backward`, in every executor of a pair."""
    opened = []

    def open_one(source: str) -> Any:
        if request.param == "trusted":
            scope: dict[str, Any] = {}
            exec(compile(source, "student.py", "exec"), scope)
            return Trusted(scope["forward"], scope["backward"])
        if request.param == "isolated":
            opened.append(request.getfixturevalue("zygote").candidate(source, "student.py"))
        else:
            opened.append(InProcess(source, "student.py"))
        return opened[-1]

    yield open_one
    for candidate in opened:
        candidate.close()


def numbers(*shape: int, seed: int = 0) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def point() -> Any:
    return Point({"x": numbers(4, 3), "w": numbers(3, 5, seed=1), "b": numbers(5, seed=2)})


@pytest.fixture
def dout() -> Any:
    return numbers(4, 5, seed=3)
