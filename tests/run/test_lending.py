"""Borrowed functions: asked of the grader in the middle of a request, from a process of their own and from this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from autograd_check.errors import WireError
from autograd_check.requests import Seed
from autograd_check.run.in_process import InProcess
from autograd_check.run.lending import Lender
from autograd_check.run.zygote import Zygote
from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import central_differences

Opened = Callable[..., AbstractContextManager[Any]]
SOURCE = """
from lessons.u02_network.relu import relu_forward, relu_backward
from .start import start
from finite_difference import numerical_gradient

def twice_forward(x, *, shift=0.0):
    out, cache = relu_forward(x, shift=shift)
    return 2 * out, cache

def twice_backward(dout, cache):
    return relu_backward(2 * dout, cache)

def begin(*, generator):
    return start(3, generator=generator), torch.rand(2, generator=generator)

def slope(x):
    return numerical_gradient(lambda y: (y ** 2).sum(), x, h=1e-3)

def refused(x):
    return relu_forward(x, shift="much")

import torch
"""


def relu_forward(x: Tensor, *, shift: Any = 0.0) -> Any:
    if isinstance(shift, str):
        raise ValueError("a shift is a number")
    return torch.relu(x + shift), (x + shift, {"kept": [1, "two"]})


def relu_backward(dout: Tensor, cache: Any) -> Tensor:
    assert cache[1] == {"kept": [1, "two"]}
    return dout * (cache[0] > 0)


def start(size: int, *, generator: Generator) -> Tensor:
    return torch.randn(size, generator=generator)


LENDER = Lender(
    {
        "relu": {"relu_forward": relu_forward, "relu_backward": relu_backward},
        "start": {"start": start},
        "finite_difference": {"numerical_gradient": central_differences},
    }
)


@pytest.fixture(params=["here", "apart"])
def candidate(request: pytest.FixtureRequest, zygote: Zygote) -> Iterator[Any]:
    if request.param == "here":
        with InProcess(SOURCE, "a.py", lender=LENDER) as opened:
            yield opened
    else:
        with zygote.candidate(SOURCE, "a.py", lender=LENDER) as apart:
            yield apart


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_forward_and_a_backward_are_lent_with_what_they_keep(candidate: Any) -> None:
    outcome = candidate.vjp("twice_forward", "twice_backward", Point({"x": vector(-1, 2)}, {"shift": 0.5}), [vector(1, 10)])
    assert outcome.failure is None
    assert outcome.value[0].tolist() == [0, 5]
    assert outcome.value[1][0].tolist() == [0, 20]


def test_a_generator_goes_on_where_the_borrowed_function_left_it(candidate: Any) -> None:
    generator = Generator().manual_seed(7)
    expected = torch.randn(3, generator=generator), torch.rand(2, generator=generator)
    got = candidate.call("begin", [], {"generator": Seed(7)}).value
    assert [one.tolist() for one in got] == [one.tolist() for one in expected]


def test_a_function_that_takes_functions_runs_beside_them(candidate: Any) -> None:
    assert candidate.call("slope", [vector(1, -3)]).value == pytest.approx(vector(2, -6), abs=1e-9)


def test_what_a_borrowed_function_raises_is_raised_where_it_was_called(candidate: Any) -> None:
    failure = candidate.call("refused", [vector(1)]).failure
    assert (failure.exception, failure.says) == ("ValueError", "a shift is a number")


def test_a_kink_inside_a_borrowed_function_is_seen(candidate: Any) -> None:
    points = [Point({"x": vector(x)}) for x in (1.0, 2.0, -1.0)]
    signatures = [signature for _, signature in candidate.sweep("twice_forward", points, signatures=True).value]
    assert signatures[0] == signatures[1] != signatures[2]


def test_what_the_grader_calculates_is_not_taken_for_the_code_s_own_operations(candidate: Any) -> None:
    used = candidate.operations("twice_forward", Point({"x": vector(1)}), "twice_backward", vector(1)).value
    assert "relu" not in used
    assert "mul" in used


def test_what_lending_costs_is_granted(zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    granted: list[float] = []
    monkeypatch.setattr("autograd_check.run.isolated.Stopwatch.grant", lambda self, seconds: granted.append(seconds))
    with zygote.candidate(SOURCE, "twice.py", lender=LENDER) as opened:
        opened.vjp("twice_forward", "twice_backward", Point({"x": torch.ones(3, dtype=torch.float64)}, {}), [torch.ones(3)])
    assert len(granted) == 2
    assert all(seconds > 0 for seconds in granted)


def test_only_what_is_borrowed_is_answered() -> None:
    question = {"function": "relu_forward", "args": [vector(1)], "kwargs": {}, "generators": {}}
    assert LENDER.answer(question)["value"][0].tolist() == [1]
    for wrong in (
        None,
        {**question, "function": "os.system"},
        {**question, "function": ["relu_forward"]},
        {**question, "function": "numerical_gradient"},
        {**question, "args": "x"},
        {**question, "kwargs": []},
        {**question, "more": 1},
    ):
        with pytest.raises(WireError, match="a borrowed function"):
            LENDER.answer(wrong)
    assert LENDER.answer({**question, "generators": {"generator": "no state"}})["raised"][0] == "TypeError"
