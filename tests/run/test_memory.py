"""Copies that are faithful, comparison to the bit, and overlap that is exact."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_check.run.memory import faithful_clone, same_bits, share_memory

BASE = torch.arange(60.0, dtype=torch.float64).reshape(3, 4, 5)


@pytest.mark.parametrize(
    "view",
    [BASE, BASE.mT, BASE[1:, ::2, 3:], BASE[:, :1].expand(3, 7, 5), BASE[0, 0, 0], BASE[:0], BASE.permute(2, 0, 1)[::3]],
)
def test_a_faithful_clone(view):
    copy = faithful_clone(view)
    assert torch.equal(copy, view)
    assert copy.stride() == view.stride()
    assert copy.untyped_storage().data_ptr() != BASE.untyped_storage().data_ptr() or not view.numel()


def test_a_clone_leaves_the_tape():
    root = torch.ones(2, requires_grad=True)
    assert not faithful_clone(root * 2).requires_grad


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (torch.tensor([1.0, math.nan]), torch.tensor([1.0, math.nan]), True),
        (torch.tensor([1.0, math.nan]), torch.tensor([2.0, math.nan]), False),
        (torch.tensor([math.nan]), torch.tensor([0.0]), False),
        (torch.tensor([1.0]), torch.tensor([[1.0]]), False),
        (torch.tensor([1]), torch.tensor([1.0]), False),
        (torch.tensor([1]), torch.tensor([2]), False),
    ],
)
def test_same_bits(one, other, same):
    assert same_bits(one, other) is same


indices = st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(1, 3))


@settings(max_examples=150, deadline=None)
@given(indices, indices, indices, indices)
def test_overlap_is_exact(rows, columns, other_rows, other_columns):
    """Against the definition: writing into one view shows in the other."""
    base = torch.zeros(6, 6)
    one = base[slice(*rows), slice(*columns)]
    other = base[slice(*other_rows), slice(*other_columns)]
    one.fill_(1.0)
    assert share_memory(one, other) is bool(other.any())


def test_other_storages_and_types_do_not_overlap():
    base = torch.zeros(4, dtype=torch.complex128)
    assert share_memory(base, torch.view_as_real(base)[..., 1])
    assert not share_memory(base, base.clone())
    assert not share_memory(torch.view_as_real(base)[..., 0], torch.view_as_real(base)[..., 1])
    assert not share_memory(base, torch.eye(4).to_sparse())
