"""Every row of the table of faults in `gradcheck.md`, with the answer that is right, beside the same error planted where there is one."""

from __future__ import annotations

import itertools
import math
import os
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.autograd import Function

import autograd_check as ac
from autograd_check.report.result import Report

pytestmark = pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta state")
Pair = namedtuple("Pair", "square rest")


def tensor(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def scattered(count: int = 1000) -> Tensor:
    return ((torch.rand(count, generator=Generator().manual_seed(7), dtype=torch.float64) - 0.5) * 18).requires_grad_()


def fixed(x: Tensor) -> Tensor:
    return x.detach()


def in_a_storage() -> Tensor:
    return torch.arange(1.0, 31.0, dtype=torch.float64).as_strided((10,), (1,), 10).requires_grad_()


X, IMAGE, EYE = tensor(4), tensor(1, 1, 4, 4), torch.eye(4, dtype=torch.float64).to_sparse()
W32, LAYER32 = fixed(tensor(3, 2, dtype=torch.float32)), nn.Linear(3, 2)

RIGHT: dict[str, tuple[Callable[..., Any], Any]] = {
    "statistics that are not differentiable": (lambda x: torch.native_layer_norm(x, (4,), None, None, 1e-5), X),
    "a detached output": (lambda x: (x**2, x.detach().sum()), X),
    "real of odd size beside complex": (torch.mul, (tensor(3), tensor(3, dtype=torch.complex128))),
    "gradients that are ZeroTensors": (torch.sgn, X),
    "floor": (torch.floor, scattered()),
    "round": (torch.round, scattered()),
    "the nearest pixel": (
        lambda image, grid: F.grid_sample(image, grid, mode="nearest", align_corners=False),
        (tensor(1, 2, 4, 4), fixed(tensor(1, 5, 5, 2)).mul(0.4).requires_grad_()),
    ),
    "a forward with noise": (lambda a, b: torch.linalg.lstsq(a, b).solution, (tensor(6, 4), tensor(6, 2, seed=1))),
    "a module of float32 in a lambda": (lambda x: LAYER32(x), tensor(5, 3, dtype=torch.float32)),
    "a captured float32 tensor": (lambda x: torch.tanh(x) @ W32, tensor(5, 3, dtype=torch.float32)),
    "running statistics": (
        lambda x, mean, var: F.batch_norm(x, mean, var, training=True),
        (tensor(5, 3), torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)),
    ),
    "as_strided": (lambda x: x.as_strided((10,), (1,), 10), in_a_storage()),
    "as_strided with steps": (lambda x: x.as_strided((5,), (2,), 12).sin(), in_a_storage()),
    "a dictionary": (lambda x: {"a": x**2, "b": x.sin()}, X),
    "a nest with strings": (lambda x: Pair(x**2, [x.sin(), {"k": (x.cos(), None, "text", 3)}]), X),
    "a sparse bystander": (torch.sparse.mm, (EYE, tensor(4, 3))),
    "a captured sparse tensor": (lambda x: torch.sparse.mm(EYE, x), tensor(4, 3)),
    "a sparse output": (lambda x: x.to_sparse(), tensor(4, 3)),
    "no output": (lambda x: (), X),
    "an integer output": (lambda x: x.argmax(), X),
    "an output that a mask selects": (lambda x: x[x > 0.5], X),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name: str) -> None:
    func, inputs = RIGHT[name]
    for seed in range(2):
        assert ac.gradcheck(func, inputs, seed=seed, raise_exception=False).to_text().splitlines()[0].endswith("passed")


def test_rounding_that_chooses_a_piece_is_no_kink_and_a_kink_is_no_rounding() -> None:
    """corrcoef of two columns is ±1 and is clamped there; relu at 0 changes by more than rounding at every step."""
    assert ac.gradcheck(torch.corrcoef, tensor(3, 2))

    class Steep(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.relu()

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return 5 * dout

    assert not ac.gradcheck(Steep.apply, torch.zeros(4, dtype=torch.float64, requires_grad=True), raise_exception=False)


def test_a_gradient_that_a_fused_kernel_rounds_away() -> None:
    """One number normalised is constant: what is left of its gradient is rounding inside one operation."""
    for seed in range(20):
        x, gamma, beta = tensor(1, seed=seed), tensor(1, seed=seed + 50), tensor(1, seed=seed + 90)
        assert ac.gradcheck(lambda x, gamma, beta: F.layer_norm(x, (1,), gamma, beta), (x, gamma, beta), seed=seed)


SECOND: dict[str, tuple[Callable[..., Any], Any]] = {
    "a detached output": (lambda x: (x.detach().sum(), x**3), X),
    "rfft": (torch.fft.rfft, tensor(5)),
    "sort": (torch.sort, X),
    "max": (lambda x: x.max(0), X),
    "topk": (lambda x: x.topk(2), X),
    "median": (lambda x: x.median(0), X),
    "lu_factor": (torch.linalg.lu_factor, tensor(3, 3)),
    "pooling with indices": (lambda x: F.max_pool2d(x, 2, return_indices=True), IMAGE),
    "a module": (nn.Linear(3, 2).double(), tensor(5, 3)),
    "abs": (torch.abs, X),
    "a module of float32": (LAYER32, tensor(2, 3, dtype=torch.float32)),
}


@pytest.mark.parametrize("name", SECOND)
def test_what_is_right_passes_in_second_derivatives(name: str) -> None:
    func, inputs = SECOND[name]
    assert ac.gradgradcheck(func, inputs, raise_exception=False).to_text().splitlines()[0].endswith("passed")


def test_a_module_names_its_parameters_in_second_derivatives() -> None:
    report = ac.gradgradcheck(nn.Linear(3, 2).double(), tensor(5, 3))
    subjects = {finding.subject for finding in report.findings if finding.check == "finite differences"}
    assert subjects == {"dinput", "dweight", "dbias", "ddout"}


DENSE = torch.tensor([[1.0, 0, 2, 0], [0, 0, 3, 0], [4, 5, 0, 0], [0, 0, 0, 6]], dtype=torch.float64)
LAYOUTS: dict[str, Callable[[], Tensor]] = {
    "coo": lambda: DENSE.to_sparse(),
    "coo hybrid": lambda: DENSE.to_sparse(1),
    "csr": lambda: DENSE.to_sparse_csr(),
    "csc": lambda: DENSE.to_sparse_csc(),
    "bsr": lambda: DENSE.to_sparse_bsr((2, 2)),
    "bsc": lambda: DENSE.to_sparse_bsc((2, 2)),
}


def spoiled(slope: float) -> Callable[[Tensor], Tensor]:
    """x, whose gradient is off in one entry."""

    class Spoil(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            wrong = dout.clone()
            wrong.view(-1)[0] *= slope
            return wrong

    apply: Callable[[Tensor], Tensor] = Spoil.apply
    return apply


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_sparse_inputs(layout: str, masked: bool) -> None:
    sparse = LAYOUTS[layout]().requires_grad_()
    assert ac.gradcheck(lambda s: s.to_dense(masked_grad=masked) ** 2, sparse, masked=masked)
    wrong = spoiled(1 + 1e-5)
    report = ac.gradcheck(lambda s: wrong(s.to_dense(masked_grad=masked)) ** 2, sparse, masked=masked, raise_exception=False)
    (finding,) = [finding for finding in report.findings if finding.status is ac.Status.FAILED]
    assert finding.mismatch is not None
    assert finding.mismatch.wrong == 1
    assert math.prod(1 + i for i in finding.mismatch.index) == 1


@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_a_sparse_matrix_times_a_dense_one(layout: str) -> None:
    sparse = LAYOUTS[layout]().requires_grad_()
    assert ac.gradcheck(torch.sparse.mm, (sparse, tensor(4, 3)), masked=True)


class Cubed(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        return 3 * dout * ctx.saved_tensors[0] ** 2


CALLS = itertools.count()


class Noisy(Cubed):
    """Right to the last bits, which no two calls have in common."""

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        return Cubed.backward(ctx, dout) * (1 + torch.finfo(torch.float64).eps * (next(CALLS) % 251))


class Sparse(Cubed):
    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        return Cubed.backward(ctx, dout).to_sparse()


class NeedsCotangent(Cubed):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)
        return Cubed.forward(ctx, x)


class Unbatchable(Cubed):
    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        return Cubed.backward(ctx, torch.from_numpy(dout.numpy().copy()))


class Steep(Function):
    """floor with a slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.floor()

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        return 1e-3 * dout


class WrongSoftmax(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = x.softmax(-1)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        (out,) = ctx.saved_tensors
        return 1.01 * out * (dout - (dout * out).sum(-1, keepdim=True))


def found(report: Report) -> list[tuple[str, str]]:
    return [(finding.check, finding.subject) for finding in report.findings if finding.status is ac.Status.FAILED]


def text(report: Report) -> str:
    return " ".join(report.to_text().split())


def doubles(x: Tensor) -> Tensor:
    return torch.cat([x, x]) if bool((x >= 1).all()) else x


def narrows(x: Tensor) -> Tensor:
    return x.float() if bool((x >= 1).all()) else x


ONE = torch.ones(1, dtype=torch.float64, requires_grad=True)
WRONG: dict[str, tuple[Callable[..., Any], Any, dict[str, Any], tuple[str, str], str]] = {
    "a sparse gradient": (Sparse.apply, X, {}, ("layout", "dx"), "dx is sparse_coo, and x is strided"),
    "a shape that depends on values": (doubles, ONE, {}, ("finite differences", "dx"), "another shape or dtype right beside"),
    "a dtype that depends on values": (narrows, ONE, {}, ("finite differences", "dx"), "another shape or dtype right beside"),
    "None for a cotangent": (
        NeedsCotangent.apply,
        X,
        {},
        ("undefined gradients", "out"),
        "without a cotangent the backward raised",
    ),
    "numpy under vmap": (
        Unbatchable.apply,
        X,
        {"check_batched_grad": True},
        ("batched gradients", "out"),
        "under vmap the backward raised",
    ),
    "a slope of a piecewise constant": (Steep.apply, scattered(), {}, ("finite differences", "dx"), "changes by 0"),
    "a factor beside -inf": (
        WrongSoftmax.apply,
        torch.tensor([-math.inf, 1, 2, 0.3], dtype=torch.float64, requires_grad=True),
        {},
        ("finite differences", "dx"),
        "along a random direction",
    ),
    "noise that nobody granted": (Noisy.apply, X, {}, ("repeatable", "backward"), "say how far it may differ with nondet_tol"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_fails_and_is_named(name: str) -> None:
    func, inputs, asked, finding, said = WRONG[name]
    report = ac.gradcheck(func, inputs, raise_exception=False, **asked)
    assert report.status is ac.Status.FAILED
    assert finding in found(report)
    assert said in text(report)


def test_what_nobody_asked_for_is_not_checked() -> None:
    assert ac.gradcheck(NeedsCotangent.apply, X, check_undefined_grad=False)
    assert ac.gradcheck(Unbatchable.apply, X)


def test_noise_of_a_backward_within_the_tolerance() -> None:
    for seed in range(5):
        report = ac.gradcheck(Noisy.apply, X, nondet_tol=1e-10, seed=seed)
    assert "repeats differ by" in text(report)
    assert ac.gradcheck(Noisy.apply, X, nondet_tol=1e-16, raise_exception=False) == False  # noqa: E712


def test_noise_does_not_hide_a_wrong_entry() -> None:
    wrong = spoiled(1 + 1e-5)
    report = ac.gradcheck(lambda x: wrong(Noisy.apply(x)), X, nondet_tol=1e-10, raise_exception=False)
    assert ("finite differences", "dx") in found(report)


def test_a_forward_with_noise_says_how_much() -> None:
    def noisy(x: Tensor) -> Tensor:
        return x.exp() * (
            1 + 1e-14 * (torch.frombuffer(bytearray(os.urandom(x.numel())), dtype=torch.uint8).double() / 256 - 0.5)
        )

    report = ac.gradcheck(noisy, X, nondet_tol=1e-12)
    assert "differs from run to run by" in text(report)
    wrong = spoiled(1 + 1e-5)
    assert not ac.gradcheck(lambda x: noisy(wrong(x)), X, nondet_tol=1e-12, raise_exception=False)


def test_the_users_own_leave() -> None:
    report = ac.gradcheck(WrongSoftmax.apply, X, rtol=2e-2, atol=1e-3)
    assert "within your tolerance; the measured error is" in text(report)
    assert ac.gradcheck(WrongSoftmax.apply, X, rtol=1e-3, raise_exception=False) == False  # noqa: E712
    assert ac.gradcheck(WrongSoftmax.apply, X, None, 1e-1)


def test_torchs_defaults_as_leave_do_not_hide_a_wrong_entry() -> None:
    wrong = spoiled(1.05)
    assert not ac.gradcheck(lambda x: wrong(x).exp(), tensor(1000), atol=1e-5, rtol=1e-3, raise_exception=False)
