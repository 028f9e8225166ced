"""What sets the failing probes apart is said, if it is one thing."""

from __future__ import annotations

from typing import Any

import torch

from autograd_check.diagnose.clues import clue
from autograd_check.requests import Seed
from autograd_check.verify.candidate import Point


def point(*shape: int, **hyper: Any) -> Point:
    return Point({"x": torch.zeros(shape)}, hyper)


def test_a_hyperparameter_is_the_clue() -> None:
    assert clue([point(2, stride=2)], [point(5, stride=1), point(9)]) == "It is wrong only where stride is 2."
    assert clue([point(2, p=2), point(2, p=3)], [point(10, p=1)]) == "It is wrong only where p is not 1."
    assert clue([point(2, s=2), point(2, s=3)], [point(10)]) == "It is wrong only where s is given."
    assert clue([point(2)], [point(10, s=3)]) == "It is wrong only where s is left out."
    assert clue([point(2, s=(2, 1))], [point(10, s=None)]) == "It is wrong only where s is (2, 1)."


def test_a_seed_is_no_condition() -> None:
    assert clue([point(2, generator=Seed(1)), point(3, generator=Seed(2))], [point(10, generator=Seed(3))]) == ""
    assert clue([point(2, generator=Seed(1), p=0.5)], [point(10, generator=Seed(3), p=0.0)]) == "It is wrong only where p is 0.5."


def test_two_traits_that_separate_the_probes_are_no_clue() -> None:
    assert clue([point(2, stride=2, padding=1)], [point(10, stride=1, padding=0)]) == ""
    assert clue([point(2, 2, stride=2)], [point(10, stride=1)]) == ""


def test_what_passes_by_chance_is_no_clue() -> None:
    """A mistake that spoils negative entries spares a single number, or a few, as often as not."""
    assert clue([point(2), point(2, 3)], [point()]) == ""
    assert clue([point(2, stride=2)], [point(4, stride=1), point(5)]) == ""
    assert clue([point(2, stride=2)], [point(0, 7, stride=1)]) == ""


def test_the_number_of_axes_is_the_clue() -> None:
    assert clue([point(2, 3, 4)], [point(2, 3), point(4, 5)]) == "It is wrong only where the input has 3 axes."
    assert clue([point(2), point(2, 3)], [point()] * 10) == "It is right only where the input is a single number."


def test_an_axis_of_size_one_is_the_clue() -> None:
    assert clue([point(1, 3)], [point(2, 5)]) == "It is wrong only where an axis has size 1."


def test_without_one_difference_nothing_is_said() -> None:
    assert clue([point(2, s=1), point(2, s=2)], [point(12, s=1)]) == ""
    assert clue([point(2)], []) == ""
    assert clue([], [point(2)]) == ""
