"""The ladder: Richardson's columns, convergence, the veto of finer levels, and the measurement of noise."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from autograd_check.verify.differences import brief, climb, converged, measured_noise
from autograd_check.verify.tolerances import TICKS


def ladder(f: Callable[[float], float], x: float, count: int, start: float = 2.0**-6) -> tuple[list[float], list[float]]:
    steps = [start / 4**n for n in range(count)]
    return [(f(x + h) - f(x - h)) / (2 * h) for h in steps], steps


def test_the_estimate_is_within_its_error_bound() -> None:
    for x in (0.1, 0.7, 1.3, 2.9):
        quotients, steps = ladder(math.exp, x, 5)
        found = climb(quotients, steps, noise=2**-52 * math.exp(x))
        assert found.settled
        assert abs(found.value - math.exp(x)) <= 8 * found.error
        assert found.error < 1e-11 * math.exp(x)


def test_two_quotients_claim_less_than_three() -> None:
    quotients, steps = ladder(math.sin, 1.0, 3)
    two, three = brief(quotients[:2], steps[:2], 1e-16), brief(quotients, steps, 1e-16)
    assert abs(two.value - math.cos(1.0)) <= 8 * two.error
    assert three.error < two.error < 1e-5


def test_a_large_step_that_aliases_is_overruled() -> None:
    quotients, steps = ladder(lambda t: math.sin(1e4 * t), 0.3, 13)
    found = climb(quotients, steps, noise=1e-16)
    assert found.value == pytest.approx(1e4 * math.cos(3e3), rel=1e-6)
    assert found.step < 1e-4


def test_a_kink_does_not_converge_until_it_is_passed() -> None:
    quotients, steps = ladder(lambda t: abs(t - 0.001), 0.0, 3)
    assert not converged(quotients, steps, noise=1e-18)
    quotients, steps = ladder(lambda t: abs(t - 0.001), 0.0, 8)
    assert converged(quotients, steps, noise=1e-18)
    assert climb(quotients, steps, noise=1e-18).value == pytest.approx(-1.0)


def test_noise_is_measured_within_a_factor_of_a_few() -> None:
    draw = random.Random(0)
    for size in (1e-12, 1e-3):
        found = [measured_noise([3.0 + 0.5 * k + draw.gauss(0, size) for k in TICKS], TICKS) for _ in range(200)]
        assert size < sorted(found)[100] < 4 * size


@pytest.mark.parametrize("places", [TICKS, (-3, -2, -1, 0, 1, 2, 3)])
def test_a_cubic_has_no_noise(places: tuple[int, ...]) -> None:
    assert measured_noise([k**3 - 2 * k for k in places], places) == pytest.approx(0, abs=1e-11)


def test_equal_distances_give_the_formula_of_more_and_wild() -> None:
    values = [0.3, -0.1, 0.25, 0.8, -0.5, 0.1, 0.6]
    rows = [sum(w * v for w, v in zip((1, -4, 6, -4, 1), values[n:], strict=False)) for n in range(3)]
    expected = 2 * math.sqrt(sum(row**2 for row in rows) / 3 / 70)
    assert measured_noise(values, (-3, -2, -1, 0, 1, 2, 3)) == pytest.approx(expected)


def test_rounding_to_multiples_shows_where_a_step_is_nearly_one() -> None:
    """A slope of 100.1 quanta a step: seven equal steps round it to 100 in each."""
    assert measured_noise([float(round(100.1 * k)) for k in range(-3, 4)], (-3, -2, -1, 0, 1, 2, 3)) == 0
    assert 0.2 < measured_noise([float(round(100.1 * k)) for k in TICKS], TICKS) < 1


def test_quotients_that_are_not_numbers_are_no_estimate() -> None:
    steps = [2.0**-6, 2.0**-8, 2.0**-10]
    assert not climb([math.nan, math.nan, 1.0], steps, 1e-16).settled
