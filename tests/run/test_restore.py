"""What a check leaves behind: nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

import autograd_check as ac
from autograd_check.run.restore import reached, same_start

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()


def test_random_numbers_go_on_where_they_were() -> None:
    torch.random.set_rng_state(torch.Generator().manual_seed(5).get_state())
    expected = torch.rand(3, generator=torch.Generator().manual_seed(5))
    ac.gradcheck(lambda x: F.dropout(x, 0.5), (X,))
    assert torch.equal(torch.rand(3), expected)


def test_running_statistics_in_a_closure_are_put_back() -> None:
    layer = nn.BatchNorm1d(4).double()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    assert ac.gradcheck(lambda x: layer(x) * 2, (X,), check_batched_grad=True)
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_modules_are_found_wherever_a_function_keeps_them() -> None:
    layer = nn.Linear(2, 2)
    assert list(reached(layer)) == [layer]
    assert list(reached(layer.forward)) == [layer]
    assert list(reached(lambda x: layer(x))) == [layer]
    assert list(reached(partial(lambda m, x: m(x), layer))) == [layer]
    assert list(reached(torch.sin)) == []


def test_a_rewind_repeats_random_numbers_and_buffers() -> None:
    layer = nn.BatchNorm1d(4).double()
    with same_start(layer) as rewind:
        rewind()
        first = torch.rand(2)
        layer(X)
        rewind()
        assert torch.equal(torch.rand(2), first)
        assert torch.equal(layer.get_buffer("running_mean"), torch.zeros(4, dtype=torch.float64))


def test_inputs_and_their_gradients_are_left_alone() -> None:
    x = X.detach().clone().requires_grad_()
    before = x.detach().clone()
    ac.gradcheck(lambda x: x.sin(), (x,))
    assert torch.equal(x, before)
    assert x.grad is None


def test_the_parameters_of_a_module_are_checked_too() -> None:
    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            x, w = ctx.saved_tensors
            return grad * w, 2 * (grad * x).sum(0)

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.arange(1.0, 5.0, dtype=torch.float64))

        def forward(self, x: Any) -> Any:
            return Scale.apply(x, self.w)

    report = ac.gradcheck(Layer(), (X,), raise_exception=False)
    assert [f.subject for f in report.findings if f.status is ac.Status.FAILED] == ["dw"]
