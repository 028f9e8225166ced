"""Forward mode as a check of its own, and what autograd may ask of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

import autograd_check as ac

Tangent = Callable[[Tensor, Tensor], Tensor]


def tensor(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def cube(tangent: Tangent) -> Callable[[Tensor], Any]:
    """x³ with a right backward, and forward mode by `tangent(x, t)`."""

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return 3 * dout * ctx.saved_tensors[0] ** 2

        @staticmethod
        def jvp(ctx: Any, t: Tensor) -> Tensor:
            return tangent(ctx.saved_tensors[0], t)

    apply: Callable[[Tensor], Any] = Cube.apply
    return apply


def off(t: Tensor, place: int, factor: float) -> Tensor:
    wrong = t.clone()
    wrong.view(-1)[place] *= factor
    return wrong


X = tensor(3, 4)
RIGHT: dict[str, tuple[Callable[..., Any], Any]] = {
    "its own jvp": (cube(lambda x, t: 3 * x**2 * t), X),
    "two inputs": (lambda a, b: (a @ b).softmax(-1), (tensor(4, 3), tensor(3, 5, seed=1))),
    "several outputs": (lambda x: (x.sin(), x.sort(-1), {"norm": x.norm()}), X),
    "complex": (lambda z: (z * z.conj()).real.sqrt() + z.exp().abs(), tensor(5, dtype=torch.complex128)),
    "real to complex": (lambda x: torch.fft.fft(x), tensor(6)),
    "an input that stands still": (lambda a, b: a * b, (tensor(4), tensor(4, seed=1).detach())),
    "piecewise constant": (torch.floor, tensor(50)),
    "zeros into relu": (torch.relu, torch.tensor([0.0, 1.0, -1.0, 0.0], dtype=torch.float64, requires_grad=True)),
    "float32": (lambda x: x.exp().sum(-1), tensor(3, 4, dtype=torch.float32)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_tangents_pass(name: str) -> None:
    func, inputs = RIGHT[name]
    for seed in range(2):
        report = ac.gradcheck(func, inputs, check_forward_ad=True, seed=seed, raise_exception=False)
        assert report.status is ac.Status.PASSED, report.to_text()
    assert "forward mode" in {finding.check for finding in report.findings}


def test_the_dot_product_identity_is_checked() -> None:
    report = ac.gradcheck(torch.tanh, X, check_forward_ad=True)
    assert "⟨d, J u⟩ = ⟨Jᵀ d, u⟩" in report.to_text()


WRONG: dict[str, Tangent] = {
    "one entry × 1.01": lambda x, t: off(3 * x**2 * t, 5, 1.01),
    "one entry × (1 + 1e-5)": lambda x, t: off(3 * x**2 * t, 5, 1 + 1e-5),
    "everything × 1.0001": lambda x, t: 3 * x**2 * t * 1.0001,
    "zero": lambda x, t: torch.zeros_like(t),
    "sign": lambda x, t: -3 * x**2 * t,
    "not linear": lambda x, t: 3 * x**2 * t * (1 + 1e-4 * (t > 0)),
}


@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_tangents_fail(name: str, backward: bool) -> None:
    report = ac.gradcheck(cube(WRONG[name]), X, check_forward_ad=True, check_backward_ad=backward, raise_exception=False)
    failed = {(finding.check, finding.subject) for finding in report.findings if finding.status is ac.Status.FAILED}
    assert failed & {("forward mode", "dx"), ("linear in the tangent", "dx")}
    assert ("finite differences", "dx") not in failed


@pytest.mark.parametrize("count", [1, 2])
def test_a_tangent_whose_error_depends_on_a_sign_fails_in_few_entries_too(count: int) -> None:
    x = tensor(count)
    for seed in range(20):
        report = ac.gradcheck(cube(WRONG["not linear"]), x, check_forward_ad=True, seed=seed, raise_exception=False)
        assert report.status is ac.Status.FAILED, report.to_text()


def test_a_wrong_tangent_is_located_and_explained() -> None:
    report = ac.gradcheck(cube(WRONG["one entry × 1.01"]), X, check_forward_ad=True, raise_exception=False)
    (finding,) = [finding for finding in report.findings if finding.check == "forward mode"]
    assert finding.mismatch is not None
    assert (finding.mismatch.wrong, finding.mismatch.index) == (1, (1, 1))
    assert finding.mismatch.relative_error == pytest.approx(0.01, rel=1e-3)
    assert "the jvp with respect to x says" in finding.message
    doubled = ac.gradcheck(cube(lambda x, t: 6 * x**2 * t), X, check_forward_ad=True, raise_exception=False)
    (finding,) = [finding for finding in doubled.findings if finding.check == "forward mode"]
    assert finding.diagnosis is not None
    assert finding.diagnosis.cause == "constant_factor"


def test_forward_mode_alone_needs_no_backward() -> None:
    class OnlyForward(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_forward(x)
            return x.sin()

        @staticmethod
        def jvp(ctx: Any, t: Tensor) -> Tensor:
            return t * ctx.saved_tensors[0].cos()

    assert ac.gradcheck(OnlyForward.apply, X, check_forward_ad=True, check_backward_ad=False)
    with pytest.raises(ac.GradientError, match="backward raised NotImplementedError|not written yet"):
        ac.gradcheck(OnlyForward.apply, X)


def test_what_has_no_forward_mode_is_said_to() -> None:
    class OnlyBackward(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return 2 * dout

    assert ac.gradcheck(OnlyBackward.apply, X)
    report = ac.gradcheck(OnlyBackward.apply, X, check_forward_ad=True, raise_exception=False)
    assert "forward mode raised" in report.to_text()
    assert report == False  # noqa: E712


def test_batches_of_tangents_and_cotangents() -> None:
    report = ac.gradcheck(
        lambda a, b: (a @ b).softmax(-1),
        (tensor(4, 3), tensor(3, 5, seed=1)),
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
    )
    assert "cotangents under vmap give what they give one by one" in report.to_text()
    assert "tangents under vmap give what they give one by one" in report.to_text()

    def reads(x: Tensor, t: Tensor) -> Tensor:
        return 3 * x**2 * t if bool(t.sum() < 1e9) else t

    wrong = ac.gradcheck(cube(reads), X, check_forward_ad=True, check_batched_forward_grad=True, raise_exception=False)
    assert "under vmap forward mode raised" in wrong.to_text()


def test_an_undefined_tangent_counts_as_zeros() -> None:
    class Sum(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
            ctx.set_materialize_grads(False)
            return a + b

        @staticmethod
        def backward(ctx: Any, dout: Tensor | None) -> Any:
            return dout, dout

        @staticmethod
        def jvp(ctx: Any, a: Tensor | None, b: Tensor | None) -> Any:
            if a is None or b is None:
                given = b if a is None else a
                return None if given is None else 2 * given
            return a + b

    inputs = (tensor(4), tensor(4, seed=1))
    report = ac.gradcheck(Sum.apply, inputs, check_forward_ad=True, raise_exception=False)
    assert report == False  # noqa: E712
    assert {finding.check for finding in report.findings if finding.status is ac.Status.FAILED} == {"undefined tangents"}


@pytest.mark.parametrize("func", [lambda a, b: (a @ b).softmax(-1), lambda a, b: (a @ b).tanh() ** 2])
def test_forward_over_reverse(func: Callable[..., Any]) -> None:
    assert ac.gradgradcheck(func, (tensor(4, 3), tensor(3, 2, seed=1)), check_fwd_over_rev=True)
    assert ac.gradgradcheck(func, (tensor(4, 3), tensor(3, 2, seed=1)), check_fwd_over_rev=True, check_rev_over_rev=False)


def test_a_check_without_what_it_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="check_batched_forward_grad needs check_forward_ad"):
        ac.gradcheck(torch.sin, X, check_batched_forward_grad=True)
    with pytest.raises(ValueError, match="check_batched_grad needs check_backward_ad"):
        ac.gradcheck(torch.sin, X, check_batched_grad=True, check_forward_ad=True, check_backward_ad=False)
    with pytest.raises(ValueError, match="nothing is left to check"):
        ac.gradcheck(torch.sin, X, check_backward_ad=False)


def test_a_wrong_jvp_before_a_scalar_operator_on_symbolic_zeros_is_failed_and_not_fatal() -> None:
    def ldexp(x: Tensor) -> Any:
        return torch.ldexp(cube(lambda x, t: 3.03 * t * x**2)(x), torch.tensor([1, 0, -2]))

    report = ac.gradcheck(ldexp, tensor(3), check_forward_ad=True, raise_exception=False)
    assert report.status is ac.Status.FAILED
    assert not any(f.diagnosis and f.diagnosis.cause == "crashed" for f in report.findings)


@pytest.mark.parametrize("seed", range(8))
def test_a_tangent_that_cancels_is_linear_to_the_rounding_of_its_terms(seed: int) -> None:
    """The gradient of the first of several products is taken as dout·x/x, whose tangent is zero but for rounding."""
    x = tensor(5)
    asked = {"check_fwd_over_rev": True, "check_rev_over_rev": False, "check_undefined_grad": False}
    assert ac.gradgradcheck(lambda x: torch.cumprod(x, 0)[:1], (x,), seed=seed, **asked)


class NeedsBoth(torch.autograd.Function):
    """A product whose forward mode takes it for granted that both factors move."""

    @staticmethod
    def forward(x: Tensor, y: Tensor) -> Tensor:
        return x * y

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return (None, None) if dout is None else (dout * y, dout * x)

    @staticmethod
    def jvp(ctx: Any, t: Tensor, s: Tensor) -> Tensor:
        x, y = ctx.saved_tensors
        return t * y + x * s


def test_an_input_without_a_tangent_is_a_matter_of_its_own() -> None:
    report = ac.gradcheck(NeedsBoth.apply, (X, X.detach().cos().requires_grad_()), check_forward_ad=True, raise_exception=False)
    failed = {finding.check for finding in report.findings if finding.status is ac.Status.FAILED}
    assert failed == {"undefined tangents"}
    assert "with a tangent for x alone forward mode raised" in report.to_text()


@pytest.mark.parametrize("tangent", [lambda t: t.clamp(-5, 5), lambda t: t.float().double()])
def test_a_tiny_input_excuses_no_tangent_that_is_not_linear(tangent: Any) -> None:
    x = torch.tensor([1e-20, 1.0, 2.0, -1.0], dtype=torch.float64, requires_grad=True)
    report = ac.gradcheck(cube(lambda x, t: 3 * x**2 * tangent(t)), x, check_forward_ad=True, raise_exception=False)
    assert report.status is ac.Status.FAILED


@pytest.mark.parametrize("seed", range(4))
def test_a_tangent_is_held_to_others_of_its_size(seed: int) -> None:
    """matrix_exp squares a matrix that holds x and the tangent: a large tangent costs digits that a small one keeps."""
    g = torch.Generator().manual_seed(seed)
    x = (18 * torch.rand(5, 5, 5, dtype=torch.float64, generator=g) - 9).requires_grad_()
    for other in range(4):
        assert ac.gradcheck(torch.matrix_exp, x, check_forward_ad=True, check_backward_ad=False, seed=other)


class Product(torch.autograd.Function):
    """x·y whose tangent has a term too many: dx·dy, which no input sees alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.save_for_forward(x, y)
        return x * y

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return dout * y, dout * x

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, dy: Tensor) -> Tensor:
        x, y = ctx.saved_tensors
        return dx * y + x * dy + dx * dy


@pytest.mark.parametrize("backward", [True, False])
def test_tangents_that_are_multiplied_with_each_other_are_not_linear(backward: bool) -> None:
    inputs = (tensor(5), tensor(5, seed=1))
    asked: dict[str, Any] = {"check_forward_ad": True, "check_backward_ad": backward}
    report = ac.gradcheck(Product.apply, inputs, raise_exception=False, check_undefined_grad=False, **asked)
    wrong = {finding.check: finding for finding in report.findings if finding.status is ac.Status.FAILED}
    assert "the tangent of out is not linear in that of" in wrong["linear in the tangent"].message


def test_few_runs_of_forward_mode_serve_many_inputs() -> None:
    runs: list[int] = []

    def func(*xs: Tensor) -> Tensor:
        runs.append(torch.autograd.forward_ad._current_level >= 0)
        return torch.stack([x.sin() for x in xs]).sum(0)

    inputs = tuple(tensor(4, seed=place) for place in range(6))
    assert ac.gradcheck(func, inputs, check_forward_ad=True, check_backward_ad=False, check_undefined_grad=False)
    assert sum(runs) == 3


def linear_layer(wrong: Callable[[Any, Any, Any], float]) -> Callable[..., Any]:
    """x·w + b whose tangent is `wrong` times the right one; it is told which tangents there are."""

    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
            ctx.save_for_backward(x, w)
            ctx.save_for_forward(x, w)
            ctx.set_materialize_grads(False)
            return x * w + b

        @staticmethod
        def backward(ctx: Any, dout: Tensor | None) -> Any:
            x, w = ctx.saved_tensors
            return (None, None, None) if dout is None else (dout * w, dout * x, dout)

        @staticmethod
        def jvp(ctx: Any, dx: Tensor | None, dw: Tensor | None, db: Tensor | None) -> Any:
            x, w = ctx.saved_tensors
            parts = [given * scale for given, scale in ((dx, w), (dw, x), (db, 1.0)) if given is not None]
            return sum(parts) * wrong(dx, dw, db)

    apply: Callable[..., Any] = Layer.apply
    return apply


WITHOUT: dict[str, Callable[[Any, Any, Any], float]] = {
    "w alone": lambda dx, dw, db: 2.0 if dx is None and db is None else 1.0,
    "any alone": lambda *given: 1.5 if sum(one is None for one in given) == 2 else 1.0,
    "without b": lambda dx, dw, db: 1.01 if db is None else 1.0,
}


@pytest.mark.parametrize("name", WITHOUT)
def test_a_tangent_that_is_wrong_without_some_others_is_found(name: str) -> None:
    inputs = [tensor(4, seed=place) for place in range(3)]
    assert ac.gradcheck(linear_layer(lambda *given: 1.0), inputs, check_forward_ad=True)
    report = ac.gradcheck(linear_layer(WITHOUT[name]), inputs, check_forward_ad=True, raise_exception=False)
    failed = [finding for finding in report.findings if finding.status is ac.Status.FAILED]
    assert {finding.check for finding in failed} == {"undefined tangents"}
    assert "alone and that for all others do not add up" in failed[0].message


class Apart(torch.autograd.Function):
    """(x², sin y), and a tangent in which that of y is lost."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.save_for_forward(x, y)
        return torch.cat([x * x, y.sin()])

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return 2 * x * dout[:5], y.cos() * dout[5:]

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, dy: Tensor) -> Tensor:
        return torch.cat([2 * ctx.saved_tensors[0] * dx, 0 * dy])


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e7, 1e8])
def test_a_tangent_is_held_to_the_backward_by_its_own_size(scale: float) -> None:
    x, y = (scale * tensor(5).detach()).requires_grad_(), tensor(5, seed=1)
    report = ac.gradcheck(Apart.apply, (x, y), check_forward_ad=True, raise_exception=False)
    assert {finding.subject for finding in report.findings if finding.status is ac.Status.FAILED} == {"dy"}


@pytest.mark.parametrize("scale", [1.0, 1e9])
def test_a_small_tangent_is_linear_beside_a_large_one(scale: float) -> None:
    class Sum(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
            ctx.save_for_forward(y)
            ctx.save_for_backward(y)
            return x * scale + y.sin()

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            return dout * scale, dout * ctx.saved_tensors[0].cos()

        @staticmethod
        def jvp(ctx: Any, dx: Tensor, dy: Tensor) -> Tensor:
            return dx * scale + dy * ctx.saved_tensors[0].cos() + 1e-3 * dy.abs()

    report = ac.gradcheck(Sum.apply, (tensor(5), tensor(5, seed=1)), check_forward_ad=True, raise_exception=False)
    wrong = [finding for finding in report.findings if finding.check == "linear in the tangent"]
    assert [finding.subject for finding in wrong] == ["dy"]


@pytest.mark.parametrize("scale", [1e300, 1e305, 1e306])
def test_tangents_that_would_overflow_are_not_stretched(scale: float) -> None:
    x = (scale * tensor(4).detach()).requires_grad_()
    assert ac.gradcheck(lambda x: x * 0.5, x, check_forward_ad=True)


def test_what_disagrees_is_named_alone() -> None:
    def right(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return x.sin() + y.sin() + z.sin()

    class Sum(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: Tensor) -> Tensor:
            ctx.save_for_backward(*given)
            ctx.save_for_forward(*given)
            return right(*given)

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            return tuple(dout * x.cos() for x in ctx.saved_tensors)

        @staticmethod
        def jvp(ctx: Any, dx: Tensor, dy: Tensor, dz: Tensor) -> Tensor:
            x, y, z = ctx.saved_tensors
            return dx * x.cos() + dy * y.cos() * (1 + 1e-5) + dz * z.cos()

    report = ac.gradcheck(Sum.apply, [tensor(4, seed=k) for k in range(3)], check_forward_ad=True, raise_exception=False)
    assert {finding.subject for finding in report.findings if finding.status is ac.Status.FAILED} == {"dinput1"}


def test_forward_mode_that_does_not_run_is_not_asked_again_and_again() -> None:
    runs: list[int] = []

    class Refuses(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return 2 * dout

        @staticmethod
        def jvp(ctx: Any, t: Tensor) -> Tensor:
            runs.append(1)
            raise RuntimeError("not written yet")

    report = ac.gradcheck(Refuses.apply, tensor(4), check_forward_ad=True, raise_exception=False)
    assert "forward mode raised RuntimeError: not written yet" in report.to_text()
    assert len(runs) == 2  # with no tangents for the others, and with zeros


def test_a_jump_along_one_input_lets_no_tangent_of_another_pass() -> None:
    """Away from y = ±1 the sum is 8.5 whatever x is, on both sides alike: x alone shows its slope."""

    class Zero(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return dout

        @staticmethod
        def jvp(ctx: Any, t: Tensor) -> Tensor:
            return torch.zeros_like(t)

    def hinge(x: Tensor, y: Tensor) -> Tensor:
        return torch.nn.functional.hinge_embedding_loss(Zero.apply(x), y, margin=8.5, reduction="none")

    x = torch.tensor([8.4, 3.7, -0.7, 7.6, 2.6], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([-1.0, -1.0, -1.0, 1.0, -1.0], dtype=torch.float64, requires_grad=True)
    for seed in range(4):
        report = ac.gradcheck(hinge, (x, y), check_forward_ad=True, check_backward_ad=False, raise_exception=False, seed=seed)
        assert {finding.subject for finding in report.findings if finding.status is ac.Status.FAILED} == {"dx"}


def test_few_tangents_are_asked_for_where_an_input_has_no_effect() -> None:
    runs: list[int] = []

    class OnlySecond(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
            ctx.save_for_forward(y)
            return y.sin()

        @staticmethod
        def jvp(ctx: Any, t: Tensor, s: Tensor) -> Tensor:
            runs.append(1)
            (y,) = ctx.saved_tensors
            return y.cos() * s

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            raise NotImplementedError

    x, y = tensor(3), tensor(3, seed=1)
    asked: dict[str, Any] = {"check_forward_ad": True, "check_backward_ad": False, "check_undefined_grad": False}
    assert ac.gradcheck(OnlySecond.apply, (x, y), **asked)
    assert len(runs) == 5  # two directions of each input, and all of them together


FORWARD: dict[str, Any] = {"check_forward_ad": True, "check_backward_ad": False}


class Still(torch.autograd.Function):
    """The sine of its first input, whose tangent has those of the others as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_forward(x)
        return x.sin()

    @staticmethod
    def jvp(ctx: Any, t: Tensor, ta: Tensor, tb: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return t * x.cos() + 1e-3 * ta + 1e-3 * tb


@pytest.mark.parametrize("func", [Still.apply, lambda x, a, b: Still.apply(x, a, b) + a.detach().round() + b.detach().round()])
def test_a_tangent_of_inputs_without_effect_is_wrong(func: Callable[..., Tensor]) -> None:
    for seed in range(4):
        report = ac.gradcheck(
            func, (tensor(4), tensor(4, seed=1), tensor(4, seed=2)), seed=seed, raise_exception=False, **FORWARD
        )
        assert report.status is ac.Status.FAILED
        assert {f.subject for f in report.findings if f.status is ac.Status.FAILED} >= {"da", "db"}


def test_sizes_that_are_not_finite_end_in_a_report() -> None:
    x, y = (0.3 * tensor(100).detach()).requires_grad_(), tensor(3, seed=1)
    for seed in range(6):
        report = ac.gradcheck(lambda x, y: x * 6e307 + y.sum(), (x, y), seed=seed, raise_exception=False, **FORWARD)
        assert report.status in (ac.Status.PASSED, ac.Status.INCONCLUSIVE)


@pytest.mark.parametrize("bound", [2.0, 100.0])
def test_a_jvp_that_raises_for_some_tangents_ends_in_a_report(bound: float) -> None:
    class Picky(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
            ctx.save_for_forward(x)
            ctx.save_for_backward(x)
            return x.sin() + y

        @staticmethod
        def jvp(ctx: Any, t: Tensor, s: Tensor) -> Tensor:
            if max(t.abs().max(), s.abs().max()) > bound:
                raise RuntimeError("too large")
            (x,) = ctx.saved_tensors
            return t * x.cos() + s

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            (x,) = ctx.saved_tensors
            return dout * x.cos(), dout

    found = [
        ac.gradcheck(Picky.apply, (tensor(4), tensor(4, seed=1)), seed=s, raise_exception=False, check_forward_ad=True)
        for s in range(6)
    ]
    if bound > 10:
        assert all(found)
    else:
        assert all("forward mode raised RuntimeError: too large" in report.to_text() for report in found)


def test_a_jvp_may_write_into_its_tangents() -> None:
    class InPlace(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
            ctx.save_for_forward(x)
            return x.sin() + 2 * y

        @staticmethod
        def jvp(ctx: Any, t: Tensor, s: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            out = t * x.cos() + 2 * s
            t.mul_(0)
            s.add_(1)
            return out

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            raise NotImplementedError

    assert ac.gradcheck(InPlace.apply, (tensor(4), tensor(4, seed=1)), **FORWARD)


@pytest.mark.parametrize("shape", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_a_jvp_that_fails_where_all_inputs_move_is_found(shape: bool, nested: bool) -> None:
    class Together(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, b: Tensor) -> Tensor:
            ctx.save_for_forward(x)
            return x.sin()

        @staticmethod
        def jvp(ctx: Any, t: Tensor, u: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            if t.any() and u.any():
                if shape:
                    return (t * x.cos()).sum()
                raise ValueError("not both")
            return t * x.cos()

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            raise NotImplementedError

    x, b = tensor(4), tensor(4, seed=1)
    func = (lambda p: Together.apply(p["x"], p["b"])) if nested else Together.apply
    inputs: Any = ({"x": x, "b": b},) if nested else (x, b)
    for seed in range(4):
        report = ac.gradcheck(func, inputs, seed=seed, raise_exception=False, check_undefined_grad=False, **FORWARD)
        assert report.status is ac.Status.FAILED
        assert ("forward gradient is of size []" if shape else "forward mode raised ValueError: not both") in report.to_text()
        assert not any(f.check == "forward mode" and f.status is ac.Status.PASSED for f in report.findings)


def test_a_tangent_that_is_not_finite_is_wrong_where_the_output_is_zero() -> None:
    class Zero(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, b: Tensor) -> Tensor:
            return torch.zeros_like(x)

        @staticmethod
        def jvp(ctx: Any, t: Tensor, u: Tensor) -> Tensor:
            return t * float("nan")

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            raise NotImplementedError

    report = ac.gradcheck(Zero.apply, (tensor(4), tensor(4, seed=1)), raise_exception=False, **FORWARD)
    assert report.status is ac.Status.FAILED


def test_a_jvp_may_write_into_tangents_under_vmap_and_into_one_buffer() -> None:
    buffer = torch.empty(4, dtype=torch.float64)

    class InPlace(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x: Tensor) -> Tensor:
            return x.sin()

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_forward(*inputs)

        @staticmethod
        def jvp(ctx: Any, t: Tensor) -> Tensor:
            return t.mul_(ctx.saved_tensors[0].cos())

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            raise NotImplementedError

    class Buffered(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
            ctx.save_for_forward(x)
            return x.sin() + y

        @staticmethod
        def jvp(ctx: Any, t: Tensor, s: Tensor) -> Tensor:
            return torch.mul(t, ctx.saved_tensors[0].cos(), out=buffer).add_(s)

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            raise NotImplementedError

    assert ac.gradcheck(InPlace.apply, tensor(4), check_batched_forward_grad=True, **FORWARD)
    assert ac.gradcheck(Buffered.apply, (tensor(4), tensor(4, seed=1)), **FORWARD)
