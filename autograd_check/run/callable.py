"""Any torch callable as a candidate: its backward is autograd's, and one graph serves many cotangents."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter, signature
from time import perf_counter
from typing import Any

import torch
from torch import Generator, Tensor, nn

from autograd_check.causes import Cause
from autograd_check.run.batch import Batch, BatchedSweep, Known
from autograd_check.run.failures import failure_of
from autograd_check.run.marshal import copied
from autograd_check.run.restore import Rewind
from autograd_check.run.side_effects import changed_paths
from autograd_check.verify.candidate import Failure, Outcome, Point
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.tensors import Watching, is_differentiable, is_single, is_tensor, leaves, map_leaves, map_tensors
from autograd_check.verify.trial import Trial, draw_cotangent


@dataclass(frozen=True)
class Callee:
    """A callable, everything that its gradient may be asked for as an input, and a name for each.

    A module's parameters that require grad follow its inputs; its buffers (running statistics) stay what they were.
    `body`, where there is one, is the forward of a `torch.autograd.Function` without its backward.
    """

    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    names: tuple[str, ...]
    body: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Wrapped:
    """A callable as a pair: `forward(*inputs) -> (out, cache)` and `backward(dout, cache) -> gradients` of `wrt`."""

    names: tuple[str, ...]
    wrt: tuple[str, ...]
    forward: Callable[..., Any]
    backward: Callable[..., Any]


def callee(fn: Callable[..., Any], inputs: Sequence[Any]) -> Callee:
    """What is called with what: for a module, its inputs and its parameters."""
    names = input_names(fn, inputs)
    if isinstance(fn, nn.Module):
        return _module(fn, inputs, names)
    owner = function_class(fn)
    body = None
    if owner is not None:
        separate = owner.setup_context is not torch.autograd.Function.setup_context
        body = owner.forward if separate else lambda *given: owner.forward(StandIn(len(given)), *given)
    return Callee(fn, tuple(inputs), names, body)


def _module(module: nn.Module, inputs: Sequence[Any], names: tuple[str, ...]) -> Callee:
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    count = len(inputs)

    def call(*given: Any) -> Any:
        copies = {name: buffer.detach().clone() for name, buffer in module.named_buffers()}
        named = dict(zip(parameters, given[count:], strict=True))
        return torch.func.functional_call(module, {**copies, **named}, given[:count])

    apart = tuple(name if name not in names else f"parameter {name}" for name in parameters)
    return Callee(call, (*inputs, *parameters.values()), (*names, *apart))


def function_class(fn: Any) -> type[torch.autograd.Function] | None:
    """The `torch.autograd.Function` whose `apply` this is."""
    owner = getattr(fn, "__self__", None)
    return owner if isinstance(owner, type) and issubclass(owner, torch.autograd.Function) else None


class StandIn:
    """Takes the place of a Function's `ctx` when its forward runs alone: keeps what it is given, and asks for nothing."""

    def __init__(self, count: int) -> None:
        self.needs_input_grad = (True,) * count
        self.saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Like `ctx.save_for_backward`."""
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Like `ctx.save_for_forward`."""

    def mark_dirty(self, *tensors: Any) -> None:
        """Like `ctx.mark_dirty`."""

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Like `ctx.mark_non_differentiable`."""

    def set_materialize_grads(self, value: bool) -> None:
        """Like `ctx.set_materialize_grads`."""


def wrap(called: Callee) -> Wrapped:
    """The pair of a callable; inputs that require grad are checked, all others pass through.

    Raises `ValueError` where no input requires grad.
    """
    wrt = tuple(
        name
        for name, value in zip(called.names, called.inputs, strict=True)
        if any(is_tensor(leaf) and leaf.requires_grad and is_differentiable(leaf) for leaf in leaves(value))
    )
    if not wrt:
        raise ValueError("gradcheck expects at least one input tensor with requires_grad=True; all inputs pass through.")
    positions = [called.names.index(name) for name in wrt]

    def forward(*primals: Any) -> tuple[Any, Any]:
        roots = list(primals)
        if torch.is_grad_enabled():
            for position in positions:
                roots[position] = map_leaves(_rooted, primals[position])
        out = called.call(*roots)
        return out, (out, [roots[position] for position in positions])

    def backward(dout: Any, cache: Any) -> Any:
        out, roots = cache
        if isinstance(out, Tensor) and isinstance(dout, Tensor) and out.requires_grad and all(map(is_tensor, roots)):
            single = torch.autograd.grad((out,), roots, (dout,), retain_graph=True, allow_unused=True)
            return tuple(map(_dense, roots, single))
        pairs = [
            (o, d) for o, d in zip(leaves(out), leaves(dout), strict=True) if is_tensor(o) and o.requires_grad and is_tensor(d)
        ]
        flat = [leaf for root in roots for leaf in leaves(root)]
        grads: Sequence[Tensor | None] = [None] * len(flat)
        moving = [leaf for leaf in flat if is_differentiable(leaf)]
        if pairs:
            outputs, cotangents = zip(*pairs, strict=True)
            found = iter(torch.autograd.grad(outputs, moving, cotangents, retain_graph=True, allow_unused=True))
            grads = [next(found) if is_differentiable(leaf) else None for leaf in flat]
        filled = iter([_dense(x, g) for x, g in zip(flat, grads, strict=True)])
        return tuple(map_leaves(lambda _: next(filled), root) for root in roots)

    return Wrapped(called.names, wrt, forward, backward)


def _dense(leaf: Any, grad: Tensor | None) -> Any:
    if grad is None:
        return torch.zeros_like(leaf) if is_tensor(leaf) else leaf
    return grad if grad.layout is torch.strided else grad.to_dense()


def _rooted(leaf: Any) -> Any:
    return leaf.detach().requires_grad_() if is_differentiable(leaf) else leaf


def input_names(fn: Callable[..., Any], inputs: Sequence[Any]) -> tuple[str, ...]:
    """Names of the inputs: of the callable's own parameters where they are known, else `input0`, `input1`, ..."""
    numbered = tuple(f"input{number}" for number in range(len(inputs)))
    owner = function_class(fn)
    called = owner.forward if owner else fn.forward if isinstance(fn, nn.Module) else fn
    code, bound = getattr(called, "__code__", None), getattr(called, "__self__", None) is not None
    if code is not None and not code.co_flags & 0x0C:  # no *args, no **kwargs: the code itself names its parameters
        plain = list(code.co_varnames[int(bound) : code.co_argcount])
    else:
        try:
            parameters = list(signature(called).parameters.values())
        except (TypeError, ValueError):
            return numbered
        plain = [p.name for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    if owner is not None and owner.setup_context is torch.autograd.Function.setup_context:
        plain = plain[1:]
    return tuple(plain[: len(inputs)]) if len(plain) >= len(inputs) else numbered


def in_float64(fn: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Callable[..., Any], list[Any]]:
    """The callable and its inputs with float32, float16 and bfloat16 tensors in float64; a module is copied first."""
    raised = fn
    if isinstance(fn, nn.Module):
        raised = copy.deepcopy(fn).double()
    return raised, [map_leaves(in_double, value) for value in inputs]


def in_double(leaf: Any) -> Any:
    """A tensor with fractions in float64 or complex128; any other leaf as it is."""
    if not is_differentiable(leaf):
        return leaf
    dtype = torch.complex128 if leaf.is_complex() else torch.float64
    return leaf.detach().to(dtype).requires_grad_(leaf.requires_grad)


class Narrowing(Watching):
    """Records the operations that turn float64 into less."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def after(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        """Note whether an operation lost digits."""
        first = args[0] if args else None
        if is_single(out) and isinstance(first, Tensor) and first.dtype in (torch.float64, torch.complex128):
            self.seen.append(str(out.dtype).removeprefix("torch."))


class Narrows:
    """Whether a callable turns float64 into less while all its inputs are float64; looked at once, when it is asked.

    A `UsesSingle`: where it does, errors of that size are not a wrong gradient, but a finding of their own.
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


@dataclass
class Run:
    """One taped forward: the point, the copies it was given, its output and graph, and each cotangent with what it gave."""

    point: Point
    primals: dict[str, Any]
    out: Any
    cache: Any
    seconds: float
    asked: list[tuple[Any, Any]] = field(default_factory=list)


class TorchCallable:
    """A `PairCandidate` of a torch callable.

    All cotangents of a request share a graph, so that a backward that spoils what it saved is seen; where the first is
    repeated, the forward runs once more, so that one that differs from run to run is seen. `body` is the forward of a
    `torch.autograd.Function` without its backward: what autograd can tape, and vmap batch.
    `doubted` is whether branches were asked for, as they are where a gradient did not agree at once.
    """

    isolation = "same process; trusted code"

    def __init__(self, wrapped: Wrapped, body: Callable[..., Any] | None, rewind: Rewind) -> None:
        self._wrapped = wrapped
        self._body = body
        self._rewind = rewind
        self._last: Run | None = None
        self._tidy = False
        self._taping = False
        self.doubted = False
        self._sweep = BatchedSweep(self._value, None if body is None else self._plainly, self._known)

    @property
    def outputs(self) -> int:
        """How many outputs of the last run have a gradient."""
        return sum(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in leaves(self._last.out)) if self._last else 0

    @property
    def returned(self) -> tuple[Any] | None:
        """What the last run gave, alone in a tuple; None where there was none."""
        return (self._last.out,) if self._last else None

    def functions(self) -> tuple[str, ...]:
        """Two names that stand for the callable and for autograd's backward."""
        return ("forward", "backward")

    def loaded(self) -> Outcome:
        """There is nothing to load."""
        return Outcome()

    def vjp(
        self,
        forward: str,
        backward: str,
        point: Point,
        douts: Sequence[Any],
        *,
        share_cache: bool = False,
        between: Point | None = None,
        wrt: Sequence[str] = (),
    ) -> Outcome:
        """See `PairCandidate.vjp`. Where the first cotangent is repeated, `out` is that of a second run.

        A graph belongs to its own forward, so nothing that runs in between (`between`) could change it.
        """
        changed: dict[str, None] = {}
        spoilt: dict[str, None] = {}
        answers: list[Any] = []
        run = self._last if self._last is not None and self._last.point is point else None
        try:
            if run is None:
                run = self._run(point)
            known = _recalled(run.asked, douts) if share_cache else None
            if known is not None:
                return Outcome((copied(run.out), known))
            for number, dout in enumerate(douts):
                if number and dout is douts[number - 1]:
                    answers.append(answers[-1])
                    continue
                cotangent = copied(dout)
                answers.append(self._wrapped.backward(cotangent, run.cache))
                run.asked.append((dout, answers[-1]))
                spoilt |= dict.fromkeys(changed_paths("dout", dout, cotangent))
            for name, value in point.primals.items():
                changed |= dict.fromkeys(changed_paths(name, value, run.primals[name]))
            again = run.out
            if len(douts) > 1 and douts[0] is douts[-1]:
                again = self._forward(point)[1]
        except Exception as error:  # the code under test may raise anything
            return Outcome(None if run is None else (copied(run.out), answers), failure_of(error), tuple(changed), tuple(spoilt))
        self._tidy = not changed
        return Outcome((copied(again), answers), None, tuple(changed), tuple(spoilt))

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.sweep`."""
        self.doubted = self.doubted or signatures
        rows = self._sweep(points, signatures)
        if not self._taping and not isinstance(rows, Batch) and all(out is None for out, _ in rows):
            self._taping = True  # a function that differentiates inside does not run with gradients switched off
            rows = self._sweep(points, signatures)
        return Outcome(rows)

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.taped`; without a `body` the backward is the tape itself."""
        if self._body is None:
            return Outcome(failure=Failure(Cause.MISSING, "the backward is the tape itself"))
        try:
            self._tidy = False  # a tape's roots may not be written into
            _, grads = oracle_vjp(self._plainly, point, wrt, dout)
        except Exception as error:  # the tape may break anywhere in code that was not written for it
            return Outcome(failure=failure_of(error))
        return Outcome([grads[name] for name in wrt])

    def _run(self, point: Point) -> Run:
        start = perf_counter()
        run = self._forward(point)
        self._last = Run(point, *run, perf_counter() - start)
        return self._last

    def _known(self) -> Known | None:
        run = self._last
        return None if run is None else Known(run.point, run.out, run.seconds)

    def _forward(self, point: Point) -> tuple[dict[str, Any], Any, Any]:
        self._rewind()
        primals = {name: copied(value) for name, value in point.primals.items()}
        with torch.enable_grad():
            out, cache = self._wrapped.forward(*primals.values())
        return primals, out, cache

    def _value(self, *primals: Any) -> Any:
        """`out` alone; of copies, unless the callable is known to leave its arguments alone."""
        self._rewind()
        given = primals if self._tidy else tuple(map(copied, primals))
        if not self._taping:
            return self._wrapped.forward(*given)[0]
        with torch.enable_grad():
            return map_tensors(Tensor.detach, self._wrapped.forward(*given)[0])

    def _plainly(self, *primals: Any) -> Any:
        """`out` alone, by the form without a backward of its own."""
        self._rewind()
        given = primals if self._tidy else tuple(map_tensors(Tensor.clone, value) for value in primals)
        return self._body(*given) if self._body is not None else None


def _recalled(asked: Sequence[tuple[Any, Any]], douts: Sequence[Any]) -> list[Any] | None:
    """What these cotangents gave: the first answer for the first occurrence of one, and so on; None where one is missing."""
    left = list(asked)
    found = []
    for dout in douts:
        place = next((k for k, (other, _) in enumerate(left) if other is dout), None)
        if place is None:
            return None
        found.append(left.pop(place)[1])
    return found
