"""How large a gradient has to be before it means something."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.tree import is_differentiable, is_tensor, leaves

TOGETHER = 2**14
"""Up to this many entries several tensors are looked at together; copies of more cost more than the calls that they save."""
SQUARES = 1e-140, 1e140
"""Between these two, squares of float64 keep all their digits."""


def natural_size(out: Any, dout: Any, primal: Any) -> float:
    """‖out‖·max|dout| / rms(x): the gradient of a function that changes by its own size when x does.

    A few roundings of this are all that is left of a gradient that cancels (a bias before a normalisation).
    """
    pairs = zip(leaves(out), leaves(dout), strict=False)
    effect = sum(norm(o) * largest(d) for o, d in pairs if is_differentiable(o) and is_tensor(d))
    sizes = [norm(x) / math.sqrt(x.numel()) for x in leaves(primal) if is_differentiable(x) and x.numel()]
    return effect / (min(sizes, default=0.0) or 1.0)


def norm(tensor: Tensor) -> float:
    """The euclidean norm of what is finite; squares that over- or underflow do not lose it."""
    tensor = tensor.detach()
    size = float(torch.linalg.vector_norm(tensor))
    if SQUARES[0] < size < SQUARES[1]:
        return size
    finite = torch.nan_to_num(tensor, 0.0, 0.0, 0.0)
    most = largest(finite)
    return most * float(torch.linalg.vector_norm(finite / most)) if most else 0.0


def largest_of(tensors: Sequence[Tensor]) -> list[float]:
    """The largest |entry| of each of some tensors of one shape and dtype."""
    if tensors[0].numel() == 0 or tensors[0].numel() > TOGETHER or len({tensor.dtype for tensor in tensors}) > 1:
        return [largest(tensor) for tensor in tensors]
    found: list[float] = torch.linalg.vector_norm(torch.stack(list(tensors)).reshape(len(tensors), -1), math.inf, dim=1).tolist()
    return found


def largest(tensor: Tensor) -> float:
    """The largest |entry|, nan where one is nan; 0 for an empty tensor."""
    return float(torch.linalg.vector_norm(tensor.detach(), math.inf)) if tensor.numel() else 0.0
