"""Everything new is made on the device of what it belongs to: nothing relies on the default one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode

import autograd_check as ac
from tests.kernel.one_precision import KERNELS

FACTORIES = {
    getattr(torch, name)
    for name in [
        "empty",
        "zeros",
        "ones",
        "full",
        "arange",
        "linspace",
        "eye",
        "tensor",
        "as_tensor",
        "rand",
        "randn",
        "randint",
        "randperm",
        "empty_strided",
    ]
}


class Refuses(TorchFunctionMode):
    """A machine on which nobody may make a tensor without saying where."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if func in FACTORIES and named.get("device") is None and "out" not in named:
            raise RuntimeError(f"{func.__name__} was called without a device")
        return func(*args, **named)


def tensor(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=dtype, device="cpu").requires_grad_()


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Tensor:
        return 3.001 * dout * ctx.saved_tensors[0] ** 2


CALLS: dict[str, Callable[[], Any]] = {
    "right": lambda: ac.gradcheck(torch.matmul, (tensor(4, 3), tensor(3, 2)), check_forward_ad=True, check_batched_grad=True),
    "kinks": lambda: ac.gradcheck(
        torch.relu, torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64, device="cpu", requires_grad=True)
    ),
    "complex": lambda: ac.gradcheck(lambda z, x: z.exp() * x, (tensor(3, dtype=torch.complex128), tensor(3))),
    "second derivatives": lambda: ac.gradgradcheck(torch.tanh, tensor(4)),
    "float32": lambda: ac.gradcheck(torch.tanh, tensor(4, dtype=torch.float32)),
    "sparse": lambda: ac.gradcheck(lambda s: s.to_dense() ** 2, tensor(4, 3).detach().to_sparse().requires_grad_(), masked=True),
    "wrong": lambda: ac.gradcheck(Cube.apply, tensor(4), raise_exception=False).status is ac.Status.FAILED,
    "leave": lambda: ac.gradcheck(Cube.apply, tensor(4), rtol=1e-2),
    "a kernel of one precision": lambda: ac.gradcheck(
        KERNELS["swiglu"].function(torch.float16), KERNELS["swiglu"].inputs(torch.float16, 0)
    ),
    "its definition": lambda: ac.compare(
        KERNELS["swiglu"].function(torch.float16), KERNELS["swiglu"].definition, KERNELS["swiglu"].inputs(torch.float16, 0)
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_made_without_a_device(name: str) -> None:
    with Refuses():
        assert CALLS[name]()
