"""The reference: value and gradients of a function by `torch.autograd`, and how well conditioned they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.tensors import is_differentiable, is_tensor, leaves, map_tensors, refilled
from autograd_check.verify.tolerances import NUDGE, SPREAD, SPREAD_DRAWS


def oracle_vjp(oracle: Callable[..., Any] | None, point: Point, wrt: Sequence[str], dout: Any) -> tuple[Any, dict[str, Any]]:
    """`out` and the gradient of every primal in `wrt` for the cotangent `dout`, in the nest of the primal.

    A primal that `out` does not depend on gets zeros. Raises `ValueError` without an oracle.
    """
    out, pull = oracle_tape(oracle, point, wrt)
    return out, pull(dout)


def oracle_tape(
    oracle: Callable[..., Any] | None, point: Point, wrt: Sequence[str]
) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
    """As `oracle_vjp`: `out`, and a function from any cotangent to the gradients, for which the forward is not run again."""
    if oracle is None:
        raise ValueError("a tape needs an oracle, got None")
    primals = {name: map_tensors(_leaf if name in wrt else _plain, value) for name, value in point.primals.items()}
    with torch.enable_grad():
        out = oracle(*primals.values(), **point.hyper)
    inputs = [leaf for name in wrt for leaf in leaves(primals[name])]

    def pull(dout: Any) -> dict[str, Any]:
        grads = differentiate(out, dout, inputs, keep=True)
        filled = [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, grads, strict=True)]
        return dict(zip(wrt, refilled([primals[name] for name in wrt], filled), strict=True))

    return map_tensors(lambda tensor: tensor.detach(), out), pull


def differentiate(out: Any, dout: Any, roots: Sequence[Any], *, keep: bool = False) -> list[Any]:
    """The gradients of every root by autograd, None where the tape does not reach it; `keep` the tape for another time.

    Raises `ValueError` where a tensor of `out` has another shape than its cotangent.
    """
    pairs = [
        (leaf, cotangent)
        for leaf, cotangent in zip(leaves(out), leaves(dout), strict=False)
        if is_tensor(leaf) and leaf.requires_grad and is_tensor(cotangent)
    ]
    wanted = [root for root in roots if is_differentiable(root)]
    if not pairs or not wanted:
        return [None] * len(roots)
    # One number whose gradient is the cotangent: `grad_outputs` would make torch import sympy, more than half a second.
    with torch.enable_grad():
        numbers = [_inner_product(leaf, cotangent) for leaf, cotangent in pairs]
    grads = iter(torch.autograd.grad(numbers, wanted, allow_unused=True, retain_graph=keep))
    return [next(grads) if is_differentiable(root) else None for root in roots]


def _inner_product(leaf: Tensor, cotangent: Tensor) -> Tensor:
    if leaf.shape != cotangent.shape:
        raise ValueError(f"the forward returned shape {tuple(leaf.shape)}, expected {tuple(cotangent.shape)}, the shape of dout")
    product = (leaf * cotangent.conj().to(leaf.dtype)).sum()
    return product.real if product.is_complex() else product


def _leaf(tensor: Tensor) -> Tensor:
    copy = tensor.detach().clone()
    return copy.requires_grad_() if is_differentiable(copy) else copy


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


def oracle_spread(
    oracle: Callable[..., Any] | None, point: Point, wrt: Sequence[str], dout: Any, answer: Any, *, draws: int = SPREAD_DRAWS
) -> tuple[Any, dict[str, Any]]:
    """How far `answer`, `out` and the gradients, moves when every primal in `wrt` moves by up to `NUDGE` units in its last place.

    Same nests as `oracle_vjp`, of real numbers; each entry is `SPREAD` times the largest change over `draws` random moves.
    """
    generator = Generator().manual_seed(2718)
    spreads = [torch.zeros_like(leaf).abs() for leaf in leaves(answer)]
    for _ in range(draws):
        nearby = {name: map_tensors(lambda t: nudged(t, generator), point.primals[name]) for name in wrt}
        moved = oracle_vjp(oracle, Point({**point.primals, **nearby}, point.hyper), wrt, dout)
        spreads = _wider(spreads, leaves(answer), leaves(moved))
    out_spread, grad_spread = refilled(answer, spreads)
    return out_spread, grad_spread


def _wider(spreads: Sequence[Tensor], base: Sequence[Tensor], moved: Sequence[Tensor]) -> list[Tensor]:
    return [
        torch.maximum(s, SPREAD * (m - b).abs()) if is_differentiable(b) and b.shape == m.shape else s
        for s, b, m in zip(spreads, base, moved, strict=True)
    ]


def nudged(tensor: Tensor, generator: Generator, units: int = NUDGE) -> Tensor:
    """The tensor with every entry moved by up to `units` in its last place; integers stay."""
    if tensor.is_complex():
        return torch.view_as_complex(nudged(torch.view_as_real(tensor.resolve_conj()), generator, units))
    if not tensor.is_floating_point():
        return tensor
    steps = torch.randint(-units, units + 1, tensor.shape, generator=generator, device="cpu").to(tensor.device, tensor.dtype)
    return tensor * (1 + steps * torch.finfo(tensor.dtype).eps)
