"""Probes: near misses are found, kinks are stepped off, and what cannot be known is said to be inconclusive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import autograd_check as ac
from autograd_check.run.batch import sweep
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import Status
from autograd_check.verify.verdict import Gradients, Probe, ProbeResult


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def probe(
    forward: Callable[..., Any],
    primals: Mapping[str, Any],
    grads: Callable[..., Mapping[str, Any]],
    dout: Any,
    wrt: tuple[str, ...] = ("x",),
    seed: int = 0,
) -> dict[str, ProbeResult]:
    def ask(points: Any, signatures: bool) -> Any:
        return sweep(forward, points, signatures=signatures)

    def elsewhere(point: Point) -> Gradients:
        return Gradients(grads(*point.primals.values()))

    return Probe(ask, Point(primals), dout, wrt, seed).verdicts(elsewhere(Point(primals)), elsewhere)


@pytest.mark.parametrize(("factor", "status"), [(2.0, Status.PASSED), (2.001, Status.FAILED), (2.0000001, Status.FAILED)])
def test_two_is_told_from_nearly_two(factor: float, status: Status) -> None:
    dout = normal(5, seed=1)
    found = probe(lambda x: x * x, {"x": normal(5)}, lambda x: {"x": factor * x * dout}, dout)["x"]
    assert found.status is status
    assert found.resolution < 1e-8


@pytest.mark.parametrize("error", [1e-3, 1e-5, 1e-7])
def test_one_wrong_entry_is_found(error: float) -> None:
    x, dout = normal(40, 25), normal(40, 25, seed=1)
    for seed in range(5):
        place = torch.zeros(40, 25, dtype=torch.float64)
        place[seed, 3 * seed] = error
        found = probe(torch.sin, {"x": x}, lambda x, place=place: {"x": x.cos() * dout + place}, dout, seed=seed)["x"]
        assert found.status is Status.FAILED


def test_errors_that_cancel_in_the_sum_are_found() -> None:
    x, dout = normal(12).abs() + 1, torch.ones(12, dtype=torch.float64)
    cancelling = torch.zeros(12, dtype=torch.float64)
    cancelling[2], cancelling[7] = 1e-3, -1e-3
    for seed in range(40):
        found = probe(lambda x: x**3, {"x": x}, lambda x: {"x": 3 * x * x + cancelling}, dout, seed=seed)["x"]
        assert found.status is Status.FAILED


def test_a_small_tensor_is_not_drowned_by_a_large_one() -> None:
    x, b, dout = 1e4 * normal(50, 40), normal(40, seed=1), normal(50, 40, seed=2)
    found = probe(lambda x, b: x + b, {"x": x, "b": b}, lambda x, b: {"x": dout, "b": dout.sum(0) * 1.0001}, dout, ("x", "b"))
    assert found["x"].status is Status.PASSED
    assert found["b"].status is Status.FAILED


def asked(
    forward: Callable[..., Any], primals: Mapping[str, Any], grads: Mapping[str, Any]
) -> tuple[list[int], dict[str, Status]]:
    """How many points each request had, and the verdicts."""
    requests: list[int] = []

    def ask(points: Any, signatures: bool) -> Any:
        requests.append(len(points))
        return sweep(forward, points, signatures=signatures)

    dout = torch.ones_like(forward(*primals.values()))
    base = forward(*primals.values())
    found = Probe(ask, Point(primals), dout, tuple(grads), 0, base).verdicts(Gradients(grads), lambda _: None)
    return requests, {name: result.status for name, result in found.items()}


def test_tensors_that_are_all_right_are_measured_at_once() -> None:
    primals = {name: normal(4, seed=place) for place, name in enumerate("abcde")}
    grads = {name: x.cos() for name, x in primals.items()}
    requests, statuses = asked(lambda *xs: sum(x.sin() for x in xs), primals, grads)
    assert set(statuses.values()) == {Status.PASSED}
    assert requests == [6]


def test_what_rounding_drowns_is_measured_with_larger_steps_at_once() -> None:
    primals = {"a": normal(4), "b": normal(4, seed=1)}
    grads = {"a": primals["a"].cos(), "b": 0.01 * primals["b"].cos()}
    requests, statuses = asked(lambda a, b: a.sin() + 0.01 * b.sin(), primals, grads)
    assert set(statuses.values()) == {Status.PASSED}
    assert requests == [12]  # three larger steps of one ray, which rounding is known to drown at small ones


def test_one_tensor_that_disagrees_is_found_by_halves() -> None:
    primals = {f"x{place}": normal(4, seed=place) for place in range(16)}
    grads = {name: x.cos() * (1.01 if name == "x11" else 1) for name, x in primals.items()}
    requests, statuses = asked(lambda *xs: torch.stack([x.sin() for x in xs]).sum(0), primals, grads)
    assert [name for name, status in statuses.items() if status is Status.FAILED] == ["x11"]
    assert requests[:5] == [6, 12, 12, 12, 12]  # sixteen, and then two halves each time


def test_an_even_function_at_zero_is_not_constant() -> None:
    x = torch.zeros(3, dtype=torch.float64)
    found = probe(lambda x: x.abs(), {"x": x}, lambda x: {"x": x.sign()}, torch.ones(3, dtype=torch.float64))["x"]
    assert found.status is Status.PASSED
    assert found.moved


@pytest.mark.parametrize(("factor", "status"), [(0.0, Status.PASSED), (1e-9, Status.FAILED)])
def test_a_gradient_of_zero_beside_others_is_checked(factor: float, status: Status) -> None:
    primals = {"a": normal(4), "b": normal(4, seed=1), "c": normal(4, seed=2)}
    zero = torch.zeros(4, dtype=torch.float64)
    grads = {"a": primals["a"].cos(), "b": zero, "c": zero}
    _, statuses = asked(lambda a, b, c: a.sin() + factor * b.sin(), primals, grads)
    assert statuses == {"a": Status.PASSED, "b": status, "c": Status.PASSED}


def test_a_tensor_of_a_nest_has_a_line_of_its_own() -> None:
    params = [(1e3 * normal(30, 20), normal(20, seed=1)), (normal(20, 2, seed=2), normal(2, seed=3))]
    dout = normal(4, 2, seed=5)

    def grads(params: Any) -> dict[str, Any]:
        roots = [tuple(p.clone().requires_grad_() for p in layer) for layer in params]
        flat = iter(torch.autograd.grad((forward(roots) * dout).sum(), [p for layer in roots for p in layer]))
        return {"params": [tuple(next(flat) for _ in layer) for layer in roots]}

    x = normal(4, 30, seed=4)

    def forward(params: Any) -> Tensor:
        (w, b), (v, c) = params
        return (x @ w + b).tanh() @ v + c

    def spoiled(params: Any) -> dict[str, Any]:
        (dw, db), (dv, dc) = grads(params)["params"]
        return {"params": [(dw, db), (dv, dc * 1.001)]}

    assert probe(forward, {"params": params}, grads, dout, ("params",))["params"].status is Status.PASSED
    wrong = probe(forward, {"params": params}, spoiled, dout, ("params",))["params"]
    assert (wrong.status, wrong.leaf) == (Status.FAILED, 3)


def test_on_a_kink_the_point_is_moved_and_the_result_says_so() -> None:
    x = normal(30)
    x[:10] = 0.0
    dout = normal(30, seed=1)
    right = probe(torch.relu, {"x": x}, lambda x: {"x": dout * (x > 0)}, dout)["x"]
    assert (right.status, right.moved) == (Status.PASSED, True)
    wrong = probe(torch.relu, {"x": x}, lambda x: {"x": dout * (x > -0.5)}, dout)["x"]
    assert wrong.status is Status.FAILED


def test_kinks_whose_bends_cancel_are_kinks() -> None:
    """relu(x) − relu(−x) is x, and autograd's slope of it at 0 is 0 by convention: no difference speaks against that."""
    x, dout = normal(30), normal(30, seed=1)
    x[:10] = 0.0
    for seed in range(5):
        found = probe(lambda x: torch.relu(x) - torch.relu(-x), {"x": x}, lambda x: {"x": dout * (x != 0)}, dout, seed=seed)["x"]
        assert (found.status, found.moved) == (Status.PASSED, True)


def test_a_kink_that_torch_cannot_see_is_stepped_off_as_well() -> None:
    def forward(x: Tensor) -> Tensor:
        return torch.from_numpy(np.maximum(x.numpy(), 0.0))

    x = normal(12)
    x[3] = 0.0
    dout = normal(12, seed=1)
    found = probe(forward, {"x": x}, lambda x: {"x": dout * (x > 0)}, dout)["x"]
    assert (found.status, found.moved) == (Status.PASSED, True)


def test_noise_above_the_signal_is_inconclusive_and_not_failed() -> None:
    calls = iter(range(10**6))

    def noisy(x: Tensor) -> Tensor:
        return x.sin() + 0.1 * torch.rand(x.shape, generator=torch.Generator().manual_seed(next(calls)), dtype=x.dtype)

    dout = torch.ones(6, dtype=torch.float64)
    found = probe(noisy, {"x": 1e-3 * normal(6)}, lambda x: {"x": x.cos()}, dout)["x"]
    assert found.status is Status.INCONCLUSIVE
    assert found.reason


def test_a_forward_that_does_not_run_is_inconclusive() -> None:
    def broken(x: Tensor) -> Tensor:
        raise RuntimeError("no")

    found = probe(broken, {"x": normal(3)}, lambda x: {"x": x}, normal(3))["x"]
    assert (found.status, found.reason) == (Status.INCONCLUSIVE, "the forward does not run here")


def test_a_gradient_that_is_not_finite_is_failed() -> None:
    dout = torch.ones(3, dtype=torch.float64)
    found = probe(torch.sin, {"x": normal(3)}, lambda x: {"x": x * torch.nan}, dout)["x"]
    assert (found.status, found.reason) == (Status.FAILED, "the gradient is not finite")


def test_several_outputs_integers_and_entries_at_infinity() -> None:
    index = torch.tensor([2, 0, 1])

    def forward(x: Tensor, index: Tensor) -> Any:
        return x[index].exp(), (x * x).sum(), index * 2

    dout = (normal(3, seed=1), normal(seed=2), torch.zeros(3))
    x = normal(4)
    x[3] = float("-inf")

    def grads(x: Tensor, index: Tensor) -> dict[str, Tensor]:
        g = 2 * torch.nan_to_num(x, neginf=0.0) * 0
        return {"x": g.index_add(0, index, dout[0] * x[index].exp())}

    assert probe(forward, {"x": x, "index": index}, grads, dout)["x"].status is Status.PASSED


def test_complex_gradients_follow_torchs_convention() -> None:
    z = torch.complex(normal(6), normal(6, seed=1))
    dout = torch.complex(normal(6, seed=2), normal(6, seed=3))
    right = probe(lambda z: z * z, {"z": z}, lambda z: {"z": dout * (2 * z).conj()}, dout, ("z",))["z"]
    assert right.status is Status.PASSED
    wrong = probe(lambda z: z * z, {"z": z}, lambda z: {"z": dout * 2 * z}, dout, ("z",))["z"]
    assert wrong.status is Status.FAILED


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    dout = normal(*shape, seed=1)
    assert probe(torch.exp, {"x": normal(*shape)}, lambda x: {"x": dout * x.exp()}, dout)["x"].status is Status.PASSED


def test_a_function_that_rounds_to_float32_inside_is_judged_by_its_own_noise() -> None:
    def forward(x: Tensor) -> Tensor:
        return x.float().exp().double()

    dout = normal(8, seed=1)
    right = probe(forward, {"x": normal(8)}, lambda x: {"x": dout * x.exp()}, dout)["x"]
    assert right.status is Status.PASSED
    assert right.resolution > 1e-7
    wrong = probe(forward, {"x": normal(8)}, lambda x: {"x": dout * x.exp() * 1.01}, dout)["x"]
    assert wrong.status is Status.FAILED


def test_an_oscillation_that_no_step_resolves_is_inconclusive() -> None:
    x, dout = torch.tensor(1.54, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    found = probe(lambda x: (1e4 * x).square().sin(), {"x": x}, lambda x: {"x": 2e8 * x * (1e4 * x).square().cos()}, dout)["x"]
    assert found.status is Status.INCONCLUSIVE


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_a_hidden_float_in_a_double_function_is_exposed_and_no_wrong_gradient(where: str) -> None:
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.float().exp().double() if where == "forward" else x.exp()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return grad * (x.float().exp().double() if where == "backward" else x.exp())

    report = ac.gradcheck(Exp.apply, (normal(12).requires_grad_(),), raise_exception=False)
    (finding,) = [f for f in report.findings if f.status is Status.FAILED]
    assert finding.diagnosis is not None
    assert (finding.check, finding.diagnosis.cause) == ("keeps float64", "wrong_dtype")


def test_zeros_of_several_tensors_beside_a_jump_are_settled_together() -> None:
    """At the largest step some entries are rounded to another integer; a smaller one stays on the piece, and nothing moves there."""
    primals = {"a": normal(4), "b": normal(4, seed=1), "c": normal(4, seed=2)}
    primals |= {name: primals[name].round() + 0.49 for name in "bc"}
    zero = torch.zeros(4, dtype=torch.float64)
    requests, statuses = asked(
        lambda a, b, c: a.sin() + b.round() + c.round(), primals, {"a": primals["a"].cos(), "b": zero, "c": zero}
    )
    assert set(statuses.values()) == {Status.PASSED}
    assert requests[0] == 10  # six points for a, and four for the others
    assert 6 in requests[1:]
    assert set(requests[1:]) <= {1, 2, 6}  # branches at the point and at both ends, and three smaller steps: all tensors at once
