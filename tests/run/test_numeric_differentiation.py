"""Finite differences inside a backward are recognised, and nothing else is taken for them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autograd_check.run.operations import NUMERIC, SINGLE, OperationRecorder
from autograd_check.verify.candidate import Point

X = torch.tensor([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]], dtype=torch.float64)


def cube(x: Any) -> Any:
    return x**3


def central(x: Any, d: Any) -> Any:
    return d * (cube(x + 1e-5) - cube(x - 1e-5)) / 2e-5


def relative_steps(x: Any, d: Any) -> Any:
    h = 1e-5 * (1 + x.abs())
    return d * (cube(x + h) - cube(x - h)) / (2 * h)


def one_sided(x: Any, d: Any) -> Any:
    return d * (cube(x + 1e-7) - cube(x)) / 1e-7


def times_the_inverse(x: Any, d: Any) -> Any:
    return d * (cube(x + 1e-7) - cube(x)) * 1e7


def entry_by_entry(x: Any, d: Any) -> Any:
    dx, x = torch.zeros_like(x), x.clone()
    for i in range(x.numel()):
        flat, old = x.view(-1), x.view(-1)[i].item()
        flat[i] = old + 1e-6
        above = (cube(x) * d).sum()
        flat[i] = old
        dx.view(-1)[i] = (above - (cube(x) * d).sum()) / 1e-6
    return dx


def complex_step(x: Any, d: Any) -> Any:
    return d * cube(x + 1e-20j).imag / 1e-20


def richardson(x: Any, d: Any) -> Any:
    def slope(h: Any) -> Any:
        return (cube(x + h) - cube(x - h)) / (2 * h)

    return d * (4 * slope(1e-3) - slope(2e-3)) / 3


def complex_step_beside_the_primal(x: Any, d: Any) -> Any:
    a = x.abs()
    return d * x.sign() * cube(torch.complex(a, torch.full_like(a, 1e-30))).imag / 1e-30


def central_beside_the_primal(x: Any, d: Any) -> Any:
    a = x.abs()
    return d * x.sign() * (cube(a + 1e-5) - cube(a - 1e-5)) / 2e-5


NUMERICAL = (central, relative_steps, one_sided, times_the_inverse, entry_by_entry, complex_step, richardson)
BESIDE = (complex_step_beside_the_primal, central_beside_the_primal)


def derived(x: Any, d: Any) -> Any:
    return d * 3 * x**2


def with_an_epsilon(x: Any, d: Any) -> Any:
    return d * 3 * x * x * torch.log(x.abs() + 1e-8).exp() / (x.abs() + 1e-8)


def by_a_small_divisor(x: Any, d: Any) -> Any:
    return d * 3 * x**2 / 1e-7 * 1e-7 + 0 * (x + 1e-5)


def loops(x: Any, d: Any) -> Any:
    dx = torch.zeros_like(x)
    for i in range(x.numel()):
        dx.view(-1)[i] = d.reshape(-1)[i] * 3 * x.reshape(-1)[i] ** 2
    return dx


def recomputed(x: Any, d: Any) -> Any:
    return d * 3 * cube(x) / x


def by_parts_moved_far(x: Any, d: Any) -> Any:
    return d * (cube(x + 1) - cube(x - 1) - 2) / 2


def complex_numbers(x: Any, d: Any) -> Any:
    return d * 3 * (torch.complex(x, x.square()) ** 2).real / (1 - x**2)


def through_the_spectrum(x: Any, d: Any) -> Any:
    return d * 3 * torch.fft.ifft(torch.fft.fft(x)).real ** 2 / 1e-16 * 1e-16


DERIVED = (
    derived,
    with_an_epsilon,
    by_a_small_divisor,
    loops,
    recomputed,
    by_parts_moved_far,
    complex_numbers,
    through_the_spectrum,
)


def seen(backward: Any) -> Any:
    with torch.no_grad(), OperationRecorder([X]) as recorder:
        backward(X.clone(), torch.ones_like(X) / 2)
    return recorder.names()


@pytest.mark.parametrize("backward", NUMERICAL + BESIDE, ids=lambda f: f.__name__)
def test_finite_differences_are_recognised(backward: Any) -> None:
    assert NUMERIC in seen(backward)


@pytest.mark.parametrize("backward", DERIVED, ids=lambda f: f.__name__)
def test_a_derived_gradient_is_not_taken_for_them(backward: Any) -> None:
    assert NUMERIC not in seen(backward)


@pytest.mark.parametrize("number", [0.3, -1.7])
def test_a_single_number(number: Any) -> None:
    x = torch.tensor(number, dtype=torch.float64)
    for backward, numeric in ((central, True), (one_sided, True), (derived, False)):
        with OperationRecorder([x]) as recorder:
            backward(x.clone(), torch.tensor(2.0, dtype=torch.float64))
        assert (NUMERIC in recorder.names()) is numeric


def test_single_precision_is_noted() -> None:
    assert SINGLE not in seen(derived)
    assert SINGLE in seen(lambda x, d: d.float() * 3)
    assert SINGLE in seen(lambda x, d: d * torch.tensor(3.0))


def test_a_candidate_looks_only_where_a_backward_is_asked_for(open_candidate: Any) -> None:
    source = "def f_forward(x): return x * x, x\ndef f_backward(d, x): return d * (f_forward(x + 1e-5)[0] - f_forward(x - 1e-5)[0]) / 2e-5\n"
    candidate = open_candidate(source)
    assert NUMERIC in candidate.operations("f_forward", Point({"x": X}), "f_backward", torch.ones_like(X)).value
    assert NUMERIC not in candidate.operations("f_forward", Point({"x": X})).value
