"""What torch's own tests of gradcheck (`test_gradcheck_*` in its test_autograd.py) assert, one for one.

Where ours differs on purpose the test says so, and docs/gradcheck.md lists it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.gradcheck import GradcheckError
from torch.autograd.gradcheck import gradcheck as torch_gradcheck
from torch.autograd.gradcheck import gradgradcheck as torch_gradgradcheck

import autograd_check as ac


def rand(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


@pytest.mark.parametrize(("ours", "theirs"), [(ac.gradcheck, torch_gradcheck), (ac.gradgradcheck, torch_gradgradcheck)])
def test_names_order_and_defaults(ours: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    mine, others = inspect.signature(ours).parameters, inspect.signature(theirs).parameters
    assert list(mine)[: len(others)] == list(others)
    assert {name for name, p in others.items() if mine[name].default != p.default} == {"eps", "atol", "rtol"}
    assert ours(func=torch.sin, inputs=rand(3)) == True  # noqa: E712


def test_single_input() -> None:
    """One tensor, in a tuple or not."""
    assert ac.gradcheck(lambda x: x**2, rand(3))
    assert ac.gradcheck(lambda x: x**2, [rand(3)])
    assert ac.gradgradcheck(lambda x: x**2, rand(3))
    assert ac.gradgradcheck(lambda x: x**2, (rand(3),), rand(3, seed=1))


def test_nondeterministic() -> None:
    """A backward that adds noise of 1e-1, 1e-7 and none, with and without `nondet_tol`."""

    class NonDeterministic(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, jitter: float) -> Tensor:
            ctx.jitter = jitter
            return x

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            return dout * (1 + torch.rand_like(dout) * ctx.jitter), None

    inputs = rand(4, 4)
    with pytest.raises(GradcheckError, match="differs between two calls"):
        ac.gradcheck(lambda x: NonDeterministic.apply(x, 0.1), inputs)
    with pytest.raises(GradcheckError, match="differs between two calls"):
        ac.gradcheck(lambda x: NonDeterministic.apply(x, 1e-7), inputs)
    assert ac.gradcheck(lambda x: NonDeterministic.apply(x, 1e-12), inputs, nondet_tol=1e-5)
    assert ac.gradcheck(lambda x: NonDeterministic.apply(x, 0.0), inputs)


def test_validates_inputs() -> None:
    """No input that requires grad is an error; a float32 input is no warning here, since it is judged in float64."""
    with pytest.raises(ValueError, match="at least one input tensor"):
        ac.gradcheck(lambda x: x, (torch.rand(10),), raise_exception=False)
    assert ac.gradcheck(lambda x: x, (rand(10, dtype=torch.float32),))


def test_inputs_with_overlapping_memory() -> None:
    """On purpose: torch refuses them; here every entry moves in memory of its own."""
    assert ac.gradcheck(lambda x: x**2, (torch.rand(10, 1, dtype=torch.float64).expand(10, 5).requires_grad_(),))


def test_sparse_outputs() -> None:
    """On purpose: torch refuses them; here they are made dense."""
    assert ac.gradcheck(lambda x: x.to_sparse(), rand(3, 2))


@pytest.mark.parametrize("other", [lambda x: x.detach(), lambda x: x.argmax(), lambda x: (x * 0).detach()])
def test_outputs_without_a_gradient(other: Callable[[Tensor], Any]) -> None:
    """Whatever has no gradient beside an output that has one takes no part."""
    assert ac.gradcheck(lambda x: (x**2, other(x)), rand(3))


def test_no_differentiable_outputs() -> None:
    """A function whose tape is cut everywhere has to be constant."""
    assert ac.gradcheck(lambda x: torch.tensor([1.0], dtype=torch.float64), rand(3))
    assert ac.gradcheck(lambda x: (), rand(3))
    with pytest.raises(GradcheckError, match="zero in every entry|zero_gradient|entries differ|entry differs"):
        ac.gradcheck(lambda x: torch.tensor([x.detach().sum().item()], dtype=torch.float64), rand(3))


def test_batched_gradients() -> None:
    assert ac.gradcheck(lambda x: x.exp(), rand(2, 3), check_batched_grad=True)

    class Unbatchable(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return dout if dout.sum().item() < 1e9 else 2 * dout

    with pytest.raises(GradcheckError, match="under vmap the backward raised"):
        ac.gradcheck(Unbatchable.apply, rand(2, 3), check_batched_grad=True)


def test_a_backward_that_ignores_its_cotangent() -> None:
    class Ignores(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return torch.ones_like(dout)

    report = ac.gradcheck(Ignores.apply, rand(3), raise_exception=False)
    assert "linear in dout" in {finding.check for finding in report.findings if finding.status is ac.Status.FAILED}


def test_undefined_gradients() -> None:
    class Raises(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.set_materialize_grads(False)
            return x.clone()

        @staticmethod
        def backward(ctx: Any, dout: Tensor | None) -> Any:
            if dout is None:
                raise RuntimeError("x is undefined")
            return dout

    class Ones(Raises):
        @staticmethod
        def backward(ctx: Any, dout: Tensor | None) -> Any:
            return torch.ones(3, dtype=torch.float64) if dout is None else dout

    class Nones(Raises):
        @staticmethod
        def backward(ctx: Any, dout: Tensor | None) -> Any:
            return dout

    with pytest.raises(GradcheckError, match="without a cotangent the backward raised RuntimeError: x is undefined"):
        ac.gradcheck(Raises.apply, rand(3))
    with pytest.raises(GradcheckError, match="not zero where no output has a cotangent"):
        ac.gradcheck(Ones.apply, rand(3))
    assert ac.gradcheck(Nones.apply, rand(3))
    assert ac.gradcheck(Ones.apply, rand(3), check_undefined_grad=False)


def test_jacobian_mismatch() -> None:
    def real(x: Tensor) -> Tensor:
        y = x * x
        y.register_hook(lambda grad: grad + 1e-2)
        return y

    def imaginary(x: Tensor) -> Tensor:
        y = x * x
        y.register_hook(lambda grad: grad + 1e-2j)
        return y

    assert not ac.gradcheck(real, rand(2, 2), raise_exception=False)
    assert not ac.gradcheck(real, rand(2, 2, dtype=torch.complex128), raise_exception=False)
    assert not ac.gradcheck(imaginary, rand(2, 2, dtype=torch.complex128), raise_exception=False)


def test_dense_beside_sparse_inputs() -> None:
    sparse = rand(4, 8).detach().to_sparse().requires_grad_()
    assert ac.gradcheck(lambda x, y: x * y.coalesce().to_dense(), (rand(4, 8), sparse), masked=True)


def test_complex_beside_other_outputs() -> None:
    def several(x: Tensor, y: Tensor) -> Any:
        z = torch.complex(x, y)
        return z, x + 1, (z * z.conj()).real

    assert ac.gradcheck(several, (rand(2, 2), rand(2, 2, seed=1)))
    assert ac.gradcheck(several, (rand(2, 2), rand(2, 2, seed=1)), check_forward_ad=True)
    assert ac.gradcheck(lambda z: (z.real, z.imag, z * 1j), rand(3, dtype=torch.complex128))


def test_an_error_of_the_function_is_chained() -> None:
    """Whatever the function raises ends in a report, and is the cause of its error."""

    def raises(x: Tensor) -> Tensor:
        raise KeyError("what the function says")

    with pytest.raises(RuntimeError, match="what the function says") as caught:
        ac.gradcheck(raises, rand(3))
    assert isinstance(caught.value, GradcheckError)
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value.__cause__, KeyError)
    assert ac.gradcheck(raises, rand(3), raise_exception=False) == False  # noqa: E712
    with pytest.raises(GradcheckError, match="what the function says"):
        ac.gradgradcheck(raises, rand(3))


def test_forward_mode_respects_what_requires_grad() -> None:
    """An input that needs no gradient gets no tangent."""
    seen: list[bool] = []

    class Multiplies(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(x, y)
            ctx.save_for_forward(x, y)
            return x * y

        @staticmethod
        def backward(ctx: Any, dout: Tensor | None) -> Any:
            x, y = ctx.saved_tensors
            return (None, None) if dout is None else (dout * y, dout * x)

        @staticmethod
        def jvp(ctx: Any, x: Tensor | None, y: Tensor | None) -> Any:
            seen.append(y is not None)
            a, b = ctx.saved_tensors
            return (0 if x is None else x * b) + (0 if y is None else y * a)

    assert ac.gradcheck(Multiplies.apply, (rand(3), rand(3, seed=1).detach()), check_forward_ad=True)
    assert seen
    assert not any(seen)


def test_dtypes() -> None:
    report = ac.gradcheck(lambda x: x.exp(), rand(3), check_grad_dtypes=True)
    assert "every gradient has the dtype of its input" in report.to_text()


def test_non_contiguous_cotangents() -> None:
    strides: list[bool] = []

    class Looks(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            strides.append(dout.is_contiguous())
            return 2 * dout * ctx.saved_tensors[0]

    assert ac.gradgradcheck(Looks.apply, rand(3, 4), gen_non_contig_grad_outputs=True)
    assert not all(strides)


def test_modules() -> None:
    layer = nn.Linear(3, 2).double()
    assert ac.gradcheck(layer, rand(5, 3))
    assert ac.gradgradcheck(layer, rand(5, 3))
