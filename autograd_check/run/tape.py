"""`torch.autograd` of the student's own forward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.tensors import is_differentiable, leaves


def rooted(leaf: Any) -> Any:
    """A tensor that the tape begins at; other values as they are."""
    return leaf.requires_grad_() if is_differentiable(leaf) else leaf


def follow(leaf: Any) -> Any:
    """A copy that the tape follows: writing into a root itself would be an error."""
    return leaf.clone() if is_differentiable(leaf) else leaf


def differentiate(out: Any, dout: Any, roots: Sequence[Any]) -> list[Any]:
    """Gradients of every root (None where the tape does not reach it)."""
    pairs = [
        (leaf, cotangent)
        for leaf, cotangent in zip(leaves(out), leaves(dout), strict=False)
        if isinstance(leaf, Tensor) and leaf.requires_grad and isinstance(cotangent, Tensor)
    ]
    wanted = [root for root in roots if is_differentiable(root)]
    if not pairs or not wanted:
        return [None] * len(roots)
    # One number whose gradient is the cotangent: `grad_outputs` would make torch import its symbolic shapes, half a second.
    numbers = [_inner_product(leaf, cotangent) for leaf, cotangent in pairs]
    grads = iter(torch.autograd.grad(numbers, wanted, allow_unused=True))
    return [next(grads) if is_differentiable(root) else None for root in roots]


def _inner_product(leaf: Tensor, cotangent: Tensor) -> Tensor:
    if leaf.shape != cotangent.shape:
        raise ValueError(f"the forward returned shape {tuple(leaf.shape)}, expected {tuple(cotangent.shape)}, the shape of dout")
    product = (leaf * cotangent.conj().to(leaf.dtype)).sum()
    return product.real if product.is_complex() else product
