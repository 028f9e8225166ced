"""Rules for operations that combine entries: sums, products of matrices, selection by index, joining."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from autograd_check.course.symbolic.execute import Array, Mirror, Rule, Unmirrored, as_array


def axes(a: Tensor, dim: Any) -> tuple[int, ...]:
    """The axes that `dim` names: an int, several, or None and () for all."""
    if dim is None or (isinstance(dim, (list, tuple)) and not dim):
        return tuple(range(a.dim()))
    dims = dim if isinstance(dim, (list, tuple)) else (dim,)
    return tuple(d % max(a.dim(), 1) for d in dims) if a.dim() else ()


def total(values: Any, over: tuple[int, ...], keepdim: bool = False) -> Array:
    """The sum over some axes."""
    array = as_array(values)
    return as_array(array.sum(axis=over, keepdims=keepdim)) if over else array


def _sum(m: Mirror, a: Tensor, dim: Any = None, keepdim: bool = False, **_: Any) -> Array:
    return total(m.read(a), axes(a, dim), keepdim)


def _count(a: Tensor, over: tuple[int, ...]) -> int:
    return math.prod(a.shape[d] for d in over)


def mean(m: Mirror, a: Tensor, dim: Any = None, keepdim: bool = False, **_: Any) -> Array:
    """The mean over some axes."""
    over = axes(a, dim)
    return as_array(total(m.read(a), over, keepdim) / m.read(_count(a, over)))


def var(m: Mirror, a: Tensor, dim: Any = None, correction: int | None = 1, keepdim: bool = False, **named: Any) -> Array:
    """The variance over some axes, divided by their number of entries less `correction`."""
    if isinstance(dim, bool):
        dim, correction = None, int(dim)
    unbiased = named.get("unbiased")
    correction = int(unbiased) if unbiased is not None else (1 if correction is None else correction)
    over = axes(a, dim)
    centred = m.read(a) - mean(m, a, over, True)
    return as_array(total(centred * centred, over, keepdim) / m.read(_count(a, over) - correction))


def _std(m: Mirror, a: Tensor, *args: Any, **named: Any) -> Array:
    return m.map("sqrt", var(m, a, *args, **named))


def _var_mean(m: Mirror, a: Tensor, dim: Any = None, **named: Any) -> tuple[Array, Array]:
    return var(m, a, dim, **named), mean(m, a, dim, named.get("keepdim", False))


def product(a: Array, b: Array) -> Array:
    """The product of matrices, over any leading axes."""
    return as_array(np.add.reduce(a[..., :, :, None] * b[..., None, :, :], axis=-2))


def _mm(m: Mirror, a: Tensor, b: Tensor) -> Array:
    return product(m.read(a), m.read(b))


def _addmm(m: Mirror, c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    return m.read(c) * m.read(beta) + product(m.read(a), m.read(b)) * m.read(alpha)


def _mv(m: Mirror, a: Tensor, b: Tensor) -> Array:
    return total(m.read(a) * m.read(b), (1,))


def _dot(m: Mirror, a: Tensor, b: Tensor) -> Array:
    return total(m.read(a) * m.read(b), (0,))


def taken(m: Mirror, a: Tensor, index: Tensor, dim: int, keepdim: bool) -> Array:
    """The entries at an argmax or argmin, and the note that they are the extreme ones."""
    values, dim = m.read(a), dim % max(a.dim(), 1)
    at = index.numpy() if keepdim else np.expand_dims(index.numpy(), dim)
    picked = np.take_along_axis(values, at, dim)
    rows = zip(np.moveaxis(picked, dim, -1).reshape(-1, 1), np.moveaxis(values, dim, -1).reshape(-1, a.shape[dim]), strict=True)
    for (best,), row in rows:
        others = [entry for entry in row if entry is not best and entry != best]
        if others and any(not getattr(entry, "is_number", True) for entry in (best, *others)):
            m.assume(f"{best} is the extreme one of {', '.join(str(entry) for entry in row)}")
    return picked if keepdim else np.squeeze(picked, dim)


def _max(largest: bool, m: Mirror, a: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    find = Tensor.argmax if largest else Tensor.argmin
    if dim is None:
        flat = a.reshape(-1)
        return as_array(m.read(flat)[int(find(flat))])
    found = (a.max if largest else a.min)(dim, keepdim=keepdim).indices
    return taken(m, a, found, dim, keepdim), None


def _amax(m: Mirror, a: Tensor, dim: Any = (), keepdim: bool = False) -> Array:
    over = axes(a, dim)
    rest = [d for d in range(a.dim()) if d not in over]
    folded = a.permute(*rest, *over).reshape(*(a.shape[d] for d in rest), -1)
    values = np.transpose(m.read(a), [*rest, *over]).reshape(tuple(folded.shape))
    picked = np.take_along_axis(values, folded.argmax(-1, keepdim=True).numpy(), -1)[..., 0]
    return np.expand_dims(picked, over) if keepdim else as_array(picked)


def _cat(m: Mirror, tensors: Sequence[Tensor], dim: int = 0) -> Array:
    return np.concatenate([m.read(tensor) for tensor in tensors if tensor.numel()], dim)


def _stack(m: Mirror, tensors: Sequence[Tensor], dim: int = 0) -> Array:
    return np.stack([m.read(tensor) for tensor in tensors], dim)


def _pad(m: Mirror, a: Tensor, pad: Sequence[int], value: float = 0) -> Array:
    if min(pad) < 0:
        raise Unmirrored("constant_pad_nd with a negative padding")
    widths = [(0, 0)] * a.dim()
    for number in range(len(pad) // 2):
        widths[a.dim() - 1 - number] = (pad[2 * number], pad[2 * number + 1])
    padded = np.full([size + low + high for size, (low, high) in zip(a.shape, widths, strict=True)], m.read(value), object)
    padded[tuple(slice(low, low + size) for size, (low, _) in zip(a.shape, widths, strict=True))] = m.read(a)
    return padded


def _places(indices: Sequence[Tensor | None]) -> tuple[Any, ...]:
    return tuple(slice(None) if index is None else index.numpy() for index in indices)


def _index(m: Mirror, a: Tensor, indices: Sequence[Tensor | None]) -> Array:
    return as_array(m.read(a)[_places(indices)])


def _index_put(m: Mirror, a: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Array:
    array, places = np.array(m.read(a)), _places(indices)
    new = np.broadcast_to(as_array(m.read(values)), array[places].shape)
    if accumulate:
        np.add.at(array, places, new)
    else:
        array[places] = new
    return array


def _gather(m: Mirror, a: Tensor, dim: int, index: Tensor, **_: Any) -> Array:
    return np.take_along_axis(m.read(a), index.numpy(), dim)


def _scatter(add: bool, m: Mirror, a: Tensor, dim: int, index: Tensor, values: Any, **_: Any) -> Array:
    array, places = np.array(m.read(a)), list(np.indices(tuple(index.shape)))
    places[dim] = index.numpy()
    new = as_array(m.read(values))
    new = new[tuple(slice(size) for size in index.shape)] if new.ndim else new
    if add:
        np.add.at(array, tuple(places), new)
    else:
        array[tuple(places)] = new
    return array


def _index_add(m: Mirror, a: Tensor, dim: int, index: Tensor, values: Tensor, **_: Any) -> Array:
    array = np.array(m.read(a))
    np.add.at(np.moveaxis(array, dim, 0), index.numpy(), np.moveaxis(m.read(values), dim, 0))
    return array


def _copy(m: Mirror, a: Tensor, source: Any, *_: Any, **__: Any) -> Array:
    return np.broadcast_to(as_array(m.read(source)), tuple(a.shape))


def _fill(m: Mirror, a: Tensor, value: Any = 0) -> Array:
    return np.broadcast_to(as_array(m.read(value)), tuple(a.shape))


def _same(m: Mirror, a: Tensor, *_: Any, **__: Any) -> Any:
    return m.read(a)


def _nothing(m: Mirror, *_: Any, **__: Any) -> None:
    """Its result holds no number of its operands: `zeros_like` and the like."""


_WITHOUT_ENTRIES = (
    *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "bernoulli"),
    *("new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided"),
)

RULES: Mapping[str, Rule] = {
    "sum": _sum,
    "mean": mean,
    "var": var,
    "std": _std,
    "var_mean": _var_mean,
    "mm": _mm,
    "bmm": _mm,
    "addmm": _addmm,
    "baddbmm": _addmm,
    "mv": _mv,
    "dot": _dot,
    "max": partial(_max, True),
    "min": partial(_max, False),
    "amax": _amax,
    "cumsum": lambda m, a, dim, **_: np.add.accumulate(m.read(a), axis=dim),
    "prod": lambda m, a, **_: as_array(np.multiply.reduce(m.read(a), axis=None)),
    "cat": _cat,
    "stack": _stack,
    "constant_pad_nd": _pad,
    "index": _index,
    "index_put": _index_put,
    "_index_put_impl": _index_put,
    "index_select": lambda m, a, dim, index: np.take(m.read(a), index.numpy(), dim),
    "index_add": _index_add,
    "gather": _gather,
    "scatter": partial(_scatter, False),
    "scatter_add": partial(_scatter, True),
    "embedding": lambda m, weight, ids, *_: m.read(weight)[ids.numpy()],
    "flip": lambda m, a, dims: np.flip(m.read(a), tuple(dims)),
    "repeat": lambda m, a, repeats: np.tile(m.read(a), repeats),
    "copy": _copy,
    "fill": _fill,
    "zero": _fill,
    **dict.fromkeys(("clone", "_to_copy", "contiguous", "lift_fresh_copy"), _same),
    "_unsafe_view": lambda m, a, shape: m.read(a).reshape(tuple(shape)),
    **dict.fromkeys(_WITHOUT_ENTRIES, _nothing),
}
