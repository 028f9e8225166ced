"""The story that `softmax_hunt` tells about the 8 × 8 digits is true: the planted bug learns, and less than it could."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from solutions.u03_activations import softmax_hunt
from tests import support
from tests.solutions.asking import namespace


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    datasets = pytest.importorskip("sklearn.datasets")
    data = datasets.load_digits()
    x, y = torch.tensor(data.data, dtype=torch.float64) / 16, torch.tensor(data.target)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    seen, unseen = order[:1257], order[1257:]
    return x[seen], y[seen], x[unseen], y[unseen]


def trained(functions: dict[str, Callable[..., Any]], digits: tuple[Tensor, ...]) -> tuple[Tensor, float, float]:
    """The biases, the last loss, and the accuracy on unseen digits after 1,000 epochs at lr 0.5."""
    x, y, new_x, new_y = digits
    w, b, history = namespace(softmax_hunt, functions)["fit"](x, y, classes=10, lr=0.5, epochs=1000)
    right = (new_x @ w + b).argmax(1) == new_y
    return b, history[-1], float(right.to(torch.float64).mean())


def test_the_story_on_the_digits(digits: tuple[Tensor, ...]) -> None:
    planted = next(m.functions for m in support.lesson("softmax_hunt").spec.mistakes if m.name == "as handed out")
    biases, loss, accuracy = trained(dict(planted), digits)
    fixed_biases, fixed_loss, fixed_accuracy = trained({}, digits)
    assert round(accuracy, 2) == 0.91
    assert round(fixed_accuracy, 2) == 0.96
    assert fixed_loss < 0.52 * loss
    assert bool((biases > 0).all())
    assert abs(float(fixed_biases.sum())) < 1e-9
