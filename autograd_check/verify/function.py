"""Any differentiable torch callable as a forward and a backward: the backward is what autograd does with it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn

from autograd_check.verify.tree import is_differentiable, is_tensor, leaves, map_leaves


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
