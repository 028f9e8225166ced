"""What only a callable under autograd can get wrong: outputs without a cotangent, and dtypes below float64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Point
from autograd_check.verify.case import draw_cotangent
from autograd_check.verify.compare import compare
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status
from autograd_check.verify.function import Callee, Wrapped, in_double, wrap
from autograd_check.verify.rounding import ROUNDINGS, Rounding, of_its_size
from autograd_check.verify.scale import largest, natural_size
from autograd_check.verify.tree import is_differentiable, is_tensor, leaves, map_leaves, named_leaves
from autograd_check.verify.trial import Trial
from autograd_check.verify.values import mismatch_text

LOW = (torch.float32, torch.float16, torch.bfloat16, torch.complex64)
ULPS = 4
SAFETY = 16.0
"""Over the movement of the float64 gradient when the inputs move by a few ulps of their own precision, plus as many roundings."""


def is_single(leaf: Any) -> bool:
    """Whether a leaf is a floating-point tensor below float64."""
    return isinstance(leaf, Tensor) and leaf.dtype in LOW


class Narrowing(TorchDispatchMode):
    """Records the operations that turn float64 into less."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.seen: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # otherwise torch imports its compiler for this mode: a second for every fresh process
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation, and note whether it lost digits."""
        out = func(*args, **(kwargs or {}))
        first = args[0] if args else None
        if is_single(out) and isinstance(first, Tensor) and first.dtype in (torch.float64, torch.complex128):
            self.seen.append(str(out.dtype).removeprefix("torch."))
        return out


def check_outputs_apart(wrapped: Wrapped, point: Point, seed: int, rounding: Rounding) -> Iterator[Finding]:
    """With several outputs, the backward copes with a cotangent for one of them only, and what these give adds up to the whole.

    autograd gives None for the outputs that nothing uses, so each of these calls takes branches of its own.
    """
    with torch.enable_grad():
        try:
            out, (_, roots) = wrapped.forward(*point.primals.values())
        except Exception:  # reported by the check itself
            return
    parts = [(path, leaf) for path, leaf in named_leaves(out, "out") if is_tensor(leaf) and leaf.requires_grad]
    if len(parts) < 2:
        return
    sources = [leaf for root in roots for leaf in leaves(root) if is_differentiable(leaf)]
    douts = [draw_cotangent(leaf.detach(), Generator().manual_seed(seed + place)) for place, (_, leaf) in enumerate(parts)]
    alone: list[Sequence[Tensor | None]] = []
    for (path, leaf), dout in zip(parts, douts, strict=True):
        try:
            alone.append(torch.autograd.grad(leaf, sources, dout, retain_graph=True, allow_unused=True))
        except Exception as error:  # the code under test may raise anything
            text = f"with a cotangent for {path} alone the backward raised {type(error).__name__}: {error}"
            diagnosis = Diagnosis(Cause.CRASHED, "A backward gets None for an output that nothing uses; treat it as zero.")
            yield Finding("undefined gradients", path, "", Status.FAILED, text, Kind.GRADIENT, None, diagnosis)
            return
    whole = torch.autograd.grad([leaf for _, leaf in parts], sources, douts, allow_unused=True)
    places = [
        (name, place, path)
        for name, root in zip(wrapped.wrt, roots, strict=True)
        for place, (path, leaf) in enumerate(named_leaves(root, f"d{name}"))
        if is_differentiable(leaf)
    ]
    for (name, place, path), source, together, *each in zip(places, sources, whole, *alone, strict=True):
        given = [torch.zeros_like(source) if grad is None else grad.detach() for grad in (together, *each)]
        if any(grad.layout is not torch.strided for grad in given):
            continue
        size = sum(largest(grad) for grad in given)
        tolerance = of_its_size(size, source.numel()) + ROUNDINGS * rounding.largest(name, place)
        mismatch = compare(torch.stack(given[1:]).sum(0), given[0], tolerance)
        if mismatch is not None:
            text = f"cotangents for one output at a time give another {path} than all of them together: {mismatch_text(mismatch)}"
            says = "A backward gets None for an output that nothing uses; what it does then must be what a zero would give."
            diagnosis = Diagnosis(Cause.NONLINEAR_IN_UPSTREAM, says)
            yield Finding("undefined gradients", path, "", Status.FAILED, text, Kind.GRADIENT, mismatch, diagnosis)
            return
    yield Finding("undefined gradients", "out", "", Status.PASSED, "one output at a time", Kind.GRADIENT)


class Narrows:
    """Whether a callable turns float64 into less while all its inputs are float64; looked at once, when it is asked.

    A `UsesSingle`: where it does, errors of that size are no wrong gradient, but a finding of their own.
    """

    def __init__(self, wrapped: Wrapped, point: Point, seed: int) -> None:
        self._wrapped, self._point, self._seed = wrapped, point, seed

    def __call__(self, trial: Trial) -> bool:
        """Whether float32 or less takes part."""
        return bool(self.to)

    @cached_property
    def to(self) -> str:
        """The first lower precision that was seen, "" where there is none or the callable does not run."""
        with Narrowing() as narrowing, torch.enable_grad():
            try:
                out, cache = self._wrapped.forward(*self._point.primals.values())
                self._wrapped.backward(draw_cotangent(out, Generator().manual_seed(self._seed)), cache)
            except Exception:  # reported by the check itself
                return ""
        return narrowing.seen[0] if narrowing.seen else ""


def check_single(called: Callee, exact: Wrapped, point: Point, seed: int) -> Iterator[Finding]:
    """The gradients in the inputs' own low precision against those in float64, to how far the latter move with the inputs' last places."""
    with torch.enable_grad():
        out, cache = exact.forward(*point.primals.values())
    dout = draw_cotangent(out, Generator().manual_seed(seed))
    right = exact.backward(dout, cache)
    first = _gradients(wrap(called), called.inputs, dout)
    generator = Generator().manual_seed(seed)
    nudged = [[map_leaves(in_double, _nudged(value, generator)) for value in called.inputs] for _ in range(3)]
    moved = [_gradients(exact, values, dout) for values in nudged]
    for position, name in enumerate(exact.wrt):
        rows = zip(
            named_leaves(first[position], f"d{name}"), leaves(right[position]), *(leaves(m[position]) for m in moved), strict=True
        )
        floor = natural_size(out, dout, point.primals[name])
        for (path, got), want, *others in rows:
            yield _single_finding(path, got, want, others, floor)


def _gradients(wrapped: Wrapped, inputs: Sequence[Any], dout: Any) -> Any:
    with torch.enable_grad():
        out, cache = wrapped.forward(*(map_leaves(lambda x: x.detach() if is_tensor(x) else x, value) for value in inputs))
    pairs = iter(leaves(out))
    return wrapped.backward(map_leaves(lambda d: d.to(next(pairs).dtype), dout), cache)


def _nudged(value: Any, generator: Generator) -> Any:
    def nudge(x: Any) -> Any:
        if not is_single(x) or x.is_complex():
            return x
        steps = torch.randint(-ULPS, ULPS + 1, x.shape, generator=generator).to(x.dtype)
        return (x.detach() * (1 + steps * torch.finfo(x.dtype).eps)).requires_grad_(x.requires_grad)

    return map_leaves(nudge, value)


def _single_finding(path: str, got: Tensor, want: Tensor, others: Sequence[Tensor], floor: float) -> Finding:
    wide = got.detach().to(want.dtype)
    eps = torch.finfo(got.dtype).eps
    spread = max((largest(other - want) for other in others), default=0.0)
    scale = max(largest(want), floor)
    mismatch = compare(wide, want, SAFETY * (spread + eps * scale))
    if mismatch is None or not is_differentiable(got):
        return Finding("own precision", path, "", Status.PASSED, "agrees with float64", Kind.GRADIENT)
    text = f"in {str(got.dtype).removeprefix('torch.')}: {mismatch_text(mismatch)}"
    says = "The gradient is right in float64 but loses its digits in its own dtype."
    return Finding("own precision", path, "", Status.FAILED, text, Kind.CONVENTION, mismatch, Diagnosis(Cause.UNSTABLE, says))
