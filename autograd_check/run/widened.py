"""A callable whose inputs are of low precision, run in float64: what it captured is cast along. And whether it narrows again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode

from autograd_check.dispatch_mode import Watching
from autograd_check.run.callable import Wrapped
from autograd_check.verify.candidate import Point
from autograd_check.verify.tensors import is_differentiable, is_single, leaves, map_leaves
from autograd_check.verify.trial import draw_cotangent


class Widening(TorchFunctionMode):
    """Casts the float32 tensors that meet float64 ones in an operation: parameters and constants that the callable captured.

    What an operation writes into keeps its dtype.
    """

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation on arguments of one precision."""
        kwargs = kwargs or {}
        given = [leaf for leaf in leaves([list(args), dict(kwargs)]) if is_differentiable(leaf)]
        if any(map(is_single, given)) and not all(map(is_single, given)):
            name = getattr(func, "__name__", "")
            kept = int(name == "__setitem__" or name.startswith("__i") or (name.endswith("_") and not name.startswith("_")))
            args = (*args[:kept], *(map_leaves(_wide, argument) for argument in args[kept:]))
            kwargs = {key: value if key == "out" else map_leaves(_wide, value) for key, value in kwargs.items()}
        return func(*args, **kwargs)


def widened(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same call, with what it captured cast along."""

    def wide(*given: Any) -> Any:
        with Widening():
            return call(*given)

    return wide


def in_double(leaf: Any) -> Any:
    """A tensor with fractions in float64 or complex128; any other leaf as it is."""
    return _wide(leaf.detach()).requires_grad_(leaf.requires_grad) if is_differentiable(leaf) else leaf


def _wide(leaf: Any) -> Any:
    if not is_differentiable(leaf):
        return leaf
    return leaf.to(torch.complex128 if leaf.is_complex() else torch.float64)


class Narrowing(Watching):
    """Records the operations that turn float64 into less."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def after(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        """Note whether an operation lost digits."""
        first = args[0] if args else None
        if is_single(out) and isinstance(first, Tensor) and first.dtype in (torch.float64, torch.complex128):
            self.seen.append(str(out.dtype).removeprefix("torch."))


def narrows_to(wrapped: Wrapped, point: Point, seed: int) -> str:
    """The first lower precision into which a callable turns float64, all its inputs being float64; "" where there is none or it does not run."""
    with Narrowing() as narrowing, torch.enable_grad():
        try:
            out, cache = wrapped.forward(*point.primals.values())
            wrapped.backward(draw_cotangent(out, Generator().manual_seed(seed)), cache)
        except Exception:  # reported by the check itself
            return ""
    return narrowing.seen[0] if narrowing.seen else ""
