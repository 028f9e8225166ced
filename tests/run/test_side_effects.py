"""What a call did besides its value: all executors say the same about it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from autograd_check.run.side_effects import changed_paths, gradient_overlaps
from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.tensors import equal_bits

Open = Callable[[str], PairCandidate]

PAIR = """
import torch

def forward(x, w, b):
    out = x @ w + b
    return out, (x, w, torch.ones(x.shape[0], 1, dtype=x.dtype))

def backward(dout, cache):
    x, w, ones = cache
    dx, dw, db = dout @ w.T, x.T @ dout, dout.sum(0)
    {}
    return dx, dw, db
"""
BIAS_AS_A_WEIGHT = "stacked = torch.cat([x, ones], 1).T @ dout\n    dw, db = stacked[:-1], stacked[-1]"


@pytest.mark.parametrize(
    ("code", "aliases"),
    [
        (BIAS_AS_A_WEIGHT, ()),
        ("dx, dw = dw.T, dw.T[:, :2]", ("dw shares memory with dx",)),
        ("block = torch.zeros(4, 6, dtype=x.dtype)\n    dx, dw = block[::2], block[1::2]", ()),
        ("block = torch.zeros(4, 6, dtype=x.dtype)\n    dx, dw = block[::2], block[1:]", ("dw shares memory with dx",)),
        ("dw = w", ("dw shares memory with w",)),
        ("dx = dout", ()),
        ("dx = dw = dout", ("dw shares memory with dx",)),
        ("import numpy\n    dx = torch.from_numpy(dw.numpy()[1:])", ("dw shares memory with dx",)),
    ],
)
def test_gradients_that_share_memory(open_pair: Open, point: Point, dout: Tensor, code: str, aliases: tuple[str, ...]) -> None:
    """Two views of one array that have no byte in common are two gradients; one that is dout itself is nobody else's."""
    outcome = open_pair(PAIR.format(code)).vjp("forward", "backward", point, [dout, dout], wrt=("x", "w", "b"))
    assert outcome.ok
    assert outcome.aliases == aliases


def test_gradients_are_named_after_the_primals_that_have_one(open_pair: Open) -> None:
    source = "def forward(x, y, w, b): return x * w + b - y, (x, w)\ndef backward(dout, cache): return cache[1], (dout * cache[0]).sum()\n"
    numbers = torch.ones(3, dtype=torch.float64)
    point = Point({"x": 1 * numbers, "y": 2 * numbers, "w": 3 * numbers, "b": numbers[0]})
    outcome = open_pair(source).vjp("forward", "backward", point, [numbers], wrt=("w", "b"))
    assert outcome.aliases == ("dw shares memory with w",)


def test_gradients_that_do_not_fit_are_numbered() -> None:
    x = torch.ones(2)
    assert gradient_overlaps((x, x, x), {"x": x}, ("x",)) == [
        "gradient 0 shares memory with x",
        "gradient 1 shares memory with x",
        "gradient 1 shares memory with gradient 0",
        "gradient 2 shares memory with x",
        "gradient 2 shares memory with gradient 0",
        "gradient 2 shares memory with gradient 1",
    ]


def test_a_gradient_in_a_nest_has_its_path() -> None:
    w, params = torch.ones(2), [(torch.ones(2), torch.ones(2))] * 2
    grads = [(torch.ones(2), w), (torch.ones(2), w)]
    assert gradient_overlaps(grads, {"params": params}, ("params",)) == ["dparams[1][1] shares memory with dparams[0][1]"]
    assert gradient_overlaps((w, grads), {"x": w.clone(), "params": params}, ("x", "params")) == [
        "dparams[0][1] shares memory with dx",
        "dparams[1][1] shares memory with dx",
        "dparams[1][1] shares memory with dparams[0][1]",
    ]


@pytest.mark.parametrize(
    ("forward", "backward", "changed", "spoilt"),
    [
        ("pass", "cache.nan_to_num_()", (), ("x",)),
        ("x.nan_to_num_()", "pass", ("x",), ()),
        ("pass", "dout[0] = 0.0", (), ("dout",)),
        ("x[1:] *= 1.0", "dout[0] = float('nan')", (), ()),
        ("pass", "cache[0] = 0.0", (), ("x",)),
        ("x[1] += 1", "cache[1] -= 1", ("x",), ()),
    ],
)
def test_what_was_changed_in_place(
    open_pair: Open, forward: str, backward: str, changed: tuple[str, ...], spoilt: tuple[str, ...]
) -> None:
    """A nan that is overwritten is a change, and one that stays is none."""
    source = (
        f"def forward(x):\n    {forward}\n    return x * 2, x\ndef backward(dout, cache):\n    {backward}\n    return 2 * dout\n"
    )
    x = torch.tensor([math.nan, 1.0, 2.0], dtype=torch.float64)
    dout = torch.tensor([math.nan, 1.0, -1.0], dtype=torch.float64)
    outcome = open_pair(source).vjp("forward", "backward", Point({"x": x}), [dout])
    assert outcome.ok
    assert (outcome.changed, outcome.spoilt) == (changed, spoilt)
    assert equal_bits(x, torch.tensor([math.nan, 1.0, 2.0], dtype=torch.float64))


def test_an_input_may_be_the_output(open_pair: Open) -> None:
    source = "def forward(x): return x, x\ndef backward(dout, cache):\n    cache.zero_()\n    return dout\n"
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    outcome = open_pair(source).vjp("forward", "backward", Point({"x": x}), [x, x])
    assert torch.equal(outcome.value[0], x)
    assert (outcome.changed, outcome.spoilt, outcome.aliases) == ((), ("x",), ())


def test_a_cache_that_a_backward_changes_is_its_own_unless_shared(open_pair: Open) -> None:
    source = (
        "def forward(x): return 2 * x, [2.0]\ndef backward(dout, cache):\n    cache[0] *= 3\n    return dout * cache[0] / 3\n"
    )
    x = torch.tensor([1.0], dtype=torch.float64)
    candidate = open_pair(source)
    alone = candidate.vjp("forward", "backward", Point({"x": x}), [x, x])
    shared = candidate.vjp("forward", "backward", Point({"x": x}), [x, x], share_cache=True)
    assert [float(gradient) for gradient in alone.value[1]] == [2.0, 2.0]
    assert [float(gradient) for gradient in shared.value[1]] == [2.0, 6.0]


def test_a_buffer_that_is_filled_again_does_not_change_what_it_held(open_pair: Open) -> None:
    source = (
        "import torch\nout, dx = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)\n"
        "def forward(x): return torch.mul(x, 2, out=out), None\ndef backward(dout, cache): return torch.mul(dout, 2, out=dx)\n"
    )
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    candidate = open_pair(source)
    outcome = candidate.vjp("forward", "backward", Point({"x": x}), [x, 3 * x])
    assert [gradient.tolist() for gradient in outcome.value[1]] == [[2.0, 4.0], [6.0, 12.0]]
    for count in (1, 2, 6):
        rows = candidate.sweep("forward", [Point({"x": k * x}) for k in range(count)]).value
        assert [out.tolist() for out, _ in rows] == [[2.0 * k, 4.0 * k] for k in range(count)]


def test_arguments_keep_their_strides(open_pair: Open) -> None:
    source = (
        "import torch\ndef forward(x): return x + 0, x\ndef backward(dout, x): return torch.tensor([x.stride(), dout.stride()])\n"
    )
    x = torch.arange(24.0, dtype=torch.float64).reshape(4, 6)
    outcome = open_pair(source).vjp("forward", "backward", Point({"x": x[:, ::2]}), [x.mT[::3, :]])
    assert outcome.value[1][0].tolist() == [[6, 2], [3, 6]]


def test_items_that_are_gone_are_a_change() -> None:
    x = torch.ones(1)
    assert changed_paths("x", [x, x], [x, x]) == []
    assert changed_paths("x", [x, x], [x]) == ["x"]
    assert changed_paths("x", [x, {"a": x}], [x, {"a": 2 * x}]) == ["x[1].a"]
    assert changed_paths("x", [x, 1], [x, 2]) == []
