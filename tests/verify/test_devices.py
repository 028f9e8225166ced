"""Everything new is made on the device of what it belongs to: nothing relies on the default one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

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


# --- A device that is not there --------------------------------------------------------------------------------------

ELSEWHERE = torch.device("meta")


class There(Tensor):
    """A tensor of the CPU that says it lives elsewhere."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # as torch's own subclasses do

    @staticmethod
    def __new__(cls, held: Tensor) -> There:
        there: There = Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=ELSEWHERE
        )
        there.held = held
        return there

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def tolist(self) -> Any:
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch declares another form than it calls
        cls, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return run_there(func, args, kwargs or {})


def run_there(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """An operation, as a machine with two memories runs it: refused where arrays of both meet, unless it copies."""
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    away = [x for x in given if isinstance(x, There)]
    if away and any(x.dim() for x in given if not isinstance(x, There)) and "copy" not in func._schema.name:
        raise RuntimeError(f"{func}: tensors on two devices")
    if func is torch.ops.aten._conj.default:  # a bit that the operators this far down do not look at
        func = torch.ops.aten.conj_physical.default
    device = kwargs.get("device")
    named = kwargs if device is None else {**kwargs, "device": torch.device("cpu")}
    out = func(*tree_map(_held, args), **tree_map(_held, dict(named)))
    into_here = func is torch.ops.aten.copy_.default and not isinstance(args[0], There)
    stays = bool(away) and not into_here if device is None else torch.device(device) == ELSEWHERE
    known = {id(x.held): x for x in away}

    def wrapped(x: Any) -> Any:
        return x if not isinstance(x, Tensor) else known[id(x)] if id(x) in known else There(x)

    return tree_map(wrapped, out) if stays else out


def _held(x: Any) -> Any:
    return x.held if isinstance(x, There) else x


class Elsewhere(TorchDispatchMode):
    """While it is on, what is made or moved elsewhere is `There`."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return run_there(func, args, kwargs or {})


class Made(TorchFunctionMode):
    """`torch.tensor(..., device=elsewhere)`, which does not come by the dispatcher for this device."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        if func is torch.tensor and named.get("device") == ELSEWHERE:
            return There(func(*args, **{**named, "device": "cpu"}))
        return func(*args, **named)


def there(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(there, value))
    return There(value.detach()).requires_grad_(value.requires_grad) if isinstance(value, Tensor) else value


SWIGLU, SUMS = KERNELS["swiglu"], KERNELS["cumulative sum"]
CALLS_THERE: dict[str, Callable[[], ac.Report]] = {
    "right": lambda: ac.gradcheck(
        torch.matmul, there((tensor(4, 3), tensor(3, 2))), check_batched_grad=True, check_grad_dtypes=True, raise_exception=False
    ),
    "kinks": lambda: ac.gradcheck(torch.relu, there(tensor(5)), raise_exception=False),
    # of few operators: torch's own forward mode does not carry a wrapped tensor through matmul
    "forward mode": lambda: ac.gradcheck(torch.sin, there(tensor(4)), check_forward_ad=True, raise_exception=False),
    "complex": lambda: ac.gradcheck(
        lambda z, x: z.exp() * x, there((tensor(3, dtype=torch.complex128), tensor(3))), raise_exception=False
    ),
    "second derivatives": lambda: ac.gradgradcheck(torch.tanh, there(tensor(4)), raise_exception=False),
    "float32": lambda: ac.gradcheck(torch.tanh, there(tensor(4, dtype=torch.float32)), raise_exception=False),
    "leave": lambda: ac.gradcheck(Cube.apply, there(tensor(4)), rtol=1e-2, raise_exception=False),
    "a kernel of one precision": lambda: ac.gradcheck(
        SUMS.function(torch.float16), there(SUMS.inputs(torch.float16, 0)), raise_exception=False
    ),
    "its definition": lambda: ac.compare(
        SWIGLU.function(torch.float16), SWIGLU.definition, there(SWIGLU.inputs(torch.float16, 0)), raise_exception=False
    ),
}


@pytest.mark.parametrize("name", CALLS_THERE)
def test_inputs_may_live_on_another_device(name: str) -> None:
    with Made(), Elsewhere():
        report = CALLS_THERE[name]()
        assert report, report.to_text()


def test_a_wrong_gradient_on_another_device_is_found_and_named() -> None:
    with Made(), Elsewhere():
        report = ac.gradcheck(Cube.apply, there(tensor(4)), raise_exception=False)
        assert report.status is ac.Status.FAILED
        assert "Every entry of dx is exactly 1.000333333 times the right value." in report.to_text()


def test_what_is_mixed_is_seen() -> None:
    with Made(), Elsewhere(), pytest.raises(RuntimeError, match="tensors on two devices"):
        there(tensor(3)) + torch.ones(3, device="cpu")


@pytest.mark.parametrize("check", [ac.gradcheck, ac.gradgradcheck])
def test_an_input_without_numbers_is_refused_by_name(check: Callable[..., Any]) -> None:
    x = torch.randn(3, dtype=torch.float64, device="meta", requires_grad=True)
    with pytest.raises(ValueError, match="expects inputs with numbers in them; input0 is on the meta device"):
        check(torch.sin, x)
