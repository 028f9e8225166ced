"""Directions are exact: x ± h·u has no rounding error at any step of the ladder, at any scale."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor

import autograd_check as ac
from autograd_check.verify.candidate import Point
from autograd_check.verify.rays import Bundle, draw_directions, draw_rays
from autograd_check.verify.tolerances import STEPS


def draw(x: Tensor, *kinds: str, seed: int = 0) -> list[Tensor]:
    return [one.u for one in draw_directions([x], kinds, torch.Generator().manual_seed(seed))[0]]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", ["relative", "uniform"])
def test_a_step_has_no_rounding_error(scale: float, dtype: torch.dtype, kind: str) -> None:
    x = (torch.randn(20, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * scale).to(dtype)
    x = x[x.abs() > 0.3 * scale]  # an entry far below the step rounds off its own last digits, whatever the direction
    (u,) = draw(x, kind)
    h, smallest = STEPS[dtype]
    while h >= smallest:
        for sign in (1, -1):
            moved = torch.add(x, u, alpha=sign * h)
            # past a power of two the spacing doubles, and the last digit of x itself is lost
            same = torch.frexp(moved).exponent <= torch.frexp(x).exponent
            pairs = zip(x[same].tolist(), u[same].tolist(), strict=True)
            exact = [Fraction(a) + sign * Fraction(h) * Fraction(b) for a, b in pairs]
            assert [Fraction(value) for value in moved[same].tolist()] == exact
            assert len(exact) >= 3
        h /= 4


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("count", [1, 17, 10_000, 10**6])
def test_one_entry_that_outweighs_all_others_is_moved_exactly(dtype: torch.dtype, count: int) -> None:
    x = torch.full((count,), 1e-12, dtype=dtype)
    x[0] = 1.7
    for u in draw(x, "uniform", "relative", "capped"):
        for h in STEPS[dtype]:
            for sign in (1, -1):
                moved = float(torch.add(x, u, alpha=sign * h)[0])
                assert Fraction(moved) == Fraction(float(x[0])) + sign * Fraction(h) * Fraction(float(u[0]))


def test_sizes_are_those_of_the_kind() -> None:
    x = torch.tensor([1e-3, 1.0, -30.0], dtype=torch.float64)
    uniform, relative, capped = draw(x, "uniform", "relative", "capped")
    rms = float(x.square().mean().sqrt())
    assert ((uniform.abs() >= 0.7 * rms) & (uniform.abs() <= 2.9 * rms)).all()
    assert ((relative.abs() >= 0.7 * x.abs()) & (relative.abs() <= 2.9 * x.abs())).all()
    assert 0.7 * 1024 * 1e-3 <= capped[0].abs() <= 2.9 * 1024 * 1e-3
    assert capped[2].abs() >= 0.7 * rms


def test_zeros_move_by_the_rms_and_an_all_zero_tensor_by_one() -> None:
    (u,) = draw(torch.tensor([0.0, 4.0], dtype=torch.float64), "relative")
    assert u[0].abs() >= 2  # the power of two next to the rms of 2.8
    (u,) = draw(torch.zeros(3, dtype=torch.float64), "uniform")
    assert ((u.abs() >= 1) & (u.abs() <= 2)).all()


def test_infinite_entries_stay() -> None:
    x = torch.tensor([1.0, float("-inf"), float("nan"), 2.0], dtype=torch.float64)
    for u in draw(x, "uniform", "relative"):
        assert u[1] == u[2] == 0
        assert u[0] != 0
        assert torch.isfinite(u).all()


def test_signs_are_random_and_sizes_differ() -> None:
    (u,) = draw(torch.ones(1000, dtype=torch.float64), "uniform")
    assert 400 < int((u > 0).sum()) < 600
    assert len(set(u.abs().tolist())) > 900


def test_huge_and_tiny_numbers_do_not_overflow() -> None:
    for scale in (1e200, 1e-200):
        for u in draw(torch.tensor([1.0, -2.0], dtype=torch.float64) * scale, "uniform", "relative"):
            assert torch.isfinite(u).all()
            assert (u.abs() > 0.5 * scale).all()


def test_integer_primals_and_empty_tensors_get_no_line() -> None:
    primals = {"x": [torch.ones(2, dtype=torch.float64), torch.arange(3), torch.zeros(0, dtype=torch.float64)]}
    lines = draw_rays(primals, ["x"], ("uniform",), torch.Generator().manual_seed(0))
    assert [line.leaf for line in lines] == [0]


def test_a_bundle_moves_every_tensor_of_its_rays_and_no_other() -> None:
    x = torch.tensor([1.0, -2.0, 4.0], dtype=torch.float64)
    point = Point({"x": x, "nest": [x, (x, 3)], "still": x}, {"axis": 0})
    rays = draw_rays(point.primals, ["x", "nest"], ("uniform",), torch.Generator().manual_seed(0))
    moved = Bundle(tuple(rays), (0.5,)).at(point, 0.5)
    assert torch.equal(moved.primals["x"], x + 0.5 * rays[0].u)
    assert torch.equal(moved.primals["nest"][0], x + 0.5 * rays[1].u)
    assert torch.equal(moved.primals["nest"][1][0], x + 0.5 * rays[2].u)
    assert moved.primals["nest"][1][1] == 3
    assert moved.primals["still"] is x
    assert moved.hyper == {"axis": 0}


@pytest.mark.parametrize("count", [3, 2**12 + 1])
def test_a_seed_gives_what_a_generator_with_it_gives_every_time(count: int) -> None:
    x = torch.linspace(1, 2, count, dtype=torch.float64)
    fresh = draw(x, "uniform", "relative", seed=7)
    for _ in range(2):
        for one, other in zip(draw_directions([x], ("uniform", "relative"), 7)[0], fresh, strict=True):
            assert torch.equal(one.u, other)


def test_signs_that_are_kept_are_no_tensors_of_inference_mode() -> None:
    x = torch.ones(11, dtype=torch.float64)
    with torch.inference_mode():
        draw_directions([x], ("uniform",), 99)
    (found,) = draw_directions([x], ("uniform",), 99)[0]
    assert not found.u.is_inference()
    assert torch.equal(found.u, draw(x, "uniform", seed=99)[0])


def test_a_subnormal_entry_moves_by_its_own_size() -> None:
    x = torch.tensor([1.0, 4.0, 1e-310, 0.0], dtype=torch.float64)
    (u,) = draw(x, "relative")
    assert 0 < u[2].abs() <= 3e-310
    assert u[3].abs() >= 1
    for seed in range(8):
        assert ac.gradcheck(torch.sqrt, x[:3].clone().requires_grad_(), seed=seed)
