"""A kernel against a plain function in float64, at every entry.

Every operation of the definition rounds anew in the precision of the kernel (Monte Carlo arithmetic, Parker 1997): how far an entry
spreads is what a right kernel may be off there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.kernel.call import GIVEN, Kernel, in_float64, repeatable, tensors_of, unit_of
from autograd_check.kernel.wrongness import cause_of
from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.contract import shape_text
from autograd_check.verify.finding import Finding, Kind, failed, passed
from autograd_check.verify.precision import RandomRounding
from autograd_check.verify.rays import real_dtype
from autograd_check.verify.tensors import compare, is_differentiable, largest, map_leaves, mismatch_text, named_leaves
from autograd_check.verify.tolerances import KERNEL_DRAWS, KERNEL_SIGMAS, POOLED
from autograd_check.verify.trial import draw_cotangent

AGAINST = "against the definition"


@dataclass(frozen=True)
class Definition:
    """A plain function in float64 at the same inputs: what the kernel should give, and how far its precision lets it be off."""

    candidate: PairCandidate
    point: Point

    def answers(self, dout: Any, unit: float | None = None, seed: int = 0) -> tuple[Any, list[Any]] | None:
        """`out` and the gradients for `dout`; with a `unit`, of a run in which every operation rounds by up to that."""
        point = Point(dict(self.point.primals), self.point.hyper)
        douts = [] if dout is None else [dout]
        if unit is None:
            outcome = self.candidate.vjp("forward", "backward", point, douts)
        else:
            with RandomRounding(Generator().manual_seed(seed), unit):
                outcome = self.candidate.vjp("forward", "backward", point, douts)
        if outcome.failure is not None or outcome.value is None:
            return None
        return outcome.value[0], list(outcome.value[1][0]) if douts else []


def against(kernel: Kernel, definition: Definition, *, gradients: bool = True) -> Iterator[Finding]:
    """Every entry of `out` and of every gradient against the definition."""
    out, _, failure = kernel.run(None)
    right = definition.answers(None)
    if failure is not None:
        yield failure
        return
    if right is None:
        raise ValueError("the oracle does not run in float64 at these inputs")
    mine, theirs = tensors_of(out), tensors_of(right[0])
    if [leaf.shape for leaf in mine] != [leaf.shape for leaf in theirs]:
        one, other = (", ".join(shape_text(leaf.shape) for leaf in tensors) for tensors in (mine, theirs))
        text = f"the output has shapes {one}, the oracle's {other}"
        yield failed(AGAINST, "out", GIVEN, text, Kind.VALUE, Cause.WRONG_SHAPE)
        return
    yield from repeatable(kernel, out)
    dout = draw_cotangent(out, Generator().manual_seed(kernel.seed)) if gradients else None
    _, grads, failure = kernel.run(dout)
    unit = max((unit_of(real_dtype(leaf)) for leaf in mine), default=unit_of(torch.float64))
    given = iter([in_float64(leaf) for leaf in tensors_of(dout)]) if dout is not None else iter(())
    wide = None if dout is None else map_leaves(lambda leaf: next(given) if is_differentiable(leaf) else leaf, right[0])
    right = definition.answers(wide) or right
    draws = [found for seed in range(KERNEL_DRAWS) if (found := definition.answers(wide, unit, seed)) is not None]
    paths = [path for path, leaf in named_leaves(out, "out") if is_differentiable(leaf)]
    yield from _entries(kernel, paths, mine, theirs, [tensors_of(found[0]) for found in draws], unit, None)
    if failure is not None:
        yield failure
    if grads is None:
        return
    for place, name in enumerate(kernel.names.wrt):
        paths = [path for path, leaf in named_leaves(grads[place], f"d{name}") if is_differentiable(leaf)]
        others = [tensors_of(found[1][place]) for found in draws]
        yield from _entries(kernel, paths, tensors_of(grads[place]), tensors_of(right[1][place]), others, unit, wide)


def _entries(
    kernel: Kernel,
    paths: Sequence[str],
    mine: Sequence[Tensor],
    theirs: Sequence[Tensor],
    draws: Sequence[Sequence[Tensor]],
    unit: float,
    dout: Any,
) -> Iterator[Finding]:
    kind = Kind.VALUE if dout is None else Kind.GRADIENT
    for place, (path, got, want) in enumerate(zip(paths, mine, theirs, strict=True)):
        got, want = in_float64(got), in_float64(want)
        if got.shape != want.shape:
            text = f"{path} has shape {shape_text(got.shape)}, expected {shape_text(want.shape)}"
            yield failed(AGAINST, path, GIVEN, text, kind, Cause.WRONG_SHAPE)
            continue
        tolerance = allowed(want, [draw[place] for draw in draws], unit)
        mismatch = compare(got, want, tolerance)
        scale = largest(torch.nan_to_num(want, 0.0, 0.0, 0.0)) or 1.0
        if mismatch is None:
            seen = float(tolerance.median()) / scale if tolerance.numel() else 0.0
            text = f"matches the definition at every entry; an error above {seen:.1g} of the largest would have been seen"
            yield passed(AGAINST, path, GIVEN, text, kind)
            continue
        cause = cause_of(kernel, path, got, want, tolerance, dout)
        text = f"{mismatch_text(mismatch)} (error bound {float(tolerance.reshape(-1)[_flat(mismatch.index, got)]):.1g})"
        yield failed(AGAINST, path, GIVEN, text, kind, mismatch=mismatch, diagnosis=cause)


def _flat(index: Sequence[int], like: Tensor) -> int:
    place = 0
    for at, size in zip(index, like.shape, strict=True):
        place = place * size + at
    return place


def allowed(want: Tensor, draws: Sequence[Tensor], unit: float) -> Tensor:
    """How far each entry may be off: some standard deviations of what rounding in the kernel's precision does to the definition."""
    size = torch.nan_to_num(want.abs(), nan=0.0, posinf=0.0)
    moved = [torch.nan_to_num((draw - want).abs(), nan=0.0, posinf=0.0).square() for draw in draws if draw.shape == want.shape]
    own = torch.stack(moved).mean(0).sqrt() if moved else torch.zeros_like(size)
    pooled = float(own.square().mean().sqrt()) if own.numel() else 0.0
    return KERNEL_SIGMAS * torch.maximum(torch.maximum(own, unit * size), torch.full_like(size, POOLED * pooled))
