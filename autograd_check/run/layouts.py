"""Tensors that are not strided (sparse in any layout) as strided ones, which can be moved and compared, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.tensors import is_differentiable


def strided(value: Any, *, masked: bool = False) -> Any:
    """A differentiable tensor in strided memory with every zero written out, on the tape; any other value as it is.

    With `masked` only the entries that are stored get a gradient.
    """
    if not is_differentiable(value):
        return value
    if value.layout is torch.strided:
        return value.clone() if value._is_zerotensor() else value
    dense: Tensor = value.to_dense() if value.layout is torch._mkldnn else value.to_dense(masked_grad=masked)  # type: ignore[attr-defined]
    return dense


@dataclass(frozen=True)
class Layout:
    """How a sparse input becomes a strided primal and comes back.

    With `masked` the primal holds the stored values, in their order, and nothing else can move. Without it the primal is the
    whole dense tensor, and a point is a tensor that stores all of it: only where the tape runs at the sample itself, it stores what
    the sample does.
    """

    sample: Tensor
    masked: bool

    @cached_property
    def dense(self) -> Tensor:
        """The sample with every zero written out."""
        return self.sample.detach().to_dense()

    @property
    def primal(self) -> Tensor:
        """What is differentiated at the sample: a strided tensor of its dtype, on its device."""
        return values_of(self.sample).clone() if self.masked else self.dense.clone()

    def tensor(self, primal: Tensor) -> Tensor:
        """The tensor of the sample's layout for a primal; a leaf without gradient."""
        with torch._C._DisableTorchDispatch():  # what is packed here is no operation of the function's
            if self.masked:
                return filled(self.sample, primal.detach())
            if torch.is_grad_enabled() and torch.equal(primal, self.dense):
                return self.sample.detach().clone()
            return _packed(self._whole, primal.detach())

    def tangent(self, along: Tensor) -> Tensor:
        """A tangent of the primal as one of the tensor, with the entries stored that `tensor` stores with the tape on."""
        return filled(self.sample, along) if self.masked else _packed(self.sample, along)

    def gradient(self, grad: Tensor) -> Tensor:
        """A gradient of the tensor, in whatever layout it came, as one of the primal."""
        dense = grad if grad.layout is torch.strided else grad.to_dense()
        return _taken(self.sample, dense) if self.masked else dense

    @cached_property
    def _whole(self) -> Tensor:
        """A tensor of the sample's layout that stores every entry."""
        x = self.sample
        ones = torch.ones_like(self.dense)
        if x.layout is torch.sparse_coo:
            return ones.to_sparse(x.sparse_dim())
        blocks = tuple(x.values().shape[-2 - x.dense_dim() :][:2]) if x.layout in (torch.sparse_bsr, torch.sparse_bsc) else None
        return ones.to_sparse(layout=x.layout, blocksize=blocks, dense_dim=x.dense_dim())


def values_of(x: Tensor) -> Tensor:
    """The entries that a sparse tensor stores."""
    x = x.detach()
    return x._values() if x.layout is torch.sparse_coo else x.values()


def filled(pattern: Tensor, values: Tensor) -> Tensor:
    """A tensor with other values in the places that `pattern` stores."""
    x = pattern.detach()
    if x.layout is torch.sparse_coo:
        made = torch.sparse_coo_tensor(x._indices(), values, x.shape, check_invariants=False)
        return made._coalesced_(x.is_coalesced())
    rows = x.layout in (torch.sparse_csr, torch.sparse_bsr)
    compressed, plain = (x.crow_indices(), x.col_indices()) if rows else (x.ccol_indices(), x.row_indices())
    return torch.sparse_compressed_tensor(compressed, plain, values, x.shape, layout=x.layout, check_invariants=False)


def _taken(pattern: Tensor, dense: Tensor) -> Tensor:
    """The entries of a dense tensor that `pattern` stores, in its order."""
    if pattern.layout is torch.sparse_coo:
        return dense[tuple(pattern._indices())]
    values = values_of(pattern)
    places = filled(pattern, torch.arange(1, values.numel() + 1, device=dense.device).reshape(values.shape)).to_dense()
    taken = dense.new_zeros(values.numel())
    stored = places > 0
    taken[places[stored] - 1] = dense[stored]
    return taken.reshape(values.shape)


def _packed(pattern: Tensor, dense: Tensor) -> Tensor:
    return filled(pattern, _taken(pattern, dense))
