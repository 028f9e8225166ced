"""Right functions with wrong gradients: an identity whose backward spoils what passes through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.autograd import Function


def spoiler(places: Sequence[int], size: float | Sequence[float]) -> Callable[[Tensor], Tensor]:
    """x, with the flat entries `places` of its gradient off by the factor `1 + size`."""

    class Spoil(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            wrong = grad.clone()
            sizes = [size] * len(places) if isinstance(size, float) else size
            for place, amount in zip(places, sizes, strict=True):
                wrong.view(-1)[place] *= 1 + amount
            return wrong

    return Spoil.apply


def scaler(factor: float) -> Callable[[Tensor], Tensor]:
    """x, with every entry of its gradient times `factor`."""

    class Scale(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return factor * grad

    return Scale.apply
