"""Functions in place of a reference that is not there: what a lesson asks for, by torch's own definition of it.

A course that was released to students holds no references. What a later lesson builds on is then made from the oracles that
the specification holds. Nothing is derived by hand here, and nobody would be graded for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.course.spec import Checker, Initialiser, Layer, Lesson, Plain, Stateful, UpdateRule
from autograd_check.verify.candidate import Point
from autograd_check.verify.differences import central_differences
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.tensors import map_tensors

Functions = Mapping[str, Callable[..., Any]]


def stand_ins(lesson: Lesson) -> Functions:
    """The functions of a lesson by name, as far as its tasks have an oracle; what they keep is made of plain values."""
    return {name: function for task in lesson.tasks for name, function in _of(task).items()}


@singledispatch
def _of(task: Any) -> Functions:
    return {}


@_of.register
def _layer(task: Layer) -> Functions:
    names = list(task.probes[0].primals)

    def forward(*primals: Any, **hyper: Any) -> tuple[Any, Any]:
        given = dict(zip(names, primals, strict=False)) | {name: hyper.pop(name) for name in names if name in hyper}
        return task.oracle(*given.values(), **hyper), (given, hyper)

    def backward(dout: Any, cache: Any) -> Any:
        given, hyper = cache
        return _gradients(task.oracle, given, hyper, task.wrt, dout)

    return {task.forward: forward, task.backward: backward}


@_of.register
def _stateful(task: Stateful) -> Functions:
    names = list(task.runs[0].calls[0].primals)

    def forward(*args: Any, **hyper: Any) -> tuple[Any, Any, Any]:
        *primals, state = args
        out, new = task.oracle(*primals, _copied(state), **hyper)
        return out, new, (dict(zip(names, primals, strict=True)), state, hyper)

    def backward(dout: Any, cache: Any) -> Any:
        given, state, hyper = cache

        def out(*primals: Any, **named: Any) -> Any:
            return task.oracle(*primals, _copied(state), **named)[0]

        return _gradients(out, given, hyper, task.wrt, dout)

    return {task.forward: forward, task.backward: backward}


@_of.register
def _update_rule(task: UpdateRule) -> Functions:
    def moved(params: list[Tensor], grads: list[Tensor], states: list[Any], hyper: dict[str, Any]) -> tuple[list[Tensor], Any]:
        own = [param.detach().clone().requires_grad_() for param in params]
        lr = (
            {"lr": abs(hyper["lr"])} if "lr" in hyper else {}
        )  # the constructor refuses one below 0, which the step takes as it is
        optimiser = task.twin(own, **{**hyper, **lr})
        for group in optimiser.param_groups:
            group.update({name: hyper[name] for name in lr})
        for param, grad, state in zip(own, grads, states, strict=True):
            param.grad = grad.detach().clone()
            if state is not None:
                optimiser.state[param] = _copied(state)
        optimiser.step()
        return [param.detach() for param in own], [dict(optimiser.state[param]) for param in own]

    def step(param: Tensor, grad: Tensor, state: Any, **hyper: Any) -> tuple[Tensor, Any]:
        params, states = moved([param], [grad], [state], hyper)
        return params[0], states[0]

    def together(params: Any, grads: Any, **hyper: Any) -> list[Tensor]:
        return moved(list(params), list(grads), [None] * len(params), hyper)[0]

    return {task.functions[0]: together if task.together else step}


@_of.register
def _plain(task: Plain) -> Functions:
    return {task.name: task.oracle}


@_of.register
def _initialiser(task: Initialiser) -> Functions:
    def initial(*sizes: int, generator: Generator) -> Tensor:
        if task.law == "normal":
            drawn = torch.randn(sizes, generator=generator, dtype=torch.float64)
        else:
            drawn = math.sqrt(3) * (2 * torch.rand(sizes, generator=generator, dtype=torch.float64) - 1)
        return task.std(*sizes) * drawn

    return {task.name: initial}


@_of.register
def _checker(task: Checker) -> Functions:
    return {task.name: central_differences}


def _gradients(
    oracle: Callable[..., Any], given: Mapping[str, Any], hyper: Mapping[str, Any], wrt: Sequence[str], dout: Any
) -> Any:
    """As a backward returns them: alone, or a tuple. A network that is trained calls this in torch's inference mode."""
    with torch.inference_mode(False):
        _, grads = oracle_vjp(oracle, Point(given, hyper), wrt, _copied(dout))
    return tuple(grads.values()) if len(grads) > 1 else next(iter(grads.values()))


def _copied(state: Any) -> Any:
    return map_tensors(lambda tensor: tensor.detach().clone(), state)
