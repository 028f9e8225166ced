"""A primal that is added more than once is named with how often; so is a value that is cut at 0."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from autograd_check.causes import Cause
from autograd_check.diagnose.shares import added_again, cut_at_zero
from tests.diagnose.test_counterfactuals import evidence, tensor


def conv(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return functional.conv2d(x, w, b)


def conv_transpose(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return functional.conv_transpose2d(x, w, b, stride=2)


X, W, V, B = tensor(2, 3, 4, 5), tensor(4, 3, 2, 2, seed=1), tensor(3, 4, 3, 3, seed=1), tensor(4, seed=2)
CONV = {"x": X, "w": W, "b": B}


def share(x: Tensor) -> Tensor:
    return x[:, None, None]


def test_a_bias_in_a_loop_is_counted() -> None:
    """Once for each channel."""
    pieces = [evidence(conv, "out", lambda d, x, w, b: conv(x, w, 3 * b), CONV)]
    found = added_again(pieces)
    assert found is not None
    assert found.cause == Cause.EXTRA_TERM
    assert found.says == "out holds b 3 times, where it belongs once: is it added inside a loop, or before a sum?"
    two = {"x": X[:, :2], "w": W[:, :2], "b": B}
    found = added_again([*pieces, evidence(conv, "out", lambda d, x, w, b: conv(x, w, 2 * b), two)])
    assert found is not None
    assert "out holds b 2 to 3 times, depending on the probe, where it belongs once" in found.says


def test_a_bias_in_overlapping_copies_is_counted_by_place() -> None:
    ones = functional.conv_transpose2d(torch.ones(2, 1, 4, 5, dtype=X.dtype), torch.ones(1, 4, 3, 3, dtype=X.dtype), stride=2)
    wrong = evidence(
        conv_transpose, "out", lambda d, x, w, b: conv_transpose(x, w, b * 0) + ones * share(b), {"x": X, "w": V, "b": B}
    )
    found = added_again([wrong])
    assert found is not None
    assert "out holds b 1 to 4 times, depending on the place, where it belongs once" in found.says


@pytest.mark.parametrize(
    "wrong",
    [
        lambda d, x, w, b: conv(x, w, 2.01 * b),
        lambda d, x, w, b: conv(x, w, -b),
        lambda d, x, w, b: conv(x, w, b * 0),
        lambda d, x, w, b: conv(x, w, b) + tensor(*d.shape, seed=5),
        lambda d, x, w, b: 2 * conv(x, w, b),
    ],
)
def test_what_is_no_whole_number_of_times_is_not_counted(wrong: Callable[..., Tensor]) -> None:
    assert added_again([evidence(conv, "out", wrong, CONV)]) is None


def test_what_is_not_added_is_not_counted() -> None:
    """out is linear in w as a whole: that it is twice as large is no share of it."""

    def squared(x: Tensor, b: Tensor) -> Tensor:
        return x + b.square()

    primals = {"x": tensor(6), "b": tensor(6, seed=1)}
    assert added_again([evidence(squared, "out", lambda d, x, b: x + 2 * b.square(), primals)]) is None


def test_a_maximum_that_starts_at_zero_is_named() -> None:
    def pooled(x: Tensor) -> Tensor:
        return functional.max_pool1d(x, 2)

    primals = {"x": tensor(3, 4, 6)}
    found = cut_at_zero([evidence(pooled, "out", lambda d, x: pooled(x).clamp(min=0), primals)])
    assert found is not None
    assert found.says == "out is 0 where it should be negative, and right everywhere else: does a maximum start at 0?"
    assert cut_at_zero([evidence(pooled, "out", lambda d, x: pooled(x).clamp(min=0.1), primals)]) is None
    assert cut_at_zero([evidence(pooled, "out", lambda d, x: pooled(x).clamp(max=0), primals)]) is None
    positive = {"x": primals["x"].abs()}
    assert cut_at_zero([evidence(pooled, "out", lambda d, x: pooled(x) * 1.5, positive)]) is None
