"""Networks of linear layers with relus between them, as several lessons take them: how their parameters are drawn, by torch what
they compute.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autograd_check.course.draws import Draw, Shape, nest, normal
from autograd_check.course.probe import Sample
from autograd_check.course.shapes import Sizes


def network(*sizes: str | int, scale: float = 0.5, shift: float = 0.5) -> Draw:
    """Parameters [(w, b), ...] of layers of these sizes (names or numbers), with biases that keep most units on."""

    def make(_: Shape, known: Sizes) -> Sample:
        dims = [size if isinstance(size, int) else known[size] for size in sizes]
        pairs = zip(dims[:-1], dims[1:], strict=True)
        return nest(*((normal().of(i, o), normal(scale=scale, shift=shift).of(o)) for i, o in pairs)).of()

    return Draw(make, leaves=("w", "b"))


def relu_network(x: Tensor, params: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """x (N, D) through all layers (w, b), with a relu between them and none after the last; (N, M)."""
    *hidden, (w, b) = params
    for weight, bias in hidden:
        x = torch.relu(x @ weight + bias)
    return x @ w + b
