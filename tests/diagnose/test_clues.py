"""What sets the failing probes apart is said, if it is one thing."""

from __future__ import annotations

from typing import Any

import torch

from autograd_check.diagnose.clues import clue
from autograd_check.verify.candidate import Point


def point(*shape: int, **hyper: Any) -> Point:
    return Point({"x": torch.zeros(shape)}, hyper)


def test_a_hyperparameter_is_the_clue() -> None:
    assert clue([point(2, stride=2)], [point(2, stride=1), point(3)]) == "It is wrong only where stride is 2."
    assert clue([point(2, p=2), point(2, p=3)], [point(2, p=1)]) == "It is wrong only where p is not 1."
    assert clue([point(2, s=2), point(2, s=3)], [point(2)]) == "It is wrong only where s is given."
    assert clue([point(2)], [point(2, s=3)]) == "It is wrong only where s is left out."


def test_the_number_of_axes_is_the_clue() -> None:
    assert clue([point(2, 3, 4)], [point(2, 3), point(4, 5)]) == "It is wrong only where the input has 3 axes."
    assert clue([point(2), point(2, 3)], [point()]) == "It is right only where the input is a single number."


def test_an_axis_of_size_one_is_the_clue() -> None:
    assert clue([point(1, 3)], [point(2, 3)]) == "It is wrong only where an axis has size 1."


def test_without_one_difference_nothing_is_said() -> None:
    assert clue([point(2, s=1), point(2, s=2)], [point(2, s=1)]) == ""
    assert clue([point(2)], []) == ""
    assert clue([], [point(2)]) == ""
