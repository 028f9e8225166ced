"""Correct functions that are hard for a gradient checker: each family draws one from a seed, as `(fn, inputs)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

Case = tuple[Callable[..., Any], tuple[Any, ...]]


def normal(generator: Generator, *shape: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * scale + shift
    return x.requires_grad_()


def zeros_into_relu(g: Generator) -> Case:
    x = normal(g, 6, 8).detach()
    x[torch.rand(x.shape, generator=g) < 0.3] = 0.0
    return torch.relu, (x.requires_grad_(),)


def integer_ties_in_max_pool(g: Generator) -> Case:
    x = torch.randint(0, 3, (2, 2, 6, 6), generator=g).to(torch.float64).requires_grad_()
    return lambda x: F.max_pool2d(x, 2), (x,)


def absolute_value(g: Generator) -> Case:
    x = normal(g, 20).detach()
    x[:4] = 0.0
    return torch.abs, (x.requires_grad_(),)


def clamp(g: Generator) -> Case:
    x = normal(g, 30).detach()
    x[:3], x[3:6] = 0.5, -0.5
    return lambda x: x.clamp(-0.5, 0.5), (x.requires_grad_(),)


def saturated_sigmoid(g: Generator) -> Case:
    return torch.sigmoid, (normal(g, 5, 4, scale=40.0),)


def wholly_saturated_sigmoid(g: Generator) -> Case:
    x = torch.where(torch.rand((12,), generator=g) < 0.5, -1.0, 1.0).to(torch.float64) * 45
    return torch.sigmoid, (x.requires_grad_(),)


def large_logits(g: Generator) -> Case:
    target = torch.randint(0, 6, (5,), generator=g)
    return lambda x: F.cross_entropy(50 * x, target), (normal(g, 5, 6),)


def tiny_gradients(g: Generator) -> Case:
    return lambda x: 1e-8 * x.sin(), (normal(g, 12),)


def tiny_loss(g: Generator) -> Case:
    return lambda x, w: 1e-8 * ((x @ w).tanh() ** 2).mean(), (normal(g, 6, 5), normal(g, 5, 3))


def large_inputs(g: Generator) -> Case:
    return lambda x: (x / 1e6).tanh() * x, (normal(g, 10, scale=1e6),)


def small_inputs(g: Generator) -> Case:
    return lambda x: x.log() + 1 / x, ((normal(g, 10).detach().abs() * 1e-6 + 1e-7).requires_grad_(),)


def large_and_small_inputs(g: Generator) -> Case:
    x = normal(g, 10).detach()
    scales = torch.tensor([1e6, 1e-6] * 5, dtype=torch.float64)
    return lambda x: (x / scales).sin() * scales, ((x * scales).requires_grad_(),)


def large_and_small_arguments(g: Generator) -> Case:
    return lambda x, y: x * y + x.abs().sqrt(), (normal(g, 8, scale=1e6), normal(g, 8, scale=1e-6))


def offset(g: Generator) -> Case:
    return lambda x: 1e8 + (x * x).sum(), (normal(g, 12),)


def offset_input(g: Generator) -> Case:
    return lambda x: (x - 1e8) ** 2, (normal(g, 8, shift=1e8),)


def fast_sine(g: Generator) -> Case:
    return lambda x: (1e4 * x).sin(), (normal(g, 8),)


def batch_norm_without_variance(g: Generator) -> Case:
    x = normal(g, 16, 5, scale=1e-4, shift=1.0)
    return lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), (x, normal(g, 5), normal(g, 5))


def batch_norm_tiny_epsilon(g: Generator) -> Case:
    return lambda x: (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-12).sqrt(), (normal(g, 16, 4, scale=1e-4),)


def masked_softmax(g: Generator) -> Case:
    mask = torch.rand((6, 6), generator=g) < 0.4
    mask.fill_diagonal_(False)
    return lambda x: x.masked_fill(mask, float("-inf")).softmax(-1), (normal(g, 6, 6),)


def infinite_input(g: Generator) -> Case:
    x = normal(g, 5, 6).detach()
    x[:, 4] = float("-inf")
    return lambda x: x.softmax(-1), (x.requires_grad_(),)


def log_softmax_with_infinities(g: Generator) -> Case:
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1)
    return lambda x: x.masked_fill(mask, float("-inf")).log_softmax(-1).masked_fill(mask, 0.0), (normal(g, 5, 5),)


def sort(g: Generator) -> Case:
    return lambda x: x.sort(-1).values, (normal(g, 4, 9),)


def sort_with_ties(g: Generator) -> Case:
    x = torch.randint(0, 4, (4, 7), generator=g).to(torch.float64).requires_grad_()
    return lambda x: x.sort(dim=-1, stable=True).values * torch.arange(7), (x,)


def topk(g: Generator) -> Case:
    return lambda x: x.topk(3, -1).values, (normal(g, 5, 9),)


def cumulative_sum(g: Generator) -> Case:
    return lambda x: x.cumsum(0), (normal(g, 40, 3),)


def cumulative_maximum(g: Generator) -> Case:
    return lambda x: x.cummax(0).values, (normal(g, 20, 3),)


def median(g: Generator) -> Case:
    return lambda x: x.median(-1).values, (normal(g, 6, 7),)


def maximum_of_two(g: Generator) -> Case:
    x = normal(g, 12).detach()
    y = normal(g, 12).detach()
    y[:5] = x[:5]
    return torch.maximum, (x.requires_grad_(), y.requires_grad_())


def relu_network(g: Generator) -> Case:
    x = normal(g, 16, 12).detach()
    return lambda w, v: ((x @ w).relu() @ v).square().mean(), (normal(g, 12, 20), normal(g, 20, 1))


def huber(g: Generator) -> Case:
    target = normal(g, 20, scale=2.0).detach()
    return lambda x: F.huber_loss(x, target), (normal(g, 20, scale=2.0),)


def absolute_loss(g: Generator) -> Case:
    target = normal(g, 20).detach()
    x = normal(g, 20).detach()
    x[:3] = target[:3]
    return lambda x: F.l1_loss(x, target), (x.requires_grad_(),)


def hard_swish(g: Generator) -> Case:
    return F.hardswish, (normal(g, 30, scale=3.0),)


def norm_of_rows(g: Generator) -> Case:
    return lambda x: x.norm(dim=-1), (normal(g, 5, 4),)


def gradient_that_is_zero(g: Generator) -> Case:
    """A bias before batch norm: its gradient is rounding and nothing else."""
    x, w = normal(g, 16, 4), normal(g, 4, 3)
    return lambda x, w, b: F.batch_norm(x @ w + b, None, None, training=True), (x, w, normal(g, 3))


def rows_that_sum_to_one(g: Generator) -> Case:
    return lambda x: x.softmax(-1).sum(-1), (normal(g, 4, 5),)


def excess_of_probabilities(g: Generator) -> Case:
    return lambda x: x.softmax(-1).sum(-1) - 1, (normal(g, 4, 5),)


def digamma(g: Generator) -> Case:
    return torch.digamma, (normal(g, 6, scale=3.0),)


def beyond_the_tail_of_gelu(g: Generator) -> Case:
    return F.gelu, (normal(g, 12, scale=3.0, shift=-25.0),)


def deviations_that_cancel(g: Generator) -> Case:
    return lambda x: (x - x.mean()).sum(), (normal(g, 5, 6),)


def a_function_and_its_inverse(g: Generator) -> Case:
    return lambda x: x.exp().log() - x, (normal(g, 5, 6),)


def angle_of_a_square(g: Generator) -> Case:
    z = torch.randn((3, 3), generator=g, dtype=torch.complex128).requires_grad_()
    return lambda z: (z * z.conj()).angle(), (z,)


def dropout(g: Generator) -> Case:
    return lambda x: F.dropout(x, 0.3), (normal(g, 6, 5),)


def layer_norm_module(g: Generator) -> Case:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layer = nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.GELU()).double()
    return layer, (normal(g, 4, 6),)


def cancellation(g: Generator) -> Case:
    return lambda x: (1 + 1e6 * x) - 1e6 * x + x.sin(), (normal(g, 8),)


def single(make: Callable[[Generator], Case]) -> Callable[[Generator], Case]:
    """The same family with float32 inputs."""

    def draw(g: Generator) -> Case:
        fn, inputs = make(g)
        lowered = [
            x.detach().float().requires_grad_(x.requires_grad) if isinstance(x, Tensor) and x.is_floating_point() else x
            for x in inputs
        ]
        return fn.float() if isinstance(fn, nn.Module) else fn, tuple(lowered)

    return draw


FAMILIES: dict[str, Callable[[Generator], Case]] = {
    make.__name__: make
    for make in (
        zeros_into_relu,
        integer_ties_in_max_pool,
        absolute_value,
        clamp,
        saturated_sigmoid,
        wholly_saturated_sigmoid,
        large_logits,
        tiny_gradients,
        tiny_loss,
        large_inputs,
        small_inputs,
        large_and_small_inputs,
        large_and_small_arguments,
        offset,
        offset_input,
        fast_sine,
        batch_norm_without_variance,
        batch_norm_tiny_epsilon,
        masked_softmax,
        infinite_input,
        log_softmax_with_infinities,
        sort,
        sort_with_ties,
        topk,
        cumulative_sum,
        cumulative_maximum,
        median,
        maximum_of_two,
        relu_network,
        huber,
        absolute_loss,
        hard_swish,
        norm_of_rows,
        gradient_that_is_zero,
        rows_that_sum_to_one,
        excess_of_probabilities,
        digamma,
        beyond_the_tail_of_gelu,
        deviations_that_cancel,
        a_function_and_its_inverse,
        angle_of_a_square,
        dropout,
        layer_norm_module,
        cancellation,
    )
} | {
    f"{make.__name__}_float32": single(make)
    for make in (
        zeros_into_relu,
        integer_ties_in_max_pool,
        large_logits,
        tiny_gradients,
        masked_softmax,
        saturated_sigmoid,
        batch_norm_without_variance,
        layer_norm_module,
        cumulative_sum,
        offset,
    )
}


def draw(name: str, seed: int) -> Case:
    return FAMILIES[name](torch.Generator().manual_seed(seed))
