"""Any torch callable as a candidate: its backward is autograd's, and one graph serves many cotangents."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from inspect import Parameter, signature
from itertools import count
from types import BuiltinFunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch._vmap_internals import _vmap  # the one under autograd's own batched gradients: torch.vmap knows no dual tensors
from torch.autograd import forward_ad
from torch.autograd.graph import _engine_run_backward

from autograd_check.causes import Cause
from autograd_check.run.batch import Batch, BatchedSweep
from autograd_check.run.failures import failure_of
from autograd_check.run.layouts import Layout, strided
from autograd_check.run.restore import Rewind
from autograd_check.run.side_effects import changed_paths
from autograd_check.verify.candidate import Failure, Outcome, Point, Question
from autograd_check.verify.contract import type_text
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.tensors import (
    copied,
    equal_bits,
    is_differentiable,
    is_tensor,
    leaves,
    map_leaves,
    map_tensors,
    refilled,
)


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


class Wrapped:
    """A callable as a pair: `forward(*primals) -> (out, cache)` and `backward(dout, cache) -> gradients` of `wrt`.

    Inputs that require grad are checked, all others pass through. `primals` are the inputs with sparse ones in strided memory
    (`Layout`). Of the output only what autograd can differentiate takes part, likewise in strided memory: which leaves these are
    is seen in the first run with the tape on; the others become None. Where the tape reaches no output at all every output of
    fractions takes part: then the gradient is zero, and has to be.
    `returned` says what came of that run, for a message. `misfits` names the gradients that came in another layout than their input has.

    Raises `ValueError` where no input requires grad, unless `forward_only`, and where one has no numbers.
    """

    def __init__(self, called: Callee, *, masked: bool = False, forward_only: bool = False) -> None:
        self._call = called.call
        self._masked = masked
        self.names = called.names
        moving = [any(is_tensor(leaf) and leaf.requires_grad for leaf in leaves(value)) for value in called.inputs]
        if not any(moving) and not forward_only:
            raise ValueError("gradcheck expects at least one input tensor with requires_grad=True; all inputs pass through.")
        for name, value in zip(called.names, called.inputs, strict=True):
            # a class of its own may hold numbers inside
            if any(type(leaf) in (Tensor, nn.Parameter) and leaf.is_meta for leaf in leaves(value)):
                text = f"gradcheck expects inputs with numbers in them; {name} is on the meta device, which keeps shapes alone."
                raise ValueError(text)
        self.wrt = tuple(name for name, moves in zip(called.names, moving, strict=True) if moves)
        self._positions = [position for position, moves in enumerate(moving) if moves]
        self._layouts = {
            (position, place): Layout(leaf, masked)
            for position in self._positions
            for place, leaf in enumerate(leaves(called.inputs[position]))
            if is_differentiable(leaf) and leaf.layout is not torch.strided
        }
        self.primals = tuple(self._nested(position, value, _primal_of) for position, value in enumerate(called.inputs))
        self._taking_part: frozenset[int] | None = None
        self.taped = True
        self.returned = "nothing"
        self.misfits: dict[str, str] = {}

    def forward(self, *primals: Any) -> tuple[Any, Any]:
        """`out`, and the cache: the output and the roots of its tape. Gradients are switched on."""
        given = list(primals)
        for position in self._positions:
            given[position] = self._nested(position, primals[position], _root_of)
        out = self.out(self._call(*given))
        return out, (out, [given[position] for position in self._positions])

    def value(self, *primals: Any) -> Any:
        """`out` alone, with gradients switched off."""
        return self.out(self._call(*(self.given(primals) if self._layouts else primals)))

    def given(self, primals: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments of the callable for some primals."""
        if not self._layouts:
            return tuple(primals)
        return tuple(self._nested(position, value, _tensor_of) for position, value in enumerate(primals))

    def out(self, raw: Any) -> Any:
        """What takes part of an output, in strided memory."""
        if self._taking_part is None and torch.is_grad_enabled():
            self._look(raw)
        if self._taking_part is None:
            return map_leaves(lambda leaf: strided(leaf, masked=self._masked) if is_differentiable(leaf) else None, raw)
        if isinstance(raw, Tensor) and raw.layout is torch.strided and not raw._is_zerotensor():
            return raw if self._taking_part else None
        places, taking_part = count(), self._taking_part
        return map_leaves(lambda leaf: strided(leaf, masked=self._masked) if next(places) in taking_part else None, raw)

    @property
    def empty(self) -> bool:
        """Whether nothing of the output can be differentiated."""
        return self._taking_part is not None and not self._taking_part

    def _look(self, raw: Any) -> None:
        self.returned = "only tensors" if all(map(is_tensor, leaves(raw))) else type_text(raw)
        found = [(place, leaf.requires_grad) for place, leaf in enumerate(leaves(raw)) if is_differentiable(leaf)]
        self.taped = any(taped for _, taped in found)
        self._taking_part = frozenset(place for place, taped in found if taped or not self.taped)

    def backward(self, dout: Any, cache: Any) -> Any:
        """The gradients of `wrt`, each in the nest of its primal and strided; zeros where the tape does not reach."""
        out, roots = cache
        if isinstance(out, Tensor) and isinstance(dout, Tensor) and out.requires_grad and all(map(is_tensor, roots)):
            found = pull_back((out,), roots, (dout,))
            return self._answers(roots, found) if self._layouts else tuple(map(self._answer, roots, found, self.wrt))
        pairs = [
            (o, d) for o, d in zip(leaves(out), leaves(dout), strict=True) if is_tensor(o) and o.requires_grad and is_tensor(d)
        ]
        flat = [leaf for root in roots for leaf in leaves(root)]
        grads: Sequence[Tensor | None] = [None] * len(flat)
        moving = [leaf for leaf in flat if is_differentiable(leaf)]
        if pairs:
            outputs, cotangents = zip(*pairs, strict=True)
            given = iter(pull_back(outputs, moving, cotangents))
            grads = [next(given) if is_differentiable(leaf) else None for leaf in flat]
        return self._answers(roots, grads)

    def undefined_backward(self, cache: Any) -> Any:
        """The gradients where nobody has a cotangent for any output: the backward gets None for each of them."""
        out, roots = cache
        undefined: list[Any] = [
            torch._C._functions.UndefinedGrad()(leaf) for leaf in leaves(out) if is_tensor(leaf) and leaf.requires_grad
        ]
        flat = [leaf for root in roots for leaf in leaves(root)]
        moving = [leaf for leaf in flat if is_differentiable(leaf)]
        zeros = [torch.zeros_like(o) for o in undefined]
        found = iter(pull_back(undefined, moving, zeros))
        return self._answers(roots, [next(found) if is_differentiable(leaf) else None for leaf in flat])

    def batched_backward(self, douts: Sequence[Any], cache: Any) -> list[Tensor]:
        """The gradients of all flat roots for several cotangents in one call under vmap: each with the cotangents first."""
        out, roots = cache
        outs = [leaf for leaf in leaves(out) if is_tensor(leaf) and leaf.requires_grad]
        places = [place for place, leaf in enumerate(leaves(out)) if is_tensor(leaf) and leaf.requires_grad]
        moving = [leaf for root in roots for leaf in leaves(root) if is_differentiable(leaf)]
        stacked = [torch.stack([leaves(dout)[place] for dout in douts]) for place in places]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="There is a performance drop")
            grads = torch.autograd.grad(outs, moving, stacked, retain_graph=True, allow_unused=True, is_grads_batched=True)
        return [x.new_zeros((len(douts), *x.shape)) if g is None else g for x, g in zip(moving, grads, strict=True)]

    def jvp(self, primals: Mapping[str, Any], tangents: Mapping[str, Any]) -> tuple[Any, Any]:
        """`out` and its tangent (zeros where none came) by forward mode; primals without a tangent stand still."""
        given = list(self.given(tuple(primals.values())))
        _load_forward_mode()
        with forward_ad.dual_level():
            for position, name in zip(self._positions, self.wrt, strict=True):
                if name in tangents:
                    given[position] = self._nested(position, primals[name], partial(self._dual, iter(leaves(tangents[name]))))
            out = self.out(self._call(*given))
            apart = [forward_ad.unpack_dual(leaf) if is_differentiable(leaf) else (leaf, None) for leaf in leaves(out)]
        values = [value.detach() if is_tensor(value) else value for value, _ in apart]
        moved = [value if not is_tensor(value) else _tangent(value, tangent) for value, tangent in apart]
        return refilled(out, values), refilled(out, moved)

    @staticmethod
    def _dual(tangents: Iterator[Any], x: Any, layout: Layout | None) -> Any:
        along = next(tangents)
        if not is_differentiable(x):
            return x
        if layout is None:
            return forward_ad.make_dual(x.detach(), along)
        return forward_ad.make_dual(layout.tensor(x), layout.tangent(along))

    def _answers(self, roots: Sequence[Any], grads: Sequence[Tensor | None]) -> tuple[Any, ...]:
        """The gradients of the flat roots as gradients of the primals."""
        given = iter(grads)

        def nested(name: str, position: int, root: Any) -> Any:
            return self._nested(position, root, lambda x, layout: self._answer(x, next(given), name, layout))

        return tuple(map(nested, self.wrt, self._positions, roots))

    def _answer(self, x: Any, grad: Tensor | None, name: str, layout: Layout | None = None) -> Any:
        if layout is not None:
            return layout.gradient(torch.zeros_like(x) if grad is None else grad)
        if grad is None:
            return torch.zeros_like(x) if is_tensor(x) else x
        if grad.layout is not torch.strided:
            self.misfits[f"d{name}"] = str(grad.layout).removeprefix("torch.")
            return grad.to_dense()
        return torch.zeros_like(x) if grad._is_zerotensor() else grad

    def _nested(self, position: int, value: Any, function: Callable[[Any, Layout | None], Any]) -> Any:
        if isinstance(value, Tensor) and not self._layouts:
            return function(value, None)
        places = count()
        return map_leaves(lambda leaf: function(leaf, self._layouts.get((position, next(places)))), value)


def pull_back(
    outs: Sequence[Tensor], roots: Sequence[Tensor], douts: Sequence[Tensor], *, create_graph: bool = False
) -> Sequence[Tensor | None]:
    """The gradients of `roots`, each of its root's shape and dtype, None where the tape does not reach; the graph stays.

    As `torch.autograd.grad`, and with its errors. `grad` looks at its arguments for as long as the backward of a small function
    takes. It does so here only where a cotangent does not have the form of its output, or a class of its own takes part.
    """
    plain = len(roots) > 0 and {*map(type, outs), *map(type, roots), *map(type, douts)} == {Tensor}
    if plain and [(out.shape, out.dtype) for out in outs] == [(dout.shape, dout.dtype) for dout in douts]:
        found: Sequence[Tensor | None] = _engine_run_backward(
            tuple(outs), tuple(douts), True, create_graph, tuple(roots), True, accumulate_grad=False
        )
        return found
    return torch.autograd.grad(outs, roots, douts, retain_graph=True, create_graph=create_graph, allow_unused=True)


@cache
def _load_forward_mode() -> None:
    """Let torch load its own decompositions, which it does where forward mode is first used, and with a warning."""
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.filterwarnings("ignore", message="`torch.jit", category=DeprecationWarning)
        forward_ad.make_dual(torch.zeros((), device="cpu"), torch.zeros((), device="cpu"))


def _tangent(value: Tensor, tangent: Tensor | None) -> Tensor:
    """What forward mode gave, off the tape; zeros where nothing came."""
    dense: Tensor = torch.zeros_like(value) if tangent is None else strided(tangent)
    return dense.detach() if dense.requires_grad else dense  # vmap knows no detach here


def _primal_of(leaf: Any, layout: Layout | None) -> Any:
    return leaf if layout is None else layout.primal.requires_grad_(leaf.requires_grad)


def _tensor_of(leaf: Any, layout: Layout | None) -> Any:
    return leaf if layout is None else layout.tensor(leaf)


def _root_of(leaf: Any, layout: Layout | None) -> Any:
    if layout is not None:
        return layout.tensor(leaf).requires_grad_()
    return leaf.detach().requires_grad_() if is_differentiable(leaf) else leaf


def input_names(fn: Callable[..., Any], inputs: Sequence[Any]) -> tuple[str, ...]:
    """Names of the inputs: of the callable's own parameters where they are known, else `input0`, `input1`, ..."""
    numbered = tuple(f"input{number}" for number in range(len(inputs)))
    owner = function_class(fn)
    called = owner.forward if owner else fn.forward if isinstance(fn, nn.Module) else fn
    code, bound = getattr(called, "__code__", None), getattr(called, "__self__", None) is not None
    if code is not None and not code.co_flags & 0x0C:  # no *args, no **kwargs: the code itself names its parameters
        plain = list(code.co_varnames[int(bound) : code.co_argcount])
    elif isinstance(called, BuiltinFunctionType) and getattr(called, "__text_signature__", None) is None:
        return numbered
    else:
        try:
            parameters = list(signature(called).parameters.values())
        except (TypeError, ValueError):
            return numbered
        plain = [p.name for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    if owner is not None and owner.setup_context is torch.autograd.Function.setup_context:
        plain = plain[1:]
    return tuple(plain[: len(inputs)]) if len(plain) >= len(inputs) else numbered


@dataclass
class Run:
    """One taped forward: the point, the copies it was given, its output and graph."""

    point: Point
    primals: dict[str, Any]
    out: Any
    cache: Any


class TorchCallable:
    """A `PairCandidate` of a torch callable.

    All cotangents of a request share a graph, so that a backward that spoils what it saved is seen; where the first is
    repeated, the forward runs once more, so that one that differs from run to run is seen. `body` is the forward of a
    `torch.autograd.Function` without its backward: what autograd can tape, and vmap batch.
    `doubted` is whether branches were asked for, as they are where a gradient did not agree at once, `raised` what the forward
    raised where it did not run.
    """

    isolation = "same process; trusted code"
    one_cache = True

    def __init__(self, wrapped: Wrapped, body: Callable[..., Any] | None, rewind: Rewind) -> None:
        self._wrapped = wrapped
        self._body = body
        self._rewind = rewind
        self._last: Run | None = None
        self._stale = False
        self._tidy = False
        self._taping = False
        self.doubted = False
        self.raised: Exception | None = None
        self._sweep = BatchedSweep()

    def functions(self) -> tuple[str, ...]:
        """Two names that stand for the callable and for autograd's backward."""
        return ("forward", "backward")

    def loaded(self) -> Outcome:
        """There is nothing to load."""
        return Outcome()

    def ask(self, question: Question) -> Outcome:
        """See `PairCandidate.ask`."""
        outcome: Outcome = getattr(self, question.ask)(**question.given)
        return outcome

    def expect(self, questions: Sequence[Question]) -> None:
        """See `PairCandidate.expect`: there is nothing to begin with."""

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
        self._tidy = True
        changed: dict[str, None] = {}
        spoilt: dict[str, None] = {}
        answers: list[Any] = []
        run = self._held(point)
        try:
            if run is None:
                run = self._run(point)
            for number, dout in enumerate(douts):
                if number and dout is douts[number - 1]:
                    answers.append(answers[-1])
                    continue
                cotangent = copied(dout)
                answers.append(self._wrapped.backward(cotangent, run.cache))
                if not equal_bits(dout, cotangent):
                    spoilt |= dict.fromkeys(changed_paths("dout", dout, cotangent))
            for name, value in point.primals.items():
                paths = changed_paths(name, value, run.primals[name])
                self._tidy = self._tidy and not paths
                if name in self._wrapped.wrt:  # buffers among the inputs, like running statistics, are there to be written
                    changed |= dict.fromkeys(paths)
            again = run.out
            if len(douts) > 1 and douts[0] is douts[-1]:
                again = self._forward(point)[1]
        except Exception as error:  # the code under test may raise anything
            self._tidy = False
            if run is None:
                self.raised = error
            return Outcome(None if run is None else (copied(run.out), answers), failure_of(error), tuple(changed), tuple(spoilt))
        return Outcome((copied(again), answers), None, tuple(changed), tuple(spoilt))

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `PairCandidate.sweep`."""
        self.doubted = self.doubted or signatures
        form = None if self._body is None else self._plainly
        rows = self._sweep(self._value, points, signatures, form)
        if not self._taping and not isinstance(rows, Batch) and all(out is None for out, _ in rows):
            self._taping = True  # a function that differentiates inside does not run with gradients switched off
            rows = self._sweep(self._value, points, signatures, form)
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

    def jvp(self, point: Point, tangents: Mapping[str, Any]) -> Outcome:
        """See `TapeCandidate.jvp`."""
        self._start()
        primals = {name: copied(value) for name, value in point.primals.items()}
        try:
            out, tangent = self._wrapped.jvp(primals, tangents)
            return Outcome((out, copied(tangent)))  # a jvp may fill one buffer again and again
        except Exception as error:  # the code under test may raise anything
            return Outcome(failure=failure_of(error))

    def batched_jvp(self, point: Point, tangents: Sequence[Mapping[str, Any]]) -> Outcome:
        """See `TapeCandidate.batched_jvp`."""
        self._start()
        primals = {name: copied(value) for name, value in point.primals.items()}
        names = list(tangents[0])
        flat = [[leaf for name in names for leaf in leaves(one[name]) if is_tensor(leaf)] for one in tangents]

        def call(*given: Tensor) -> tuple[Tensor, ...]:
            moved = iter(given)
            nests = {name: map_leaves(lambda leaf: next(moved) if is_tensor(leaf) else leaf, tangents[0][name]) for name in names}
            return tuple(filter(is_tensor, leaves(self._wrapped.jvp(primals, nests)[1])))

        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="There is a performance drop")
                return Outcome(_vmap(call)(*map(torch.stack, zip(*flat, strict=True))))
        except Exception as error:  # the code under test may raise anything
            return Outcome(failure=failure_of(error))

    def batched_vjp(self, point: Point, douts: Sequence[Any]) -> Outcome:
        """See `TapeCandidate.batched_vjp`."""
        try:
            return Outcome(self._wrapped.batched_backward(douts, self._at(point).cache))
        except Exception as error:  # the code under test may raise anything
            return Outcome(failure=failure_of(error))

    def undefined_vjp(self, point: Point) -> Outcome:
        """See `TapeCandidate.undefined_vjp`."""
        try:
            return Outcome(self._wrapped.undefined_backward(self._at(point).cache))
        except Exception as error:  # the code under test may raise anything
            return Outcome(failure=failure_of(error))

    def _at(self, point: Point) -> Run:
        """A run at a point: the last one, or a new one."""
        return self._held(point) or self._run(point)

    def _held(self, point: Point) -> Run | None:
        """The last run, where it was at this very point and its tape still runs: it serves any number of cotangents.

        A function that returns the same buffer again and again takes the tape off it in a run without gradients.
        """
        run = self._last
        if run is None or run.point is not point or self._stale:
            return None
        taped = (
            run.out.requires_grad
            if isinstance(run.out, Tensor)
            else any(is_tensor(o) and o.requires_grad for o in leaves(run.out))
        )
        return run if taped or not self._wrapped.taped else None

    def _start(self) -> None:
        """Before every evaluation; what the tape of the last run saved of a buffer is gone once the buffer is put back."""
        self._stale |= bool(self._rewind())

    def _run(self, point: Point) -> Run:
        self._last, self._stale = Run(point, *self._forward(point)), False
        return self._last

    def _forward(self, point: Point) -> tuple[dict[str, Any], Any, Any]:
        self._start()
        primals = {name: copied(value) for name, value in point.primals.items()}
        with torch.enable_grad():
            out, cache = self._wrapped.forward(*primals.values())
        return primals, out, cache

    def _value(self, *primals: Any) -> Any:
        """`out` alone; of copies, unless the callable is known to leave its arguments alone."""
        self._start()
        given = primals if self._tidy else tuple(map(copied, primals))
        if not self._taping:
            return self._wrapped.value(*given)
        with torch.enable_grad():
            return map_tensors(Tensor.detach, self._wrapped.forward(*given)[0])

    def _plainly(self, *primals: Any) -> Any:
        """`out` alone, by the form without a backward of its own."""
        self._start()
        given = primals if self._tidy else tuple(map_tensors(Tensor.clone, value) for value in primals)
        return self._wrapped.out(self._body(*self._wrapped.given(given))) if self._body is not None else None
