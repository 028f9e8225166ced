"""Points evaluated one by one or all at once: whatever is chosen, the values are the function's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.run import batch as sweeping
from autograd_check.run.batch import Batch, BatchedSweep, sweep
from autograd_check.verify.candidate import Point
from autograd_check.verify.rays import Bundle, Walk, draw_rays
from autograd_check.verify.slope import Pairing


@pytest.fixture(autouse=True)
def _always_worth_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "LONG", 0.0)
    monkeypatch.setattr(sweeping, "perf_counter", iter(range(10**6)).__next__)


def walk(count: int = 8) -> Walk:
    g = torch.Generator().manual_seed(0)
    point = Point(
        {"x": torch.randn(3, 4, generator=g, dtype=torch.float64), "w": torch.randn(4, generator=g, dtype=torch.float64)}
    )
    lines = draw_rays(point.primals, ["x", "w"], ("uniform",), g)
    return Walk(point, [(lines[k % 2], 2.0**-k) for k in range(count)])


def smooth(x: Tensor, w: Tensor) -> Any:
    return (x * w).sin(), x.sum()


def assigns(x: Tensor, w: Tensor) -> Tensor:
    out = torch.zeros(3, dtype=x.dtype)
    for row in range(3):
        out[row] = x[row] @ w
    return out


def branches(x: Tensor, w: Tensor) -> Tensor:
    return x.exp() if x.sum() > 0 else x * w


def leaves_torch(x: Tensor, w: Tensor) -> Tensor:
    return torch.from_numpy(x.numpy() * 2)


def depends_on_the_batch(x: Tensor, w: Tensor) -> Tensor:
    return x * (2 if torch._C._functorch.is_batchedtensor(x) else 1)


@pytest.mark.parametrize(
    ("forward", "batched"),
    [(smooth, True), (assigns, False), (branches, False), (leaves_torch, False), (depends_on_the_batch, False)],
)
def test_a_batch_is_used_where_the_function_allows_it_and_only_there(forward: Callable[..., Any], batched: bool) -> None:
    points = walk()
    swept = BatchedSweep()
    for _ in range(2):
        for (got, mark), (want, _) in zip(swept(forward, points, False), sweep(forward, points), strict=True):
            torch.testing.assert_close(got, want, rtol=1e-14, atol=1e-14)
            assert mark is None
        assert swept.batched is batched


def test_the_first_points_are_evaluated_one_by_one_and_all_in_one_batch() -> None:
    points = walk()
    calls: list[bool] = []

    def forward(x: Tensor, w: Tensor) -> Tensor:
        calls.append(torch._C._functorch.is_batchedtensor(x))
        return (x * w).sin()

    rows = BatchedSweep()(forward, points, False)
    assert calls == [False, False, True]
    assert len(rows) == len(points)
    for (got, _), point in zip(rows, points, strict=True):
        torch.testing.assert_close(got, (point.primals["x"] * point.primals["w"]).sin(), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(("each", "batch", "batched"), [(1, 3, True), (1, 5, False), (0.1, 0.1, None)])
def test_a_batch_is_kept_where_it_takes_less_than_the_points_would(
    each: float, batch: float, batched: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two points take `each`, so all eight would take four times that; nothing that takes half a second is worth a try, or decides."""
    times = iter([0, each, each, each + batch])
    monkeypatch.setattr(sweeping, "LONG", 0.5)
    monkeypatch.setattr(sweeping, "perf_counter", times.__next__)
    swept = BatchedSweep()
    swept(smooth, walk(), False)
    assert swept.batched is batched
    assert len(list(times)) == (2 if each == 0.1 else 0)


@pytest.mark.parametrize("times", [1, 20])  # a few entries, and more than python's own numbers add up
def test_differences_of_a_batch_are_those_of_its_rows(times: int) -> None:
    points = walk()
    columns = [(point.primals["x"] * point.primals["w"]).sin().repeat(times, 1) for point in points]
    sums = [point.primals["x"].sum() for point in points]
    batch = Batch((columns[0], sums[0]), [torch.stack(columns), torch.stack(sums)])
    rows = list(zip(zip(columns, sums, strict=True), [None] * len(points), strict=True))
    dout = (torch.randn(3 * times, 4, dtype=torch.float64), torch.randn((), dtype=torch.float64))
    pairing = Pairing((columns[0], sums[0]), dout)
    wanted = [
        float((dout[0] * (columns[k] - columns[k + 1])).sum() + dout[1] * (sums[k] - sums[k + 1]))
        for k in range(0, len(points), 2)
    ]
    for given in (batch, rows):
        assert pairing.alternating(given) == pytest.approx(wanted, rel=1e-12, abs=1e-15 * times)
    torch.testing.assert_close(batch[3][0][0], columns[3])
    assert [float(out[1]) for out, _ in batch[2:4]] == [float(value) for value in sums[2:4]]


def test_a_batch_of_another_shape_has_no_differences() -> None:
    pairing = Pairing(torch.zeros(3), torch.ones(3))
    assert all(math.isnan(value) for value in pairing.alternating(Batch(torch.zeros(4), [torch.zeros(6, 4)])))


def test_the_decision_is_made_once() -> None:
    tried: list[bool] = []

    def forward(x: Tensor, w: Tensor) -> Tensor:
        tried.append(torch._C._functorch.is_batchedtensor(x))
        return torch.tensor(float(x.sum()), dtype=x.dtype)

    swept = BatchedSweep()
    for _ in range(3):
        swept(forward, walk(), False)
    assert tried.count(True) == 1


def test_signatures_are_recorded_one_by_one() -> None:
    rows = BatchedSweep()(lambda x, w: (x * w).relu(), walk(), True)
    assert len({mark for _, mark in rows}) >= 1
    assert all(isinstance(mark, bytes) and mark for _, mark in rows)


def test_a_stack_holds_the_points_of_a_walk() -> None:
    points = walk()
    stacked = sweeping._stacked(points)
    assert stacked is not None
    values, axes = stacked
    assert axes == [0, 0]
    for place, point in enumerate(points):
        assert torch.equal(values[0][place], point.primals["x"])
        assert torch.equal(values[1][place], point.primals["w"])


def test_a_stack_holds_the_points_of_a_walk_on_which_all_tensors_move() -> None:
    point = walk().origin
    rays = draw_rays(point.primals, ["x", "w"], ("uniform",), torch.Generator().manual_seed(0))
    points = Walk(point, [(Bundle(tuple(rays), ()), 0.5), (None, 0.0), (rays[0], 0.25)])
    stacked = sweeping._stacked(points)
    assert stacked is not None
    for place, moved in enumerate(points):
        assert torch.equal(stacked[0][0][place], moved.primals["x"])
        assert torch.equal(stacked[0][1][place], moved.primals["w"])
    assert not torch.equal(stacked[0][1][0], point.primals["w"])


def test_a_point_where_the_function_raises_has_no_value() -> None:
    def picky(x: Tensor, w: Tensor) -> Tensor:
        if float(w[0]) != float(walk()[0].primals["w"][0]):
            raise ValueError("not here")
        return x

    rows = BatchedSweep()(picky, walk(), False)
    assert [out is None for out, _ in rows] == [k % 2 == 1 for k in range(8)]
