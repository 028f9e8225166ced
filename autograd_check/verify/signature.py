"""The branch signature of a run: every discrete decision that it made, hashed.

Two runs with one signature went through the same branches, so between their inputs the function is (as far as can be
seen) one smooth formula. A difference quotient across two signatures measures a kink.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

SIGN_OF_INPUT = frozenset(
    {"relu", "abs", "sign", "sgn", "threshold", "leaky_relu", "elu", "prelu", "rrelu", "celu", "selu", "hardshrink", "softshrink"}
)
TWO_SIDED = frozenset({"clamp", "clamp_min", "clamp_max", "hardtanh", "relu6", "hardswish", "hardsigmoid"})
ORDER = frozenset({"maximum", "minimum", "fmax", "fmin"})
ROUNDED = frozenset({"floor", "round", "ceil", "trunc"})
EXTREME = frozenset({"amax", "amin", "max", "min"})


class BranchRecorder(TorchDispatchMode):
    """Records branch decisions and operations while it is active.

    Recorded are: boolean and integer results (comparisons, indices of max, sort, topk and pooling), the sign of what enters
    relu, abs and their kin, where clamps hold, and which of two arguments maximum and minimum took.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._hash = hashlib.blake2b(digest_size=16)
        self._seen: dict[str, None] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # By default torch imports its whole compiler for a mode's first use: a second for every fresh process.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation, and note its decisions."""
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.split("::")[1].rstrip("_")
        self._seen.setdefault(name)
        self._note(name, args, out)
        return out

    @property
    def operations(self) -> tuple[str, ...]:
        """Distinct names of the aten operations that ran, in the order of their first use."""
        return tuple(self._seen)

    def digest(self) -> bytes:
        """The signature so far, 16 bytes."""
        return self._hash.digest()

    def _note(self, name: str, args: tuple[Any, ...], out: Any) -> None:
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if first is not None and first.is_floating_point() and isinstance(out, Tensor):
            if name in SIGN_OF_INPUT:
                self._put(first > 0)
            elif name in TWO_SIDED:
                self._put(out == first)
            elif name in ORDER:
                self._put(first > args[1])
            elif name in EXTREME and out.numel():
                self._put(first == _spread(out, first, args))
            elif name in ROUNDED:
                self._put(out.to(torch.int64))
        for result in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(result, Tensor) and not result.is_floating_point() and not result.is_complex():
                self._put(result)

    def _put(self, decisions: Tensor) -> None:
        self._hash.update(decisions.detach().contiguous().cpu().numpy().tobytes())


def _spread(extreme: Tensor, x: Tensor, args: tuple[Any, ...]) -> Tensor:
    """The result of amax or amin, broadcast over the axes that it was taken along."""
    if extreme.dim() == x.dim() or extreme.dim() == 0:
        return extreme
    axes = args[1] if len(args) > 1 else ()
    for axis in sorted(axis % x.dim() for axis in (axes if isinstance(axes, (list, tuple)) else (axes,))):
        extreme = extreme.unsqueeze(axis)
    return extreme
