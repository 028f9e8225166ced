"""Why an array is wrong, as far as a coarse precision lets it be told."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.kernel.call import Kernel, tensors_of
from autograd_check.verify.finding import Diagnosis, Source
from autograd_check.verify.tensors import compare, largest, norm


def cause_of(kernel: Kernel, path: str, got: Tensor, want: Tensor, tolerance: Tensor, dout: Any) -> Diagnosis | None:
    """Why an array is wrong: one factor, a block at the border of an axis, or what the relations of lessons say of it."""
    finite = torch.isfinite(got) & torch.isfinite(want)
    if not bool(finite.all()):
        bad = int((~torch.isfinite(got)).sum())
        return Diagnosis(Cause.NOT_FINITE, f"{bad} of {got.numel()} entries of {path} are not finite.") if bad else None
    wrong = (got - want).abs() > tolerance
    return (
        _factor(kernel, path, got, want, tolerance)
        or border(path, wrong)
        or (None if got.is_complex() else kernel.explain(path, torch.where(wrong, got, want), want, dout))
    )


def _factor(kernel: Kernel, path: str, got: Tensor, want: Tensor, tolerance: Tensor) -> Diagnosis | None:
    weight = float((want.conj() * want).real.sum())
    if not weight:
        return None
    factor = float((want.conj() * got).real.sum()) / weight
    doubt = norm(tolerance * want) / weight
    if compare(got, factor * want, tolerance * max(1.0, abs(factor))) is not None or abs(factor - 1) <= doubt:
        return None
    if largest(got) == 0:
        return Diagnosis(Cause.ZERO_GRADIENT, f"{path} is zero in every entry.", {}, Source.RELATION)
    said = _recognised(kernel, factor, doubt)
    text = f"Every entry of {path} is {factor:.4g} times the right value{said}."
    return Diagnosis(Cause.SIGN if said.startswith(" (−1") else Cause.CONSTANT_FACTOR, text, {"factor": factor}, Source.RELATION)


def _recognised(kernel: Kernel, factor: float, doubt: float) -> str:
    """A name for a factor: of a small number, or of an axis that has that length."""
    if abs(factor + 1) <= doubt:
        return " (−1: a sign)"
    axes = [
        (size, f"axis {axis} of {name} has length {size}")
        for name, value in kernel.point.primals.items()
        for leaf in tensors_of(value)
        for axis, size in enumerate(leaf.shape)
        if size > 1
    ]
    for number, why in (*axes, (2, "")):
        spoken = f", and {why}" if why else ""
        named = ((number, f"{number}"), (1 / number, f"1/{number}"), (math.sqrt(number), f"√{number}"))
        for value, text in (*named, (1 / math.sqrt(number), f"1/√{number}")):
            if abs(factor - value) <= doubt:
                return f": {text}{spoken}"
    return ""


def border(path: str, wrong: Tensor) -> Diagnosis | None:
    """The axis on which only the last (or the first) entries hold errors."""
    for axis, size in enumerate(wrong.shape):
        others = [other for other in range(wrong.dim()) if other != axis]
        hit = (wrong.any(dim=tuple(others)) if others else wrong).nonzero().flatten().tolist()
        if not hit or len(hit) == size or hit != list(range(hit[0], hit[-1] + 1)):
            continue
        if hit[-1] == size - 1 or hit[0] == 0:
            side, count = ("last" if hit[-1] == size - 1 else "first"), len(hit)
            where = f"the {side} {count}" if count > 1 else f"the {side} one"
            text = f"Only {where} of the {size} entries along axis {axis} of {path} are wrong: a block at the border."
            return Diagnosis(Cause.BORDER, text, {"axis": axis, "first": hit[0], "last": hit[-1]}, Source.RELATION)
    return None
