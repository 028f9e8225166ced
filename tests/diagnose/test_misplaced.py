"""The right numbers at other places: what is read in another order, or counted with another row length, is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from autograd_check.causes import Cause
from autograd_check.diagnose.misplaced import read_in_another_order, row_length
from autograd_check.diagnose.one_step import one_step
from tests.diagnose.test_counterfactuals import evidence, tensor


def conv(x: Tensor, w: Tensor) -> Tensor:
    return functional.conv2d(x, w)


CONV = {"x": tensor(3, 2, 5, 6), "w": tensor(4, 2, 2, 3, seed=1)}


def mixed(dout: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """dout is reshaped to (O, N H W) as it is: its second axis had to come first."""
    n, o, *image = dout.shape
    dout = dout.reshape(o, n, *image).transpose(0, 1)
    return functional.conv_transpose2d(dout, w)


def by_columns(dout: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """The filter is flattened after a transpose, and read row by row."""
    return functional.conv_transpose2d(dout, w.transpose(2, 3).reshape(w.shape))


@pytest.mark.parametrize(("wrong", "operand"), [(mixed, "dout"), (by_columns, "w")])
def test_an_operand_in_another_order_is_named(wrong: Callable[..., Tensor], operand: str) -> None:
    found = read_in_another_order([evidence(conv, "dx", wrong, CONV)])
    assert found is not None
    assert found.cause == Cause.TRANSPOSED
    assert found.says.startswith(f"dx is what it would be if the numbers of {operand} stood in another order: ")


def test_a_probe_on_which_the_order_makes_no_difference_says_nothing_against_it() -> None:
    one_image = {"x": tensor(1, 2, 5, 6), "w": tensor(4, 2, 2, 3, seed=1)}
    pieces = [evidence(conv, "dx", mixed, primals) for primals in (one_image, CONV)]
    assert read_in_another_order(pieces) is not None
    assert read_in_another_order(pieces[:1]) is None


def test_other_numbers_are_no_other_order() -> None:
    piece = evidence(conv, "dx", by_columns, CONV)
    assert read_in_another_order([replace(piece, got=piece.got * (1 + 1e-5))]) is None
    shuffled = CONV["w"].flatten().flip(0).reshape(CONV["w"].shape)
    assert read_in_another_order([evidence(conv, "dx", lambda d, x, w: functional.conv_transpose2d(d, shuffled), CONV)]) is None


def pooled(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2, 1)


def placed(length: int) -> Callable[..., Tensor]:
    """Every winner's dout at the flat place row · length + column."""

    def wrong(dout: Tensor, x: Tensor) -> Tensor:
        _, where = functional.max_pool2d(x, 2, 1, return_indices=True)
        rows, columns = where // x.shape[-1], where % x.shape[-1]
        dx = torch.zeros_like(x).flatten(2)
        return dx.scatter_add_(2, (rows * length + columns).flatten(2), dout.flatten(2)).reshape(x.shape)

    return wrong


def test_a_row_as_long_as_a_column_is_named() -> None:
    found = row_length([evidence(pooled, "dx", placed(4), {"x": tensor(2, 3, 4, 6)})])
    assert found is not None
    assert found.says == (
        "dx has the right numbers at the flat places row · 4 + column, as if a row were as long as a column: a row has 6 entries."
    )
    assert row_length([evidence(pooled, "dx", placed(5), {"x": tensor(2, 3, 4, 6)})]) is None
    assert row_length([evidence(pooled, "dx", placed(6), {"x": tensor(2, 3, 4, 6)})]) is None


def flat(x: Tensor, w: Tensor) -> Tensor:
    return torch.relu(x).flatten(1) @ w


def unflattened(*order: int) -> Callable[..., Tensor]:
    def wrong(dout: Tensor, x: Tensor, w: Tensor) -> Tensor:
        sizes = [x.shape[axis] for axis in order]
        back = (dout @ w.T).reshape(sizes).permute([order.index(axis) for axis in range(4)])
        return back * (x > 0)

    return wrong


def test_a_flatten_that_is_taken_back_in_another_order_is_named() -> None:
    primals = {"x": tensor(3, 2, 2, 4), "w": tensor(16, 5, seed=1)}
    found = one_step([evidence(flat, "dx", unflattened(0, 2, 3, 1), primals)])
    assert found is not None
    assert (found.cause, found.says) == (
        Cause.TRANSPOSED,
        "dx is what it would be if the flatten passed its cotangent on in another order of the axes: a reshape goes back by a "
        "reshape alone, to the shape that came in.",
    )
    assert one_step([evidence(flat, "dx", lambda d, x, w: unflattened(0, 1, 2, 3)(d, x, w).flip(3), primals)]) is None


def test_an_operand_that_is_no_tensor_is_no_clue() -> None:
    """In a second derivative the first cotangent is an input of this name, and the cotangent a nest."""
    piece = evidence(conv, "dx", mixed, CONV)
    odd = replace(piece, primals={**piece.primals, "dout": tensor(3, 4, 4, 4)}, dout=(piece.dout,), vjp=lambda _: {})
    assert read_in_another_order([odd]) is None
