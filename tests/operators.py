"""torch's own operator database as pairs of function and inputs, as torch's tests of gradients call it; and wrong gradients for them."""

from __future__ import annotations

import itertools
import sys
import unittest
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

LARGEST = 2000
"""Samples with more entries in all are left out."""


@cache
def database() -> Sequence[Any]:
    """The operators that torch tests the gradients of."""
    if "expecttest" not in sys.modules:  # torch's test utilities take a base class from it, and nothing that is used here
        stub = ModuleType("expecttest")
        stub.TestCase = unittest.TestCase  # type: ignore[attr-defined]
        stub.__spec__ = None
        sys.modules["expecttest"] = stub
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return op_db


@dataclass(frozen=True)
class Case:
    """One sample of one operator: `func(*inputs)`, and what torch's own tests ask for beside the gradient."""

    name: str
    func: Callable[..., Any]
    inputs: tuple[Any, ...]
    nondet: float
    forward: bool
    second: bool
    forward_over_reverse: bool


def left_out(op: Any, suite: str, test: str, dtype: torch.dtype) -> bool:
    """Whether torch's own test of this operator is skipped or expected to fail."""
    return any(
        getattr(info, "decorators", None) and any("skip" in repr(d) or "expected" in repr(d) for d in info.decorators)
        for info in op.decorators
        if hasattr(info, "is_active") and info.is_active(suite, test, "cpu", dtype, {})
    )


def title(op: Any) -> str:
    """`name.variant`."""
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else str(op.name)


def cases(op: Any, dtype: torch.dtype, seed: int, *, inplace: bool = False) -> Iterator[Case]:
    """Every small sample of an operator; random numbers begin at `seed`."""
    suite, test = "TestBwdGradients", "test_inplace_grad" if inplace else "test_fn_grad"
    if not op.supports_autograd or dtype not in op.supported_backward_dtypes("cpu") or left_out(op, suite, test, dtype):
        return
    variant = op.get_inplace() if inplace else op.get_op()
    if variant is None or (inplace and not op.supports_inplace_autograd):
        return
    second = op.supports_gradgrad and not left_out(op, suite, "test_fn_gradgrad", dtype)
    forward = op.supports_forward_ad and not left_out(op, "TestFwdGradients", "test_forward_mode_AD", dtype)
    mixed = op.supports_fwgrad_bwgrad and not left_out(op, "TestFwdGradients", "test_fn_fwgrad_bwgrad", dtype)
    torch.default_generator.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # what `sample_inputs` wraps: that looks for a test of unittest in the whole stack, for every sample
        samples = iter(op.sample_inputs_func(op, "cpu", dtype, requires_grad=True))
    for number in itertools.count():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sample = next(samples, None)
        if sample is None:
            return
        if inplace and (sample.broadcasts_input or not isinstance(sample.input, Tensor)):
            continue
        given = (sample.input,) if isinstance(sample.input, Tensor) else tuple(sample.input)
        inputs = (*given, *sample.args)
        tensors = [leaf for leaf in _flat(inputs) if isinstance(leaf, Tensor)]
        if not any(t.requires_grad for t in tensors) or sum(t.numel() for t in tensors) > LARGEST:
            continue
        name = f"{title(op)}{'_' if inplace else ''} {str(dtype)[6:]} #{number}"
        func = _function(op, variant, sample, len(given), inplace)
        yield Case(name, func, inputs, op.gradcheck_nondet_tol, forward, second, mixed)


def _function(op: Any, variant: Any, sample: Any, count: int, inplace: bool) -> Callable[..., Any]:
    single = isinstance(sample.input, Tensor)

    def func(*inputs: Any) -> Any:
        first: Any = inputs[0] if single else list(inputs[:count]) if isinstance(sample.input, list) else inputs[:count]
        rest = inputs[1:] if single else inputs[count:]
        if inplace:
            first = first.clone()
        out = op.gradcheck_wrapper(variant, first, *rest, **sample.kwargs)
        return out if sample.output_process_fn_grad is None else sample.output_process_fn_grad(out)

    return func


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        yield from itertools.chain.from_iterable(map(_flat, value))
    else:
        yield value


# --- Wrong gradients -------------------------------------------------------------------------------------------------

Spoil = Callable[[Tensor], Tensor]


def _one_entry(factor: float) -> Spoil:
    def spoil(v: Tensor) -> Tensor:
        wrong = v.clone(memory_format=torch.contiguous_format)
        wrong.view(-1)[v.numel() // 2] *= factor
        return wrong

    return spoil


def _exchanged(v: Tensor) -> Tensor:
    wrong = v.clone(memory_format=torch.contiguous_format).view(-1)
    return wrong[[*range(v.numel() // 2), *reversed(range(v.numel() // 2, v.numel()))]].view(v.shape)


def _by_sign(v: Tensor) -> Tensor:
    return v * (1 + 1e-4 * (v.real > 0))


SPOILS: dict[str, Spoil] = {
    "one entry × 1.01": _one_entry(1.01),
    "one entry × (1 + 1e-5)": _one_entry(1 + 1e-5),
    "everything × 1.0001": lambda v: v * 1.0001,
    "zero": torch.zeros_like,
    "half of the entries reversed": _exchanged,
    "conjugated": torch.conj_physical,
    "positive entries × 1.0001": _by_sign,
}
"""The middle entry, all, or those of one sign (which depends on the cotangent) of the gradient of the first input."""


def spoiled(case: Case, spoil: Spoil, *, forward: bool = False) -> Callable[..., Any]:
    """The case's function with a wrong gradient of its first input that has one (`forward`: with a wrong jvp)."""
    place = next(k for k, x in enumerate(case.inputs) if isinstance(x, Tensor) and x.requires_grad)

    class Spoiled(torch.autograd.Function):
        @staticmethod
        def forward(x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            pass

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return dout if forward else spoil(dout)

        @staticmethod
        def jvp(ctx: Any, tangent: Tensor) -> Tensor:
            return spoil(tangent) if forward else tangent

    def func(*inputs: Any) -> Any:
        return case.func(*(Spoiled.apply(x) if k == place else x for k, x in enumerate(inputs)))

    return func
