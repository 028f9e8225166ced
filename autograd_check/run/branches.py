"""The branch signature of a run: every discrete decision that it made, hashed.

Two runs with one signature went through the same branches, so between their inputs the function is (as far as can be
seen) one smooth formula. A difference quotient across two signatures measures a kink.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from autograd_check.dispatch_mode import Watching
from autograd_check.verify.slope import SMOOTH

Args = tuple[Any, ...]
Named = Mapping[str, Any]
Decide = Callable[[Args, Named, Any], tuple[Tensor, ...]]


def decisions(name: str, args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    """Boolean and integer tensors that say which pieces of the operation `name` were taken.

    Comparisons and everything that returns integers or booleans (indices of max, sort, topk and pooling) speak for
    themselves; `_RULES` has the operations whose decisions do not show in their results.
    """
    decide = _RULES.get(name)
    if decide is not None and args and isinstance(args[0], Tensor) and args[0].is_floating_point():
        yield from decide(args, kwargs, out)
    for result in out if isinstance(out, (tuple, list)) else (out,):
        if isinstance(result, Tensor) and not result.is_floating_point() and not result.is_complex():
            yield result


def _argument(args: Args, kwargs: Named, place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _whole(x: Tensor) -> Tensor:
    return torch.nan_to_num(x).to(torch.int64)


def _extreme(args: Args, kwargs: Named, out: Any) -> tuple[Tensor, ...]:
    """Where an extreme without indices (amax, max of everything) is reached."""
    if not isinstance(out, Tensor) or not out.numel():
        return ()
    extreme, x = out, args[0]
    if extreme.dim() != x.dim() and extreme.dim():
        axes = _argument(args, kwargs, 1, "dim", ())
        for axis in sorted(axis % x.dim() for axis in (axes if isinstance(axes, (list, tuple)) else (axes,))):
            extreme = extreme.unsqueeze(axis)
    return (x == extreme,)


def _softplus(args: Args, kwargs: Named, out: Any) -> tuple[Tensor, ...]:
    beta, threshold = _argument(args, kwargs, 1, "beta", 1), _argument(args, kwargs, 2, "threshold", 20)
    return (args[0] * beta > threshold,)


def _near_or_far(args: Args, kwargs: Named, out: Any) -> tuple[Tensor, ...]:
    bound = _argument(args, kwargs, 3, "beta", kwargs.get("delta", 1.0))
    difference = args[0] - args[1]
    return (difference.abs() > bound, *((difference > 0,) if bound == 0 else ()))


def _norm(args: Args, kwargs: Named, out: Any) -> tuple[Tensor, ...]:
    """Norms of order 1 have a kink in every entry, of order inf where the largest changes, all of them at the origin."""
    x, order = args[0], _argument(args, kwargs, 1, "ord", 2)
    if order in (0, 1):
        return out == 0, x > 0, x < 0
    if order in (math.inf, -math.inf):
        size = x.abs()
        return out == 0, size == (size.max() if order > 0 else size.min()), x > 0
    return (out == 0,)


def _cell(args: Args, kwargs: Named, out: Any) -> tuple[Tensor, ...]:
    """The pixel that each point of a sampling grid lies in, or (in mode 1) the one that is nearest to it."""
    grid, sizes = args[1], list(args[0].shape[2:])[::-1]
    aligned = bool(args[4]) if len(args) > 4 else False
    size = torch.tensor(sizes, dtype=grid.dtype, device=grid.device)
    place = (grid + 1) / 2 * (size - 1) if aligned else ((grid + 1) * size - 1) / 2
    nearest = _argument(args, kwargs, 2, "interpolation_mode", 0) == 1
    return ((place.round() if nearest else place.floor()).to(torch.int64),)


_BY_RULE: Mapping[str, Decide] = {
    # the sign of what enters
    "relu abs sign sgn leaky_relu elu prelu rrelu celu selu _prelu_kernel heaviside copysign rrelu_with_noise xlogy": (
        lambda args, kwargs, out: (args[0] > 0, args[0] < 0)
    ),
    # which entries came through unchanged, and on which side the others were
    "clamp clamp_min clamp_max hardtanh relu6 threshold clip nan_to_num": (
        lambda args, kwargs, out: (out == args[0], out > args[0])
    ),
    "hardshrink softshrink": lambda args, kwargs, out: (out == 0, args[0] > 0),
    "maximum minimum fmax fmin": lambda args, kwargs, out: (args[0] > args[1], args[0] < args[1]),
    "floor round ceil trunc floor_divide fix": lambda args, kwargs, out: (_whole(out),),
    "frac": lambda args, kwargs, out: (_whole(args[0].trunc()),),
    "remainder fmod": lambda args, kwargs, out: (_whole(((args[0] - out) / args[1]).round()),),
    "div": lambda args, kwargs, out: () if kwargs.get("rounding_mode") is None else (_whole(out),),
    "amax amin max min aminmax": _extreme,
    "hardswish hardsigmoid": lambda args, kwargs, out: (args[0] > -3, args[0] > 3),
    "softplus": _softplus,
    "smooth_l1_loss huber_loss": _near_or_far,
    "linalg_vector_norm norm": _norm,
    "max_pool1d": lambda args, kwargs, out: (F.max_pool1d_with_indices(args[0], *args[1:], **kwargs)[1],),
    "isfinite": lambda args, kwargs, out: (torch.isfinite(args[0]),),
    "grid_sampler_2d grid_sampler_3d": _cell,
}
_RULES = {name: rule for names, rule in _BY_RULE.items() for name in names.split()}


READS_VALUE = frozenset({"_local_scalar_dense", "equal", "item"})
"""Operations that hand a value to python, where what it decides cannot be seen; the operations that follow can."""


class BranchRecorder(Watching):
    """Records branch decisions while it is active.

    Recorded are: boolean and integer results (comparisons, indices of max, sort, topk and pooling), the sign of what enters
    relu, abs and their kin, where clamps hold, which of two arguments maximum and minimum took, and once a value was read
    into python, the sequence of operations.
    """

    def __init__(self) -> None:
        super().__init__()
        self._hash = hashlib.blake2b(digest_size=16)
        self._decided = False
        self._read = False

    def after(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        """Note what an operation decided."""
        name = func._schema.name.split("::")[1].rstrip("_")
        if name in READS_VALUE:
            self._read = self._decided = True
        if self._read:
            self._hash.update(name.encode())
        for decided in decisions(name, args, kwargs, out):
            self._decided = True
            self._hash.update(decided.detach().contiguous().cpu().numpy().tobytes())

    def digest(self) -> bytes:
        """The signature so far: 16 bytes, or `SMOOTH` where nothing was decided."""
        return self._hash.digest() if self._decided else SMOOTH
