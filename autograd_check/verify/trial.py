"""One point tried out: the cotangents, what the reference gives there, and what the code under test gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Failure, Outcome, PairCandidate, Point, Question
from autograd_check.verify.memo import Memo
from autograd_check.verify.reference import oracle_spread, oracle_tape
from autograd_check.verify.tensors import (
    is_differentiable,
    is_tensor,
    lasting,
    leaves,
    map_leaves,
    map_tensors,
    named_leaves,
    non_contiguous,
    refilled,
)
from autograd_check.verify.tolerances import COTANGENT, SMALL, SPREAD_DRAWS, WEIGHTS

SMALL_OUTPUT = 2**12
"""Cotangents of up to so many entries are drawn once for all outputs of one form."""

NARROWER = {torch.float64: torch.float32, torch.complex128: torch.complex64}


@dataclass(frozen=True)
class PairNames:
    """Which functions are under test and what their primals are called.

    `wrt` are the primals that get a gradient, in the order in which the backward returns them. `oracle` takes the primals
    in order and the hyperparameters as keywords, and returns `out`; None where there is no reference.
    """

    forward: str
    backward: str
    wrt: tuple[str, ...]
    oracle: Callable[..., Any] | None
    leaves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def gradients(self) -> tuple[str, ...]:
        """`d<primal>` for every primal in `wrt`."""
        return tuple(f"d{name}" for name in self.wrt)


@dataclass(frozen=True)
class Case:
    """A point and its name on screen. At a `tie` a nudge of the inputs would take another branch of the function."""

    name: str
    point: Point
    tie: bool = False

    def as_float32(self) -> Case:
        """The same case with every float64 tensor in float32, complex ones alike."""

        def narrow(tensor: Tensor) -> Tensor:
            return tensor.to(NARROWER.get(tensor.dtype, tensor.dtype))

        primals = {name: map_tensors(narrow, value) for name, value in self.point.primals.items()}
        return replace(self, name=f"{self.name}, float32", point=replace(self.point, primals=primals))


def draw_cotangent(out: Any, generator: Generator) -> Any:
    """A random non-uniform cotangent of `out`: same nest, shapes and dtypes; |entries| in `COTANGENT`, signs random.

    Real and imaginary parts of a complex output are drawn each for itself. No entry is near 0 or exactly 1, so nothing hides
    behind a small or a neutral upstream gradient. Entries of `out` that are not differentiable get zeros.
    """

    def draw(leaf: Any) -> Any:
        if not is_differentiable(leaf):
            return torch.zeros_like(leaf) if isinstance(leaf, Tensor) else leaf
        shape = (*leaf.shape, 2) if leaf.is_complex() else leaf.shape
        least, most = COTANGENT
        drawn = torch.empty(shape, dtype=torch.float64, device="cpu").uniform_(least - most, most - least, generator=generator)
        drawn.add_(drawn.sign(), alpha=least)
        return (torch.view_as_complex(drawn) if leaf.is_complex() else drawn).to(leaf.device, leaf.dtype)

    return map_leaves(draw, out)


@dataclass(frozen=True)
class Reference:
    """Value and gradients of the oracle at a case, and how far each moves when the inputs move by a few ulps."""

    out: Any
    grads: Mapping[str, Any]
    out_spread: Any
    grad_spread: Mapping[str, Any]


class Gradient(NamedTuple):
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


UsesSingle = Callable[[Trial], bool]
"""Whether numbers of at most float32 take part for the float64 numbers of a trial; asked before an error is put down to that."""


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


def try_case(candidate: PairCandidate, names: PairNames, case: Case, *, seed: int, full: bool, memo: Memo | None = None) -> Trial:
    """Ask the reference and the candidate about one case; `full` adds the cotangents of the linearity check."""
    if names.oracle is None:
        return _try_own(candidate, names, case, seed, full)
    reference, question = asked_of(names, case, seed=seed, full=full, memo=memo or Memo())
    return answered(candidate.ask(question), names, case, reference, question.given["douts"])


def asked_of(names: PairNames, case: Case, *, seed: int, full: bool, memo: Memo) -> tuple[Reference, Question]:
    """What the oracle gives at a case, and what the code under test is asked there."""

    def make() -> tuple[Reference, Question]:
        reference, douts = _judged(names, case, seed, full)
        return reference, vjp_question(names, case.point, douts, wrt=names.wrt)

    return memo.once(("reference", names.forward, names.backward, names.wrt, seed, full), [names.oracle, case.point], make)


def vjp_question(names: PairNames, point: Point, douts: Sequence[Any], **asked: Any) -> Question:
    """A forward, and a backward for every cotangent: see `PairCandidate.vjp`."""
    given = {"forward": names.forward, "backward": names.backward, "point": point, "douts": douts}
    return Question("vjp", {**given, "share_cache": False, "between": None, "wrt": (), **asked})


def _judged(names: PairNames, case: Case, seed: int, full: bool) -> tuple[Reference, tuple[Any, ...]]:
    """What the oracle gives, and the cotangents for which it was asked."""
    out, pull = oracle_tape(names.oracle, case.point, names.wrt)
    douts = _cotangents(out, Generator().manual_seed(seed), full)
    if not is_contiguous(case):
        laid = {id(dout): map_tensors(non_contiguous, dout) for dout in douts}
        douts = tuple(laid[id(dout)] for dout in douts)
    return reference_of(names, case, douts[0], (out, pull(douts[0]))), douts


def reference_of(names: PairNames, case: Case, dout: Any, answer: tuple[Any, Mapping[str, Any]]) -> Reference:
    """The reference at a case, for what the oracle gave there."""
    # at a tie a nudge takes another branch: that change is no rounding, and the oracle's own choice is to be kept
    draws = 0 if case.tie else SPREAD_DRAWS
    spread = oracle_spread(names.oracle, case.point, names.wrt, dout, answer, draws=draws)
    grads, grad_spread = ({f"d{name}": part for name, part in one.items()} for _, one in (answer, spread))
    return Reference(answer[0], grads, spread[0], grad_spread)


def _try_own(candidate: PairCandidate, names: PairNames, case: Case, seed: int, full: bool) -> Trial:
    """Without an oracle the code's own forward says what `out` is; the gradients then rest on tape and differences."""
    first = candidate.vjp(names.forward, names.backward, case.point, [])
    out = first.value[0] if first.ok and first.value is not None else None
    nothing = Reference(out, {}, None, {})
    if out is None:
        return answered(first, names, case, nothing, ())
    douts = cotangents_of(out, seed, full)
    outcome = candidate.vjp(names.forward, names.backward, case.point, douts, wrt=names.wrt)
    return answered(outcome, names, case, nothing, douts)


def cotangents_of(out: Any, seed: int, full: bool) -> tuple[Any, ...]:
    """The cotangents of a trial without an oracle: the plain one, and where the linearity check is asked for, its others."""
    outs = out if type(out) is tuple else (out,)
    given = [leaf for leaf in outs if leaf is not None]
    if all(type(leaf) is Tensor for leaf in given) and sum(leaf.numel() for leaf in given) <= SMALL_OUTPUT and lasting():
        forms = tuple(leaf if leaf is None else (leaf.shape, leaf.dtype, leaf.device) for leaf in outs)
        return _known(forms, type(out) is tuple, seed, full)
    return _cotangents(out, Generator().manual_seed(seed), full)


@lru_cache(maxsize=64)
def _known(
    forms: tuple[tuple[torch.Size, torch.dtype, torch.device] | None, ...], several: bool, seed: int, full: bool
) -> tuple[Any, ...]:
    """The cotangents of tensors of these forms: the same for every function of a test-suite, which only ever gets copies."""
    outs = tuple(form and torch.empty(form[0], dtype=form[1], device=form[2]) for form in forms)
    return _cotangents(outs if several else outs[0], Generator().manual_seed(seed), full)


def _cotangents(out: Any, generator: Generator, full: bool) -> tuple[Any, ...]:
    first = draw_cotangent(out, generator)
    if not full:
        return (first,)
    mixed, sparse = map_leaves(_ones, first), map_leaves(lambda leaf: _one_of(leaf, generator), first)
    second = refilled(first, map(_completing, leaves(first), leaves(mixed), leaves(sparse)))
    return (first, second, mixed, sparse, first)


def _completing(one: Any, both: Any, small: Any) -> Any:
    """d₂ of αd₁ + βd₂ + γd₃ = ones."""
    return (
        torch.sub(both, small, alpha=WEIGHTS[2]).sub_(one, alpha=WEIGHTS[0]).div_(WEIGHTS[1]) if is_differentiable(one) else one
    )


def _ones(leaf: Any) -> Any:
    return torch.full_like(leaf, 1 + 1j if leaf.is_complex() else 1) if is_differentiable(leaf) else leaf


def _one_of(leaf: Any, generator: Generator) -> Any:
    """`SMALL` at one entry, at random, and zero elsewhere."""
    if not is_differentiable(leaf) or not leaf.numel():
        return leaf
    sparse = torch.zeros_like(leaf, memory_format=torch.contiguous_format)
    sparse.view(-1)[int(torch.randint(leaf.numel(), (), generator=generator, device="cpu"))] = SMALL
    return sparse


def answered(outcome: Outcome, names: PairNames, case: Case, reference: Reference, douts: tuple[Any, ...]) -> Trial:
    """The trial of an outcome."""
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


def own_gradients(candidate: PairCandidate, names: PairNames, dout: Any) -> Callable[[Point], Mapping[str, Any] | None]:
    """The code's own gradients by primal at any point, None where it gives none."""

    def gradients(point: Point) -> Mapping[str, Any] | None:
        outcome = candidate.vjp(names.forward, names.backward, point, [dout])
        answer = unpack(outcome.value[1][0], names.wrt) if outcome.ok and outcome.value is not None else None
        return {gradient.primal: gradient.value for gradient in answer.values()} if answer is not None else None

    return gradients


def parts(value: Any, subject: str, names: PairNames) -> list[tuple[str, Any]]:
    """The leaves of a gradient, each with its subject: `dw`, or `dparams[2].w` for one of a network's."""
    return list(named_leaves(value, subject, names.leaves.get(subject[1:], ())))


def is_contiguous(case: Case) -> bool:
    """Whether all tensors of a case are."""
    tensors = [leaf for leaf in leaves(dict(case.point.primals)) if is_tensor(leaf)]
    return all(tensor.layout is not torch.strided or tensor.is_contiguous() for tensor in tensors)
