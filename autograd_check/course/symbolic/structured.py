"""Rules for torch's own layers where their decomposition would hide the formula: softmax, losses, convolution, pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograd_check.course.symbolic.arrays import axes, total
from autograd_check.course.symbolic.execute import Array, Mirror, Rule, Unmirrored, as_array


def _softmax(m: Mirror, a: Tensor, dim: int, *_: Any, **__: Any) -> Any:
    powers = m.map("exp", m.read(a))
    return powers / total(powers, axes(a, dim), True) if a.dim() else m.read(1)


def _log_softmax(m: Mirror, a: Tensor, dim: int, *_: Any, **__: Any) -> Any:
    return m.read(a) - _logsumexp(m, a, dim, True)


def _logsumexp(m: Mirror, a: Tensor, dim: Any, keepdim: bool = False) -> Array:
    return m.map("log", total(m.map("exp", m.read(a)), axes(a, dim), keepdim))


def _reduced(m: Mirror, terms: Any, reduction: int) -> Any:
    """Torch's codes: 0 keeps the terms, 1 is their mean, 2 their sum."""
    array = as_array(terms)
    if reduction == 0:
        return array
    summed = total(array, tuple(range(array.ndim)))
    return summed / m.read(array.size) if reduction == 1 else summed


def _bce(m: Mirror, p: Tensor, y: Tensor, weight: Tensor | None = None, reduction: int = 1) -> Any:
    one, probability, target = m.read(1), m.read(p), m.read(y)
    terms = -(target * m.map("log", probability) + (one - target) * m.map("log", one - probability))
    return _reduced(m, terms if weight is None else terms * m.read(weight), reduction)


def _bce_with_logits(
    m: Mirror, z: Tensor, y: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 1
) -> Any:
    if pos_weight is not None:
        raise Unmirrored("binary_cross_entropy_with_logits with pos_weight")
    terms = m.map("softplus", m.read(z)) - m.read(y) * m.read(z)
    return _reduced(m, terms if weight is None else terms * m.read(weight), reduction)


def _mse(m: Mirror, a: Tensor, b: Tensor, reduction: int = 1) -> Any:
    return _reduced(m, (m.read(a) - m.read(b)) ** 2, reduction)


def _nll(m: Mirror, logp: Tensor, y: Tensor, weight: Any, reduction: int, ignore_index: int) -> Any:
    if weight is not None:
        raise Unmirrored("nll_loss with weights")
    rows = m.read(logp).reshape(-1, logp.shape[-1])
    picked = rows[np.arange(len(rows)), y.reshape(-1).numpy()]
    return _reduced(m, -picked, reduction), None


def _windows(sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    """How many windows fit along each axis."""
    fit = zip(sizes, kernel, stride, dilation, strict=True)
    return tuple((size - gap * (width - 1) - 1) // step + 1 for size, width, step, gap in fit)


def _convolution(
    m: Mirror,
    x: Tensor,
    w: Tensor,
    b: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    rule = _transposed if transposed else _correlation
    rank = x.dim() - 2
    stride, padding, dilation = (tuple(v) * (rank if len(v) == 1 else 1) for v in (stride, padding, dilation))
    images = np.split(m.read(x), groups, axis=1)
    filters = np.split(m.read(w), groups, axis=0)
    parts = [rule(m, i, f, stride, padding, dilation) for i, f in zip(images, filters, strict=True)]
    out = np.concatenate(parts, axis=1)
    return out if b is None else out + m.read(b).reshape(1, -1, *[1] * rank)


def _correlation(m: Mirror, x: Array, w: Array, stride: Any, padding: Any, dilation: Any) -> Any:
    padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=m.read(0))
    counts = _windows(padded.shape[2:], w.shape[2:], stride, dilation)
    out: Any = 0
    for tap in np.ndindex(*w.shape[2:]):
        window = padded[(slice(None), slice(None), *_steps(tap, counts, stride, dilation))]
        weights = w[(slice(None), slice(None), *tap)].reshape(1, w.shape[0], w.shape[1], *[1] * len(tap))
        out = out + np.add.reduce(window[:, None] * weights, axis=2)
    return out


def _transposed(m: Mirror, x: Array, w: Array, stride: Any, padding: Any, dilation: Any) -> Array:
    spans = zip(x.shape[2:], w.shape[2:], stride, dilation, strict=True)
    full = tuple((size - 1) * step + gap * (width - 1) + 1 for size, width, step, gap in spans)
    out = np.full((x.shape[0], w.shape[1], *full), m.read(0), object)
    for tap in np.ndindex(*w.shape[2:]):
        weights = w[(slice(None), slice(None), *tap)].reshape(1, w.shape[0], w.shape[1], *[1] * len(tap))
        spread = np.add.reduce(x[:, :, None] * weights, axis=1)
        place = (slice(None), slice(None), *_steps(tap, x.shape[2:], stride, dilation))
        out[place] = out[place] + spread
    return out[(slice(None), slice(None), *(slice(p, size - p) for p, size in zip(padding, full, strict=True)))]


def _steps(tap: Sequence[int], counts: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> list[slice]:
    """The entries that one tap of a kernel meets, as slices."""
    every = zip(tap, counts, stride, dilation, strict=True)
    return [slice(t * gap, t * gap + step * (count - 1) + 1, step) for t, count, step, gap in every]


def _pair(value: Any) -> tuple[int, int]:
    values = [value, value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


def _max_pool(
    m: Mirror, x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    _, index = torch.nn.functional.max_pool2d(
        x, _pair(kernel), _pair(stride or kernel), _pair(padding), _pair(dilation), ceil_mode, return_indices=True
    )
    flat = m.read(x).reshape(*x.shape[:-2], -1)
    m.assume("the largest entry of every window is where it is for the numbers drawn here")
    return np.take_along_axis(flat, index.flatten(-2).numpy(), -1).reshape(tuple(index.shape)), None


def _avg_pool(m: Mirror, x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, *_: Any, **__: Any) -> Any:
    if _pair(padding) != (0, 0):
        raise Unmirrored("avg_pool2d with padding")
    kernel, stride = _pair(kernel), _pair(stride or kernel)
    values = m.read(x)
    counts = _windows(values.shape[-2:], kernel, stride, (1, 1))
    taps = [values[(..., *_steps(tap, counts, stride, (1, 1)))] for tap in np.ndindex(*kernel)]
    return as_array(sum(taps[1:], taps[0])) / m.read(len(taps))


def _norm(m: Mirror, x: Array, over: tuple[int, ...], eps: float) -> Any:
    """(x − mean) / √(biased variance + eps)."""
    count = m.read(int(np.prod([x.shape[d] for d in over])))
    centred = x - total(x, over, True) / count
    return centred / m.map("sqrt", total(centred * centred, over, True) / count + m.read(eps))


def _scaled(m: Mirror, values: Any, weight: Tensor | None, bias: Tensor | None, shape: Sequence[int]) -> Any:
    values = values if weight is None else values * m.read(weight).reshape(shape)
    return values if bias is None else values + m.read(bias).reshape(shape)


def _layer_norm(m: Mirror, x: Tensor, shape: Sequence[int], weight: Any, bias: Any, eps: float) -> Any:
    over = tuple(range(x.dim() - len(shape), x.dim()))
    return _scaled(m, _norm(m, m.read(x), over, eps), weight, bias, shape), None, None


def _group_norm(m: Mirror, x: Tensor, weight: Any, bias: Any, n: int, c: int, size: int, groups: int, eps: float) -> Any:
    rows = m.read(x).reshape(n, groups, -1)
    values = _norm(m, rows, (2,), eps).reshape(tuple(x.shape))
    return _scaled(m, values, weight, bias, (1, c, *[1] * (x.dim() - 2))), None, None


def _batch_norm(
    m: Mirror, x: Tensor, weight: Any, bias: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float
) -> Any:
    shape = (1, x.shape[1], *[1] * (x.dim() - 2))
    if training:
        values = _norm(m, m.read(x), (0, *range(2, x.dim())), eps)
    else:
        values = (m.read(x) - m.read(mean).reshape(shape)) / m.map("sqrt", m.read(var).reshape(shape) + m.read(eps))
    return _scaled(m, values, weight, bias, shape), None, None


RULES: Mapping[str, Rule] = {
    "_softmax": _softmax,
    "_log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "binary_cross_entropy": _bce,
    "binary_cross_entropy_with_logits": _bce_with_logits,
    "mse_loss": _mse,
    "nll_loss_forward": _nll,
    "convolution": _convolution,
    "max_pool2d_with_indices": _max_pool,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
}
