"""A torch callable as a candidate: one graph for many cotangents, and what is remembered of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.run.callable import TorchCallable, Wrapped, callee
from autograd_check.run.restore import reseed
from autograd_check.verify.candidate import Failure, Outcome, Point

X = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
D = torch.tensor([0.5, 1.0, -1.5], dtype=torch.float64)


def candidate_of(fn: Callable[..., Any], *inputs: Tensor) -> tuple[TorchCallable, Point]:
    """The candidate, and the point of its inputs."""
    called = callee(fn, [value.detach().clone().requires_grad_() for value in inputs])
    candidate = TorchCallable(Wrapped(called), called.body, reseed)
    return candidate, Point(dict(zip(called.names, inputs, strict=True)))


def vjp(candidate: TorchCallable, point: Point, *douts: Tensor, **asked: Any) -> Outcome:
    return candidate.vjp("forward", "backward", point, list(douts), **asked)


def test_gradients_are_those_of_autograd() -> None:
    candidate, point = candidate_of(lambda x, w: (x * w).sin(), X, D)
    outcome = vjp(candidate, point, D, 2 * D)
    assert torch.equal(outcome.value[0], (X * D).sin())
    assert torch.equal(outcome.value[1][0][0], D * (X * D).cos() * D)
    assert torch.equal(outcome.value[1][1][1], 2 * D * (X * D).cos() * X)
    assert (outcome.ok, outcome.changed, outcome.spoilt, outcome.aliases) == (True, (), (), ())
    assert (candidate.functions(), candidate.loaded().ok) == (("forward", "backward"), True)


def test_one_graph_serves_all_cotangents_and_a_repeat_takes_a_second_run() -> None:
    runs: list[int] = []

    def fn(x: Tensor) -> Any:
        runs.append(1)
        return x.exp()

    candidate, point = candidate_of(fn, X)
    vjp(candidate, point)
    assert len(runs) == 1
    vjp(candidate, point, D, 2 * D)
    assert len(runs) == 1
    vjp(candidate, point, D, 2 * D, D)
    assert len(runs) == 2
    known = vjp(candidate, point, D, share_cache=True)
    assert len(runs) == 2
    assert torch.equal(known.value[1][0][0], D * X.exp())
    vjp(candidate, Point({"x": 2 * X}), D)
    assert len(runs) == 3


def test_a_forward_that_differs_from_run_to_run_is_seen() -> None:
    calls: list[int] = []

    def fn(x: Tensor) -> Any:
        calls.append(1)
        return x * len(calls)

    candidate, point = candidate_of(fn, X)
    first = vjp(candidate, point).value[0]
    assert not torch.equal(vjp(candidate, point, D, 2 * D, D).value[0], first)


class Spoils(torch.autograd.Function):
    """A backward that overwrites the nan of its cotangent."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Tensor:
        dout.nan_to_num_()
        return 2 * dout


def test_a_nan_of_the_cotangent_that_is_overwritten_is_a_change() -> None:
    candidate, point = candidate_of(Spoils.apply, X)
    assert vjp(candidate, point, torch.tensor([math.nan, 1.0, 2.0], dtype=torch.float64)).spoilt == ("dout",)
    assert vjp(candidate, point, D).spoilt == ()


def test_a_changed_input_is_named_and_the_point_is_left_alone() -> None:
    def fn(x: Tensor, w: Tensor) -> Any:
        with torch.no_grad():
            w.nan_to_num_()
        return x * 2

    called = callee(fn, [X.clone().requires_grad_(), X.clone().requires_grad_()])
    candidate = TorchCallable(Wrapped(called), called.body, reseed)
    point = Point({"x": X, "w": torch.tensor([math.nan, 1.0, 2.0], dtype=torch.float64)})
    assert vjp(candidate, point, D).changed == ("w",)
    # running statistics are there to be written: an input that needs no gradient is restored, and no finding
    buffer = callee(fn, [X.clone().requires_grad_(), X.clone()])
    assert vjp(TorchCallable(Wrapped(buffer), buffer.body, reseed), point, D).changed == ()
    candidate.sweep("forward", [point])
    assert math.isnan(point.primals["w"][0])


def test_inputs_keep_their_strides() -> None:
    seen: list[tuple[int, ...]] = []

    def fn(x: Tensor) -> Any:
        seen.append(x.stride())
        return x * 2

    wide = torch.arange(24.0, dtype=torch.float64).reshape(4, 6)[:, ::2]
    candidate, point = candidate_of(fn, wide)
    vjp(candidate, point, torch.ones(4, 3, dtype=torch.float64))
    assert seen == [(6, 2)]


def test_an_exception_is_a_failure() -> None:
    def fn(x: Tensor) -> Any:
        raise NotImplementedError

    outcome = vjp(*candidate_of(fn, X), D)
    assert outcome == Outcome(failure=Failure(Cause.NOT_IMPLEMENTED, "", "NotImplementedError"))


def test_the_tape_is_the_functions_own_where_it_has_a_backward_of_its_own() -> None:
    class Wrong(Spoils):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x**2

    candidate, point = candidate_of(Wrong.apply, X)
    vjp(candidate, point, D)
    assert torch.equal(candidate.taped("forward", point, D, ["x"]).value[0], 2 * X * D)
    candidate, point = candidate_of(torch.sin, X)
    assert candidate.taped("forward", point, D, ["x"]) == Outcome(
        failure=Failure(Cause.MISSING, "the backward is the tape itself")
    )


def test_of_an_output_takes_part_what_has_a_gradient() -> None:
    candidate, point = candidate_of(lambda x: (x * 2, x + 1, x.detach(), 3), X)
    first, second, *others = vjp(candidate, point).value[0]
    assert torch.equal(first, 2 * X)
    assert torch.equal(second, X + 1)
    assert others == [None, None]  # neither has a gradient


def test_branches_asked_for_are_remembered() -> None:
    candidate, point = candidate_of(torch.relu, X)
    candidate.sweep("forward", [point])
    assert not candidate.doubted
    ((out, mark),) = candidate.sweep("forward", [point], signatures=True).value
    assert torch.equal(out, X.relu())
    assert isinstance(mark, bytes)
    assert candidate.doubted


def test_a_function_that_differentiates_inside_is_swept_with_gradients_on() -> None:
    def fn(x: Tensor) -> Any:
        with torch.enable_grad():
            root = x if x.requires_grad else x.detach()
            return torch.autograd.grad((root**3).sum(), root, create_graph=True)[0]

    candidate, point = candidate_of(fn, X)
    rows = candidate.sweep("forward", [point] * 2).value
    assert all(torch.allclose(out, 3 * X**2) and not out.requires_grad for out, _ in rows)
