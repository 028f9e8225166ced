"""The branch signature of a run: every discrete decision that it made, hashed.

Two runs with one signature went through the same branches, so between their inputs the function is (as far as can be
seen) one smooth formula. A difference quotient across two signatures measures a kink.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.tensors import Watching

Args = tuple[Any, ...]
Named = Mapping[str, Any]
Decide = Callable[[Args, Named, Any], Iterator[Tensor]]


def decisions(name: str, args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    """Boolean and integer tensors that say which pieces of the operation `name` were taken."""
    decide = _RULES.get(name)
    if decide is not None and args and isinstance(args[0], Tensor) and args[0].is_floating_point():
        yield from decide(args, kwargs, out)
    for result in out if isinstance(out, (tuple, list)) else (out,):
        if isinstance(result, Tensor) and not result.is_floating_point() and not result.is_complex():
            yield result


def _argument(args: Args, kwargs: Named, place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _sign(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    yield args[0] > 0
    yield args[0] < 0


def _kept(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    """Which entries came through unchanged, and on which side the others were."""
    yield out == args[0]
    yield out > args[0]


def _zeroed(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    yield out == 0
    yield args[0] > 0


def _order(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    yield args[0] > args[1]
    yield args[0] < args[1]


def _rounded(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    yield torch.nan_to_num(out).to(torch.int64)


def _remainder(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    yield torch.nan_to_num((args[0] - out) / args[1]).round().to(torch.int64)


def _divided(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    if kwargs.get("rounding_mode") is not None:
        yield torch.nan_to_num(out).to(torch.int64)


def _extreme(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    """Where an extreme without indices (amax, max of everything) is reached."""
    if not isinstance(out, Tensor) or not out.numel():
        return
    extreme, x = out, args[0]
    if extreme.dim() != x.dim() and extreme.dim():
        axes = _argument(args, kwargs, 1, "dim", ())
        for axis in sorted(axis % x.dim() for axis in (axes if isinstance(axes, (list, tuple)) else (axes,))):
            extreme = extreme.unsqueeze(axis)
    yield x == extreme


def _hard_ramp(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    yield args[0] > -3
    yield args[0] > 3


def _softplus(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    beta, threshold = _argument(args, kwargs, 1, "beta", 1), _argument(args, kwargs, 2, "threshold", 20)
    yield args[0] * beta > threshold


def _near_or_far(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    bound = _argument(args, kwargs, 3, "beta", kwargs.get("delta", 1.0))
    difference = args[0] - args[1]
    yield difference.abs() > bound
    if bound == 0:
        yield difference > 0


def _norm(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    """Norms of order 1 have a kink in every entry, of order inf where the largest changes, all of them at the origin."""
    order = _argument(args, kwargs, 1, "ord", 2)
    yield out == 0
    if order in (0, 1):
        yield args[0] > 0
        yield args[0] < 0
    elif order in (float("inf"), float("-inf")):
        size = args[0].abs()
        yield size == (size.max() if order > 0 else size.min())
        yield args[0] > 0


def _pool1d(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    yield torch.nn.functional.max_pool1d_with_indices(args[0], *args[1:], **kwargs)[1]


def _finite(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    yield torch.isfinite(args[0])


def _cell(args: Args, kwargs: Named, out: Any) -> Iterator[Tensor]:
    """The pixel that each point of a sampling grid lies in."""
    grid, sizes = args[1], list(args[0].shape[2:])[::-1]
    aligned = bool(args[4]) if len(args) > 4 else False
    size = torch.tensor(sizes, dtype=grid.dtype)
    place = (grid + 1) / 2 * (size - 1) if aligned else ((grid + 1) * size - 1) / 2
    yield place.floor().to(torch.int64)


def _table(rules: Mapping[Decide, str]) -> dict[str, Decide]:
    return {name: rule for rule, names in rules.items() for name in names.split()}


_RULES = _table(
    {
        _sign: "relu abs sign sgn leaky_relu elu prelu rrelu celu selu _prelu_kernel heaviside copysign rrelu_with_noise xlogy",
        _kept: "clamp clamp_min clamp_max hardtanh relu6 threshold clip nan_to_num",
        _zeroed: "hardshrink softshrink",
        _order: "maximum minimum fmax fmin",
        _rounded: "floor round ceil trunc frac floor_divide fix",
        _remainder: "remainder fmod",
        _divided: "div",
        _extreme: "amax amin max min aminmax",
        _hard_ramp: "hardswish hardsigmoid",
        _softplus: "softplus",
        _near_or_far: "smooth_l1_loss huber_loss",
        _norm: "linalg_vector_norm norm",
        _pool1d: "max_pool1d",
        _finite: "isfinite",
        _cell: "grid_sampler_2d grid_sampler_3d",
    }
)


SMOOTH = b""
"""The signature of a run that decided nothing: wherever it runs, it takes the same branches."""

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
