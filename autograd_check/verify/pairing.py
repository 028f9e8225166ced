"""The number under differentiation: φ = ⟨dout, f(x)⟩, taken of differences of outputs before anything is summed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.rows import Batch, Row
from autograd_check.verify.scale import largest, norm
from autograd_check.verify.tree import is_differentiable, leaves

STACKED = 2**17
"""Up to this many entries, rows of outputs are stacked and reduced by one operation."""


class Pairing:
    """⟨dout, · ⟩ on differences of outputs, around the output `base`.

    An entry of `base` that is not finite (the −inf of a mask) counts as constant. For complex outputs the number is
    Re Σ conj(dout)·f, which is what torch's convention differentiates.
    """

    def __init__(self, base: Any, dout: Any) -> None:
        pairs = list(zip(leaves(base), leaves(dout), strict=True))
        self._places = [k for k, (o, d) in enumerate(pairs) if is_differentiable(o) and is_differentiable(d) and o.numel()]
        self._base = [leaf.detach() for leaf in leaves(base) if isinstance(leaf, Tensor)]
        self._shapes = [getattr(leaf, "shape", None) for leaf in leaves(base)]
        self._outs = [leaves(base)[k].detach() for k in self._places]
        self._all_finite = [math.isfinite(largest(out)) for out in self._outs]
        self._finite = [out if clean else torch.isfinite(out) for out, clean in zip(self._outs, self._all_finite, strict=True)]
        self._weights = [
            leaves(dout)[k].to(torch.promote_types(self._outs[n].dtype, torch.float64)).conj().reshape(-1)
            for n, k in enumerate(self._places)
        ]
        if not all(self._all_finite):
            kept = zip(self._finite, self._weights, self._all_finite, strict=True)
            self._weights = [w if clean else torch.where(f.reshape(-1), w, 0) for f, w, clean in kept]

    def model_noise(self) -> float:
        """2ε‖f·dout‖₂: the noise of one difference if every output entry is rounded once, in its own precision."""
        sizes = []
        for out, weight, clean in zip(self._outs, self._weights, self._all_finite, strict=True):
            values = out if clean else torch.where(torch.isfinite(out), out, 0)
            sizes.append(2 * torch.finfo(out.dtype).eps * norm(values.reshape(-1) * weight))
        return math.hypot(*sizes)

    def size(self) -> float:
        """‖f·dout‖₂."""
        pairs = zip(self._outs, self._weights, strict=True)
        return math.hypot(*(norm(torch.nan_to_num(out.reshape(-1), 0.0, 0.0, 0.0) * weight) for out, weight in pairs))

    def unit(self) -> float:
        """‖dout‖₂: what an output of ones amounts to."""
        return math.hypot(*(float(torch.linalg.vector_norm(weight)) for weight in self._weights))

    def regular(self, out: Any) -> bool:
        """Whether an output has the shapes of `base` and is finite where it is."""
        parts = leaves(out)
        if len(parts) != len(self._shapes) or any(
            getattr(p, "shape", None) != s for p, s in zip(parts, self._shapes, strict=True)
        ):
            return False
        return all(
            bool(torch.isfinite(parts[k]).all()) if clean else torch.equal(torch.isfinite(parts[k]), finite)
            for k, finite, clean in zip(self._places, self._finite, self._all_finite, strict=True)
        )

    def differences(self, pairs: Sequence[tuple[Any, Any]]) -> list[float]:
        """⟨dout, one − other⟩ for every pair; nan where an output is missing or of another shape."""
        usable = [n for n, pair in enumerate(pairs) if all(self._fits(out) for out in pair)]
        totals = [math.nan] * len(pairs)
        for n in usable:
            totals[n] = 0.0
        for place, weight, clean in zip(self._places, self._weights, self._all_finite, strict=True):
            ones = [leaves(pairs[n][0])[place].detach() for n in usable]
            others = [leaves(pairs[n][1])[place].detach() for n in usable]
            for n, value in zip(usable, _reduced(ones, others, weight, clean), strict=True):
                totals[n] += value
        return totals

    def alternating(self, rows: Sequence[Row]) -> list[float]:
        """⟨dout, one − other⟩ for rows 0 and 1, 2 and 3, and so on; a batch is never cut into rows."""
        if not isinstance(rows, Batch):
            return self.differences([(one[0], other[0]) for one, other in zip(rows[::2], rows[1::2], strict=True)])
        if [column.shape[1:] for column in rows.columns] != self._shapes:
            return [math.nan] * (len(rows) // 2)
        totals = [0.0] * (len(rows) // 2)
        for place, weight, clean in zip(self._places, self._weights, self._all_finite, strict=True):
            column = rows.columns[place].detach()
            sums = _sums(column[::2] - column[1::2], weight, clean)
            totals = [total + value for total, value in zip(totals, sums, strict=True)]
        return totals

    def _fits(self, out: Any) -> bool:
        if out is None:
            return False
        if isinstance(out, Tensor):
            return len(self._shapes) == 1 and out.shape == self._shapes[0]
        parts = leaves(out)
        return len(parts) == len(self._shapes) and all(
            getattr(part, "shape", None) == shape for part, shape in zip(parts, self._shapes, strict=True)
        )


def fits(base: Any, dout: Any) -> bool:
    """Whether a cotangent has the tensors of an output, shape by shape."""
    pairs = list(zip(leaves(base), leaves(dout), strict=False))
    return len(leaves(base)) == len(leaves(dout)) and all(
        o.shape == d.shape for o, d in pairs if is_differentiable(o) and is_differentiable(d)
    )


def _reduced(ones: list[Tensor], others: list[Tensor], weight: Tensor, clean: bool) -> list[float]:
    if not ones:
        return []
    if len(ones) * weight.numel() > STACKED:
        return (
            [_reduced([one], [other], weight, clean)[0] for one, other in zip(ones, others, strict=True)]
            if len(ones) > 1
            else [_inner(ones[0] - others[0], weight, clean)]
        )
    return _sums(torch.stack(ones) - torch.stack(others), weight, clean)


def _sums(differences: Tensor, weight: Tensor, clean: bool) -> list[float]:
    """⟨weight, row⟩ for every row; an entry without weight does not count where an output is not finite."""
    rows = differences.reshape(len(differences), -1).to(weight.dtype)
    if not clean:
        rows = torch.where(weight != 0, rows, 0)
    sums = (rows * weight).sum(1)
    return [float(value) for value in (sums.real if sums.is_complex() else sums).tolist()]


def _inner(difference: Tensor, weight: Tensor, clean: bool) -> float:
    flat = difference.reshape(-1).to(weight.dtype)
    if not clean:
        flat = torch.where(weight != 0, flat, 0)
    total = (flat * weight).sum()
    return float(total.real if total.is_complex() else total)
