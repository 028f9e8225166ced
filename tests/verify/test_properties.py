"""Random compositions of smooth and kinked functions, random shapes: never a wrong verdict, never an exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import autograd_check as ac
from tests.verify.spoiling import spoiler

STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "sin": torch.sin,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "gelu": F.gelu,
    "relu": torch.relu,
    "abs": torch.abs,
    "leaky_relu": F.leaky_relu,
    "clamp": lambda x: x.clamp(-0.7, 0.8),
    "square": lambda x: x * x,
    "cumsum": lambda x: x.reshape(-1).cumsum(0).reshape(x.shape),
    "softmax": lambda x: x.reshape(-1).softmax(0).reshape(x.shape) if x.numel() else x,
    "sort": lambda x: x.reshape(-1).sort().values.reshape(x.shape),
    "flip": lambda x: x.reshape(-1).flip(0).reshape(x.shape),
    "double": lambda x: 2 * x + 0.25,
    "max with its mean": lambda x: torch.maximum(x, x.mean()) if x.numel() else x,
    "large": lambda x: 1e4 * x,
    "small": lambda x: 1e-4 * x,
    "mask": lambda x: torch.where(x > 0.1, x, 0.0),
}

COMPLEX: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": lambda z: (0.3 * z).exp(),
    "sin": torch.sin,
    "tanh": lambda z: torch.tanh(0.2 * z),
    "square": lambda z: z * z,
    "conjugate": torch.conj,
    "size": lambda z: z * z.conj(),
    "parts exchanged": lambda z: torch.complex(z.imag, 2 * z.real),
    "rectified": lambda z: torch.complex(z.real.relu(), z.imag.abs()),
    "fourier": lambda z: torch.fft.fft(z.reshape(-1)).reshape(z.shape) if z.numel() else z,
    "less its sum": lambda z: z - 2 * z.sum(),
    "reciprocal": lambda z: 1 / (z + 3),
}

shapes = st.lists(st.integers(0, 4), min_size=0, max_size=3).map(tuple)
chains = st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4)
seeds = st.integers(0, 2**16)
SETTINGS = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
FEW, MANY = settings(SETTINGS, max_examples=50), settings(SETTINGS, max_examples=300)


def compose(names: list[str]) -> Callable[[Tensor], Tensor]:
    def chain(x: Tensor) -> Tensor:
        for name in names:
            x = STEPS[name](x)
        return x

    return chain


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def right_gradients_are_never_failed(names: list[str], shape: tuple[int, ...], seed: int) -> None:
    report = ac.gradcheck(compose(names), (draw(shape, seed),), raise_exception=False, seed=seed)
    assert report.status in (ac.Status.PASSED, ac.Status.INCONCLUSIVE), report.to_text()


@FEW
@given(chains, shapes, seeds)
def test_a_right_gradient_is_never_failed(names: list[str], shape: tuple[int, ...], seed: int) -> None:
    right_gradients_are_never_failed(names, shape, seed)


@pytest.mark.long
@MANY
@given(chains, shapes, seeds)
def test_a_right_gradient_is_never_failed_in_more_examples(names: list[str], shape: tuple[int, ...], seed: int) -> None:
    right_gradients_are_never_failed(names, shape, seed)


def complex_gradients_are_judged_right(names: list[str], shape: tuple[int, ...], seed: int) -> None:
    z = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128).requires_grad_()

    def fn(z: Tensor) -> Tensor:
        for name in names:
            z = COMPLEX[name](z)
        return z

    report = ac.gradcheck(fn, (z,), raise_exception=False, seed=seed)
    assert report.status in (ac.Status.PASSED, ac.Status.INCONCLUSIVE), report.to_text()
    turned = ac.gradcheck(lambda z: fn(Turned.apply(z)), (z,), raise_exception=False, seed=seed)
    reaches = torch.autograd.grad(fn(z).abs().square().sum(), z)[0].abs().max() if z.numel() else torch.zeros(())
    assert turned.status is not ac.Status.PASSED or reaches < 1e-6


@FEW
@given(st.lists(st.sampled_from(sorted(COMPLEX)), min_size=1, max_size=3), shapes, seeds)
def test_a_right_complex_gradient_is_never_failed_and_one_turned_a_little_never_passes(
    names: list[str], shape: tuple[int, ...], seed: int
) -> None:
    complex_gradients_are_judged_right(names, shape, seed)


@pytest.mark.long
@MANY
@given(st.lists(st.sampled_from(sorted(COMPLEX)), min_size=1, max_size=3), shapes, seeds)
def test_a_right_complex_gradient_is_never_failed_and_one_turned_a_little_never_passes_in_more_examples(
    names: list[str], shape: tuple[int, ...], seed: int
) -> None:
    complex_gradients_are_judged_right(names, shape, seed)


class Turned(torch.autograd.Function):
    """z, with a gradient whose phase is off by a thousandth."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        return z.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * torch.exp(torch.tensor(1e-3j, dtype=grad.dtype))


def wrong_gradients_never_pass(names: list[str], shape: tuple[int, ...], seed: int) -> None:
    x = draw(shape, seed)
    fn = compose(names)
    out = fn(x)
    (gradient,) = torch.autograd.grad(out.sum() + (out * out).sum(), x)
    place = int(gradient.abs().argmax())
    spoilt = spoiler([place], 0.5)
    report = ac.gradcheck(lambda x: fn(spoilt(x)), (x,), raise_exception=False, seed=seed)
    weights: Any = torch.zeros_like(x).view(-1)
    weights[place] = 1.0
    moves = _effect(fn, x.detach(), weights.reshape(x.shape))
    if moves > 1e-3:  # where the entry does not reach the output, its gradient is zero and cannot be off by a factor
        assert report.status is not ac.Status.PASSED, report.to_text()


@FEW
@given(chains, shapes.filter(all), seeds)
def test_a_wrong_gradient_never_passes(names: list[str], shape: tuple[int, ...], seed: int) -> None:
    wrong_gradients_never_pass(names, shape, seed)


@pytest.mark.long
@MANY
@given(chains, shapes.filter(all), seeds)
def test_a_wrong_gradient_never_passes_in_more_examples(names: list[str], shape: tuple[int, ...], seed: int) -> None:
    wrong_gradients_never_pass(names, shape, seed)


def _effect(fn: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor) -> float:
    h = 1e-5
    return float((fn(x + h * direction) - fn(x - h * direction)).abs().max()) / (2 * h)
