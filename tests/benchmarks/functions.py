"""Hand-written functions of torch.autograd on which checkers are timed."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch.autograd import Function


class Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x @ w + b

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return grad @ w.T, x.T @ grad, grad.sum(0)


class Conv2d(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        columns = F.unfold(x, w.shape[2:])
        ctx.save_for_backward(columns, w)
        ctx.size = x.shape[2:]
        height, width = x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1
        return (w.flatten(1) @ columns + b[:, None]).unflatten(2, (height, width))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        columns, w = ctx.saved_tensors
        flat = grad.flatten(2)
        dx = F.fold(w.flatten(1).T @ flat, ctx.size, w.shape[2:])
        return dx, (flat @ columns.mT).sum(0).reshape(w.shape), flat.sum((0, 2))


class SoftmaxCrossEntropy(Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, target: Tensor) -> Tensor:
        shifted = scores - scores.max(1, keepdim=True).values
        p = shifted.exp() / shifted.exp().sum(1, keepdim=True)
        ctx.save_for_backward(p, target)
        return -p[torch.arange(len(target)), target].log().mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        p, target = ctx.saved_tensors
        d = p.clone()
        d[torch.arange(len(target)), target] -= 1
        return grad * d / len(target), None


class BatchNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        inverse = 1 / (x.var(0, unbiased=False) + 1e-5).sqrt()
        normal = (x - x.mean(0)) * inverse
        ctx.save_for_backward(normal, inverse, gamma)
        return normal * gamma + beta

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        normal, inverse, gamma = ctx.saved_tensors
        d = grad * gamma
        dx = (d - d.mean(0) - normal * (d * normal).mean(0)) * inverse
        return dx, (grad * normal).sum(0), grad.sum(0)


class Attention(Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        p = torch.softmax(q @ k.T / q.shape[1] ** 0.5, -1)
        ctx.save_for_backward(q, k, v, p)
        return p @ v

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        q, k, v, p = ctx.saved_tensors
        dp = grad @ v.T
        ds = p * (dp - (dp * p).sum(-1, keepdim=True)) / q.shape[1] ** 0.5
        return ds @ k, ds.T @ q, p.T @ grad


class TanhLoss(Function):
    """mean(tanh(x w)²): one matrix of any size."""

    @staticmethod
    def forward(ctx: Any, w: Tensor, x: Tensor) -> Tensor:
        h = torch.tanh(x @ w)
        ctx.save_for_backward(x, h)
        return (h * h).mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, h = ctx.saved_tensors
        return x.T @ (grad * 2 * h * (1 - h * h) / h.numel()), None


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


CASES: dict[str, tuple[type[Function], tuple[Any, ...]]] = {
    "linear 16×64→32": (Linear, (normal(16, 64), normal(64, 32, seed=1), normal(32, seed=2))),
    "conv2d 2×3×8×8, 4 filters": (Conv2d, (normal(2, 3, 8, 8), normal(4, 3, 3, 3, seed=1), normal(4, seed=2))),
    "softmax cross-entropy 32×10": (SoftmaxCrossEntropy, (normal(32, 10), torch.arange(32) % 10)),
    "batch norm 16×20": (BatchNorm, (normal(16, 20), normal(20, seed=1), normal(20, seed=2))),
    "attention 8×16": (Attention, (normal(8, 16), normal(8, 16, seed=1), normal(8, 16, seed=2))),
}
