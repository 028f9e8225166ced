"""Copies that are faithful, comparison to the bit, and overlap that is exact."""

from __future__ import annotations

import math
from itertools import product
from operator import mul
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_check.run.side_effects import share_memory
from autograd_check.verify.tensors import FEW, copied, equal_bits, faithful_clone, largest, norm, number_pair, paired

BASE = torch.arange(60.0, dtype=torch.float64).reshape(3, 4, 5)


@pytest.mark.parametrize(
    "view",
    [BASE, BASE.mT, BASE[1:, ::2, 3:], BASE[:, :1].expand(3, 7, 5), BASE[0, 0, 0], BASE[:0], BASE.permute(2, 0, 1)[::3]],
)
def test_a_faithful_clone(view: Any) -> None:
    copy = faithful_clone(view)
    assert torch.equal(copy, view)
    assert copy.stride() == view.stride()
    assert copy.untyped_storage().data_ptr() != BASE.untyped_storage().data_ptr() or not view.numel()


def test_a_clone_leaves_the_tape() -> None:
    root = torch.ones(2, requires_grad=True)
    assert not faithful_clone(root * 2).requires_grad


def test_a_nest_is_copied_and_what_is_no_tensor_stays() -> None:
    name = object()
    nest = [(BASE.mT, name), {"x": BASE[0]}]
    copy = copied(nest)
    assert equal_bits(copy, nest)
    assert copy[0][0].stride() == BASE.mT.stride()
    assert copy[0][1] is name
    assert not share_memory(copy[1]["x"], BASE)


def test_a_sparse_tensor_is_copied_and_compared() -> None:
    sparse = torch.eye(4).to_sparse()
    assert equal_bits(faithful_clone(sparse), sparse)
    assert not equal_bits(sparse, 2 * sparse)
    assert not equal_bits(sparse, torch.eye(4))


def complex_tensor(*parts: Any) -> Any:
    return torch.view_as_complex(torch.tensor(parts, dtype=torch.float64))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (torch.tensor([1.0, math.nan]), torch.tensor([1.0, math.nan]), True),
        (torch.tensor([1.0, math.nan]), torch.tensor([2.0, math.nan]), False),
        (torch.tensor([1.0, math.nan]), torch.tensor([math.nan, 1.0]), False),
        (torch.tensor([math.nan]), torch.tensor([0.0]), False),
        (torch.tensor([0.0]), torch.tensor([-0.0]), True),
        (torch.tensor([math.inf, math.nan]), torch.tensor([torch.finfo(torch.float32).max, math.nan]), False),
        (torch.tensor([math.inf, math.nan]), torch.tensor([-math.inf, math.nan]), False),
        (torch.tensor([1.0]), torch.tensor([[1.0]]), False),
        (torch.tensor([1]), torch.tensor([1.0]), False),
        (torch.tensor([1.0]), torch.tensor([1.0], dtype=torch.float64), False),
        (torch.tensor([1]), torch.tensor([2]), False),
        (complex_tensor((math.nan, 1.0)), complex_tensor((math.nan, 1.0)), True),
        (complex_tensor((math.nan, 1.0)), complex_tensor((math.nan, 2.0)), False),
        (complex_tensor((math.nan, 0.0)), complex_tensor((0.0, math.nan)), False),
        (complex_tensor((math.nan, 1.0)).conj(), complex_tensor((math.nan, -1.0)), True),
        ([torch.ones(2), 3], (torch.ones(2), 3), True),
        ([torch.ones(2)], [torch.ones(2), torch.ones(2)], False),
        ({"x": torch.ones(2)}, {"x": torch.zeros(2)}, False),
        (torch.ones(()), 1.0, False),
        (None, torch.ones(2), False),
        ((1.5, math.nan, None), (1.5, math.nan, None), True),
        (1.5, 2.5, False),
        (1, True, False),
        (complex(math.nan, 1.0), complex(math.nan, 1.0), True),
        (complex(math.nan, 1.0), complex(math.nan, 2.0), False),
    ],
)
def test_equal_bits(one: Any, other: Any, same: Any) -> None:
    assert equal_bits(one, other) is same
    assert equal_bits(other, one) is same
    assert equal_bits(copied(one), one)


@pytest.mark.parametrize("name", ["equal", "eq", "ne", "isin", "arange"])
def test_a_later_patch_of_torch_does_not_reach_the_comparison(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    one = torch.tensor([math.nan, 1.0])
    changed, other = torch.tensor([0.0, 1.0]), torch.zeros(5)[::2]
    monkeypatch.setattr(torch, name, lambda *_, **__: torch.ones(9, dtype=torch.bool))
    assert not equal_bits(one, changed)
    assert equal_bits(one, one.clone())
    assert not share_memory(other, other[1:].clone())
    assert share_memory(other, other[1:])


indices = st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(1, 3))


@settings(max_examples=150, deadline=None)
@given(indices, indices, indices, indices)
def test_overlap_is_exact(rows: Any, columns: Any, other_rows: Any, other_columns: Any) -> None:
    """Against the definition: writing into one view shows in the other."""
    base = torch.zeros(6, 6)
    one = base[slice(*rows), slice(*columns)]
    other = base[slice(*other_rows), slice(*other_columns)]
    one.fill_(1.0)
    assert share_memory(one, other) is bool(other.any())


@pytest.mark.parametrize(
    ("shape", "strides", "start"),
    [((7, 2), (0, 3), 0), ((5, 5), (2, 2), 0), ((3, 1), (4, 9), 1), ((4,), (0,), 2), ((2, 3), (5, 1), 0), ((), (), 3)],
)
def test_overlap_of_a_view_with_gaps_is_exact(shape: Any, strides: Any, start: Any) -> None:
    """Expanded and overlapping views have more entries than places: each place is looked at by itself."""
    base = torch.zeros(24)
    view = base.as_strided(shape, strides, start)
    reached = {start + sum(map(mul, index, strides)) for index in product(*map(range, shape))}
    assert {place for place in range(24) if share_memory(view, base[place : place + 1])} == reached


def test_overlap_is_seen_through_another_storage() -> None:
    """A numpy array that looks into a tensor has a storage of its own when it becomes a tensor again."""
    base = torch.zeros(6)
    again = torch.from_numpy(base.numpy()[2:])
    assert share_memory(base, again)
    assert share_memory(base[3:4], again)
    assert not share_memory(base[:2], again)


def test_other_storages_and_types_do_not_overlap() -> None:
    base = torch.zeros(4, dtype=torch.complex128)
    assert share_memory(base, torch.view_as_real(base)[..., 1])
    assert not share_memory(base, base.clone())
    assert not share_memory(torch.view_as_real(base)[..., 0], torch.view_as_real(base)[..., 1])
    assert not share_memory(base, torch.eye(4).to_sparse())


def test_two_numbers_that_differ_by_a_subnormal_one_are_written() -> None:
    assert number_pair(1 + 5e-324j, 1 + 0j) == ("(1+5e-324j)", "(1+0j)")


# --- Sizes, of few entries and of many -------------------------------------------------------------------------------

COUNTS = [1, FEW, FEW + 1]


def entries(count: int, seed: int, dtype: torch.dtype = torch.float64) -> Any:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_sizes_of_real_entries(count: int, dtype: torch.dtype) -> None:
    one, other = entries(count, 1, dtype), entries(count, 2, dtype)
    products = [a * b for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    assert norm(one) == pytest.approx(math.hypot(*one.tolist()), rel=8 * float(torch.finfo(dtype).eps))
    assert largest(one) == max(map(abs, one.tolist()))
    loose = 0 if dtype is torch.float64 else float(torch.finfo(dtype).eps) * math.fsum(map(abs, products))
    assert paired(one, other)[0] == pytest.approx(math.fsum(products), rel=1e-12, abs=loose + 1e-15)
    assert paired(one, other)[1] == pytest.approx(math.hypot(*products), rel=8 * float(torch.finfo(dtype).eps))
    assert paired(one.reshape(1, count).T, other.reshape(1, count).T) == pytest.approx(paired(one, other), rel=1e-12)


@pytest.mark.parametrize("count", COUNTS)
def test_sizes_of_complex_entries(count: int) -> None:
    one, other = (torch.complex(entries(count, seed), entries(count, seed + 1)) for seed in (3, 5))
    products = [(a.conjugate() * b).real for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    assert norm(one) == pytest.approx(math.hypot(*map(abs, one.tolist())), rel=1e-12)
    assert largest(one) == pytest.approx(max(map(abs, one.tolist())), rel=1e-12)
    assert paired(one, other) == pytest.approx((math.fsum(products), math.hypot(*products)), rel=1e-12)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200])
def test_squares_that_over_or_underflow_lose_no_norm(count: int, scale: float) -> None:
    assert norm(torch.full((count,), scale, dtype=torch.float64)) == pytest.approx(math.sqrt(count) * scale, rel=1e-12)


@pytest.mark.parametrize("count", [2, *COUNTS[1:]])
def test_what_is_not_finite_is_seen_and_left_out_of_a_norm(count: int) -> None:
    x = torch.ones(count, dtype=torch.float64)
    for bad in (math.nan, math.inf):
        x[0] = bad
        assert norm(x) == pytest.approx(math.sqrt(count - 1))
        x[0], x[-1] = 1.0, bad
        assert not math.isfinite(largest(x))
        assert not math.isfinite(paired(x, x)[0])
        x[-1] = 1.0


def test_of_nothing_the_sizes_are_zero() -> None:
    nothing = torch.zeros(0, 3, dtype=torch.float64)
    assert norm(nothing) == largest(nothing) == 0
    assert paired(nothing, nothing) == (0, 0)
