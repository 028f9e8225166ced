"""One case tried out: what the reference gives there, and what the code under test gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Failure, Outcome, PairCandidate
from autograd_check.verify.case import Case, PairNames, combine, draw_cotangent
from autograd_check.verify.oracle import SPREAD_DRAWS, oracle_spread, oracle_vjp
from autograd_check.verify.shared import Shared
from autograd_check.verify.strides import is_contiguous, non_contiguous
from autograd_check.verify.tree import is_differentiable, map_leaves, map_tensors, named_leaves

LARGE = 2.0**10
"""How much larger the second cotangent is: what clips a gradient, or adds a constant to it, does so at a size of its own."""
SMALL = 2.0**-10
"""The size of the third cotangent's one entry: what is lost below a size, or beside zeros, is lost there."""
WEIGHTS = 4.0, 1 / LARGE, 1.0
"""Of the linearity check: v of the combination αd₁ + βd₂ + γd₃ is that of the three answers.

The combination is all ones, the cotangent of a plain sum. d₃ is zero but for one small entry. So d₂ = (1 − 4 d₁ − d₃)/β has
the signs that d₁ (at least ½ in size) has not: every entry is seen with both.
"""


@dataclass(frozen=True)
class Reference:
    """Value and gradients of the oracle at a case, and how far each moves when the inputs move by a few ulps."""

    out: Any
    grads: Mapping[str, Any]
    out_spread: Any
    grad_spread: Mapping[str, Any]


@dataclass(frozen=True)
class Gradient:
    """The gradient that a backward returned for one primal, unpacked; `value` is whatever came."""

    primal: str
    value: Any

    @property
    def subject(self) -> str:
        """`d<primal>`, as reports name it."""
        return f"d{self.primal}"


@dataclass(frozen=True)
class Trial:
    """A case, its reference, and the answers of the code under test.

    `answers[k]` are the raw results of the backward for `douts[k]`: first the plain cotangent, then (where the case asks
    for the linearity check) a large one, their combination with a sparse one by `WEIGHTS`, the sparse one, and the first
    again.
    """

    case: Case
    reference: Reference
    douts: tuple[Any, ...]
    out: Any
    answers: tuple[Any, ...]
    forward_failure: Failure | None
    backward_failure: Failure | None
    changed: tuple[str, ...] = ()
    spoilt: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    unpacked: tuple[Mapping[str, Gradient], ...] = field(default=())

    @property
    def gradients(self) -> Mapping[str, Gradient]:
        """The gradients for the plain cotangent by subject; empty where the backward did not answer."""
        return self.unpacked[0] if self.unpacked else {}


def unpack(answer: Any, wrt: tuple[str, ...]) -> dict[str, Gradient] | None:
    """The gradients in a backward's answer by subject, or None where their number is not that of `wrt`.

    One primal: the answer itself, or the only item of a tuple or list. Trailing `None`s (for primals without a gradient)
    are dropped.
    """
    if isinstance(answer, (tuple, list)):
        items = list(answer)
        while len(items) > len(wrt) and items[-1] is None:
            items.pop()
        if len(items) != len(wrt):
            return {f"d{wrt[0]}": Gradient(wrt[0], answer)} if len(wrt) == 1 and isinstance(answer, list) else None
        return {f"d{name}": Gradient(name, item) for name, item in zip(wrt, items, strict=True)}
    return {f"d{wrt[0]}": Gradient(wrt[0], answer)} if len(wrt) == 1 else None


def try_case(
    candidate: PairCandidate, names: PairNames, case: Case, *, seed: int, full: bool, shared: Shared | None = None
) -> Trial:
    """Ask the reference and the candidate about one case; `full` adds the cotangents of the linearity check."""
    kept = shared or Shared()
    if names.oracle is None:
        return _try_own(candidate, names, case, seed, full, kept)
    reference, douts = kept.once(
        ("reference", names.wrt, seed, full), [names.oracle, case.point], lambda: _judged(names, case, seed, full)
    )
    outcome = candidate.vjp(names.forward, names.backward, case.point, douts, wrt=names.wrt)
    return _answered(outcome, names, case, reference, douts)


def _judged(names: PairNames, case: Case, seed: int, full: bool) -> tuple[Reference, tuple[Any, ...]]:
    """What the oracle gives, and the cotangents for which it was asked."""
    if names.oracle is None:
        raise ValueError("without an oracle there is no reference")
    with torch.no_grad():
        shape_of_out = names.oracle(*_copies(case), **case.point.hyper)
    douts = _cotangents(shape_of_out, Generator().manual_seed(seed), full)
    if not is_contiguous(case):
        laid = {id(dout): map_tensors(non_contiguous, dout) for dout in douts}
        douts = tuple(laid[id(dout)] for dout in douts)
    return _reference(names, case, douts[0]), douts


def _copies(case: Case) -> list[Any]:
    return [map_tensors(lambda tensor: tensor.detach().clone(), value) for value in case.point.primals.values()]


def _reference(names: PairNames, case: Case, dout: Any) -> Reference:
    out, grads = oracle_vjp(names.oracle, case.point, names.wrt, dout)
    # at a tie a nudge takes another branch: that change is no rounding, and the oracle's own choice is to be kept
    draws = 0 if case.convention is not None and case.convention[0] is Cause.TIES else SPREAD_DRAWS
    out_spread, grad_spread = oracle_spread(names.oracle, case.point, names.wrt, dout, draws=draws)
    return Reference(
        out,
        {f"d{name}": grad for name, grad in grads.items()},
        out_spread,
        {f"d{name}": spread for name, spread in grad_spread.items()},
    )


def _try_own(candidate: PairCandidate, names: PairNames, case: Case, seed: int, full: bool, shared: Shared) -> Trial:
    """Without an oracle the code's own forward says what `out` is; the gradients then rest on tape and differences."""
    first = candidate.vjp(names.forward, names.backward, case.point, [])
    out = first.value[0] if first.ok and first.value is not None else None
    nothing = Reference(out, {}, None, {})
    if out is None:
        return _answered(first, names, case, nothing, ())
    kept = shared if isinstance(out, Tensor) else Shared()
    form = (out.shape, out.dtype) if isinstance(out, Tensor) else None
    douts = kept.once(("cotangents", form, seed, full), [], lambda: _cotangents(out, Generator().manual_seed(seed), full))
    outcome = candidate.vjp(names.forward, names.backward, case.point, douts, wrt=names.wrt)
    return _answered(outcome, names, case, nothing, douts)


def _cotangents(out: Any, generator: Generator, full: bool) -> tuple[Any, ...]:
    first = draw_cotangent(out, generator)
    if not full:
        return (first,)
    mixed, sparse = map_leaves(_ones, first), map_leaves(lambda leaf: _one_of(leaf, generator), first)
    second = combine(1 / WEIGHTS[1], combine(1.0, mixed, -WEIGHTS[2], sparse), -WEIGHTS[0] / WEIGHTS[1], first)
    return (first, second, mixed, sparse, first)


def _ones(leaf: Any) -> Any:
    if not is_differentiable(leaf):
        return leaf
    return torch.full_like(leaf, 1 + 1j) if leaf.is_complex() else torch.ones_like(leaf)


def _one_of(leaf: Any, generator: Generator) -> Any:
    """`SMALL` at one entry, at random, and zero elsewhere."""
    if not is_differentiable(leaf) or not leaf.numel():
        return leaf
    sparse = torch.zeros_like(leaf, memory_format=torch.contiguous_format)
    sparse.view(-1)[int(torch.randint(leaf.numel(), (), generator=generator))] = SMALL
    return sparse


def _answered(outcome: Outcome, names: PairNames, case: Case, reference: Reference, douts: tuple[Any, ...]) -> Trial:
    if outcome.value is None:
        return Trial(case, reference, douts, None, (), outcome.failure, None, outcome.changed, aliases=outcome.aliases)
    out, answers = outcome.value
    unpacked = [unpack(answer, names.wrt) for answer in answers]
    return Trial(
        case=case,
        reference=reference,
        douts=douts,
        out=out,
        answers=tuple(answers),
        forward_failure=None,
        backward_failure=outcome.failure,
        changed=outcome.changed,
        spoilt=outcome.spoilt,
        aliases=outcome.aliases,
        unpacked=tuple(one for one in unpacked if one is not None) if all(u is not None for u in unpacked) else (),
    )


def parts(value: Any, subject: str, names: PairNames) -> list[tuple[str, Any]]:
    """The leaves of a gradient, each with its subject: `dw`, or `dparams[2].w` for one of a network's."""
    return list(named_leaves(value, subject, names.leaves.get(subject[1:], ())))
