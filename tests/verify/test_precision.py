"""What may be called rounding: right gradients of hard functions pass, and no wrong one hides behind what rounding does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

import autograd_check as ac
from autograd_check.verify.candidate import Point
from autograd_check.verify.precision import RandomRounding, Rounding
from autograd_check.verify.tolerances import COARSE, EPS, RESOLUTION, of_its_size
from tests.verify.spoiling import scaler

SEEDS = range(3)
Backward = Callable[[tuple[Tensor, ...], Tensor], Any]


def normal(g: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=g, dtype=torch.float64)


def spread_out(g: Generator) -> Tensor:
    return normal(g, 12, 6) * torch.logspace(-6, 6, 6, dtype=torch.float64)


def one_large(g: Generator) -> Tensor:
    x = normal(g, 5, 4)
    x[0, 0] = 1e4
    return x


LABELS = torch.tensor([0, 3, 1, 2, 2, 0])
RIGHT: dict[str, tuple[Callable[..., Any], Callable[[Generator], tuple[Tensor, ...]]]] = {
    "a shift before a variance": (lambda x, w: (x + w).var(0), lambda g: (normal(g, 6, 4) / 1e3, normal(g, 1, 4))),
    "a shift before a normalisation": (
        lambda x, w: (x + w - (x + w).mean(0)) / (x + w).var(0).sqrt(),
        lambda g: (normal(g, 6, 4) / 1e3, normal(g, 1, 4)),
    ),
    "a quotient with its deviation": (
        lambda x, w: ((x + w) / (x + w).std(0)).sum(),
        lambda g: (normal(g, 6, 4), normal(g, 1, 4) * 1e4),
    ),
    "layer norm far from 0": (lambda x: F.layer_norm(x, (4,)) ** 2, lambda g: (normal(g, 5, 4) + 1e5,)),
    "sums of probabilities, 1e6 and 1e-6": (lambda x: x.softmax(-1).sum(), lambda g: (spread_out(g),)),
    "x / x": (lambda x: x / x, lambda g: (spread_out(g),)),
    "sums of probabilities, one large score": (lambda x: x.log_softmax(-1).exp().sum(-1), lambda g: (one_large(g),)),
    "scores far from 0": (lambda x, c: F.cross_entropy(x + c, LABELS), lambda g: (normal(g, 6, 4), normal(g, 6, 1) * 1e5)),
    "saturated attention": (
        lambda q, k, b: (q @ k.T + b).softmax(-1),
        lambda g: (normal(g, 4, 3), normal(g, 5, 3) * 100, normal(g, 5) * 1e3),
    ),
    "values near the largest number": (lambda x: 1e300 * x * x, lambda g: (normal(g, 5, 2),)),
    "tiny scores": (lambda x: x.softmax(-1), lambda g: (normal(g, 3, 4) * 1e-12,)),
    "a system of condition 1e6": (
        torch.linalg.solve,
        lambda g: (torch.linalg.qr(normal(g, 6, 6))[0] * torch.logspace(0, -6, 6, dtype=torch.float64), normal(g, 6, 2)),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_gradient_passes(name: str) -> None:
    function, inputs = RIGHT[name]
    for seed in SEEDS:
        drawn = tuple(x.requires_grad_() for x in inputs(Generator().manual_seed(seed)))
        report = ac.gradcheck(function, drawn, raise_exception=False, seed=seed)
        assert report.status is ac.Status.PASSED, f"seed {seed}: {report.to_text()}"


def as_function(forward: Callable[..., Any], backward: Backward) -> Callable[..., Any]:
    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *primals: Tensor) -> Any:
            ctx.save_for_backward(*primals)
            return forward(*primals)

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            return backward(ctx.saved_tensors, dout)

    apply: Callable[..., Any] = Layer.apply
    return apply


def square(factor: Callable[[Tensor], Any]) -> tuple[Callable[..., Any], Backward]:
    """x², its gradient times a factor that depends on the cotangent."""
    return lambda x: x * x, lambda primals, dout: 2 * primals[0] * dout * factor(dout)


def mean_square(factor: Callable[[Tensor], Any]) -> tuple[Callable[..., Any], Backward]:
    return lambda x: (x * x).mean(), lambda primals, dout: 2 * primals[0] * dout / primals[0].numel() * factor(dout)


def layer(of_bias: float) -> tuple[Callable[..., Any], Backward]:
    """x w + b with a wrong db."""
    return (
        lambda x, w, b: x @ w + b,
        lambda primals, dout: (dout @ primals[1].T, primals[0].T @ dout, of_bias * dout.sum(0)),
    )


def bias(size: float) -> tuple[Tensor, ...]:
    g = Generator().manual_seed(0)
    return normal(g, 6, 4), normal(g, 4, 3), normal(g, 3) * size


X = (normal(Generator().manual_seed(1), 10, 5),)
WRONG: dict[str, tuple[tuple[Callable[..., Any], Backward], tuple[Tensor, ...]]] = {
    "infinite for all ones": (square(lambda d: torch.where((d == 1).all(), torch.inf, 1.0)), X),
    "infinite and wrong for a large one": (square(lambda d: torch.where(d.max() > 2, torch.inf, 1.0)), X),
    "lost below 0.4": (square(lambda d: torch.where(d.abs() < 0.4, 0.0, 1.0)), X),
    "lost below 1e-3": (square(lambda d: torch.where(d.abs() < 1e-3, 0.0, 1.0)), X),
    "wrong for one entry alone": (square(lambda d: 1.01 if int((d != 0).sum()) == 1 else 1.0), X),
    "wrong beside zeros": (square(lambda d: 1.01 if bool((d == 0).any()) and bool(d.any()) else 1.0), X),
    "wrong for a short one": (square(lambda d: 1.01 if float(d.norm()) < 0.1 else 1.0), X),
    "a loss wrong for 1": (mean_square(lambda d: 1.5 if float(d) == 1 else 1.0), X),
    "a loss wrong below 0.4": (mean_square(lambda d: 1.5 if 0 < abs(float(d)) < 0.4 else 1.0), X),
    "no gradient of a tiny bias": (layer(0.0), bias(1e-13)),
    "one per cent too much of a tiny bias": (layer(1.01), bias(1e-10)),
    "twice the gradient at tiny numbers": (
        (torch.exp, lambda primals, dout: 2 * primals[0].exp() * dout),
        (normal(Generator().manual_seed(2), 8) * 1e-13,),
    ),
    "half as much again of 1e155 x²": ((lambda x: 1e155 * x * x, lambda primals, dout: 3e155 * primals[0] * dout), X),
    "no gradient of 1e-163 x²": ((lambda x: 1e-163 * x * x, lambda primals, dout: 0 * primals[0] * dout), X),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_fails(name: str) -> None:
    (forward, backward), primals = WRONG[name]
    inputs = tuple(x.clone().requires_grad_() for x in primals)
    assert ac.gradcheck(as_function(forward, backward), inputs, raise_exception=False).status is ac.Status.FAILED


def test_a_tiny_bias_with_its_right_gradient_passes() -> None:
    for size in (1e-10, 1e-12, 1e-13, 1e-310):
        assert ac.gradcheck(as_function(*layer(1.0)), tuple(x.requires_grad_() for x in bias(size)))


def test_what_a_passed_gradient_would_have_shown_is_said() -> None:
    report = ac.gradcheck(torch.tanh, X[0].clone().requires_grad_())
    (said,) = [f.message for f in report.findings if f.check == "finite differences"]
    start = "matches finite differences of your own forward; an error above "
    assert said.startswith(start)
    assert said.endswith(" in one entry would have been seen")
    assert float(said.removeprefix(start).split()[0]) < 1e-8


def test_random_rounding_moves_what_is_computed_and_nothing_else() -> None:
    x = torch.tensor([3.0, -2.0, 0.0], dtype=torch.float64)
    with RandomRounding(Generator().manual_seed(0)):
        moved, copied, turned, made = x * 1.0, x.clone(), x.flip(0), torch.ones(3, dtype=torch.float64)
    assert torch.equal(copied, x)
    assert torch.equal(turned, torch.tensor([0.0, -2.0, 3.0], dtype=torch.float64))
    assert torch.equal(made, torch.ones(3, dtype=torch.float64))
    assert 0 < float(((moved - x) / x)[:2].abs().max()) <= COARSE
    assert float(moved[2]) == 0


def test_a_complex_product_rounds_in_both_parts() -> None:
    z = torch.tensor([1.0 + 2.0j], dtype=torch.complex128)
    with RandomRounding(Generator().manual_seed(0)):
        product = z * z.conj()
    assert 0 < abs(float(product.imag)) <= 5 * COARSE


def test_rounding_of_a_gradient_that_cancels() -> None:
    def gradients(point: Point) -> dict[str, Any]:
        (x,) = point.primals.values()
        return {"x": (1e6 * x + 1) - 1e6 * x}

    found = Rounding(gradients, Point({"x": X[0]}))
    assert 0.01 * 1e6 * EPS < found.largest("x", 0) < 10 * 1e6 * EPS
    assert found.largest("y", 0) == 0


def test_roughness_is_no_rounding() -> None:
    """A gradient that is another one for every last place of its numbers is granted a sixteen-millionth of that."""

    def gradients(point: Point) -> dict[str, Any]:
        x = point.primals["x"] * 1.0
        return {"x": x * (1 + 0.01 * ((x * 1e12).sin()))}

    assert Rounding(gradients, Point({"x": X[0]})).largest("x", 0) <= 0.1 * EPS / COARSE * float(X[0].abs().max())


def test_a_definition_that_refuses_rounded_numbers_grants_nothing() -> None:
    def gradients(point: Point) -> dict[str, Any]:
        x = point.primals["x"] * 1.0
        if not torch.equal(x, point.primals["x"]):
            raise ValueError("not these numbers")
        return {"x": x}

    assert Rounding(gradients, Point({"x": X[0]})).largest("x", 0) == 0


def test_the_share_of_the_largest_entry_that_is_granted() -> None:
    assert of_its_size(2.0, 1) == 2 * RESOLUTION
    assert of_its_size(1.0, 10**12) == pytest.approx(8 * 1e6 * EPS)


class OneAtATime(torch.autograd.Function):
    """sin x and x², whose backward takes None for either or both; `wrong` doubles nothing where only x² is asked for."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, wrong: bool) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x)
        ctx.wrong = wrong
        return x.sin(), x * x

    @staticmethod
    def backward(ctx: Any, first: Tensor | None, second: Tensor | None) -> tuple[Tensor | None, None]:
        (x,) = ctx.saved_tensors
        if first is None and second is None:
            return None, None
        if first is None:
            return x * second * (1 if ctx.wrong else 2), None
        if second is None:
            return x.cos() * first, None
        return x.cos() * first + 2 * x * second, None


def test_one_output_at_a_time_gives_the_same_in_sum() -> None:
    x = X[0].clone().requires_grad_()
    assert ac.gradcheck(lambda x: OneAtATime.apply(x, False), (x,))
    report = ac.gradcheck(lambda x: OneAtATime.apply(x, True), (x,), raise_exception=False)
    (found,) = [f for f in report.findings if f.status is ac.Status.FAILED]
    assert (found.check, found.subject) == ("undefined gradients", "dx")
    assert found.message.startswith("cotangents for one output at a time give another dx than all together: 50 of 50 entries")


def test_a_complex_primal_is_held_against_an_oracle() -> None:
    z = torch.randn(4, generator=Generator().manual_seed(0), dtype=torch.complex128)

    def forward(z: Tensor) -> tuple[Tensor, Tensor]:
        return z * z, z

    assert ac.check_vjp(forward, lambda d, z: 2 * z.conj() * d, [z], oracle=lambda z: z * z)
    wrong = ac.check_vjp(forward, lambda d, z: 2 * z * d, [z], oracle=lambda z: z * z)
    assert wrong.status is ac.Status.FAILED


def test_a_jump_under_coarse_rounding_excuses_no_wrong_gradient() -> None:
    """The rank of a·bᵀ is 1; rounding every operation to 2⁻²⁸ makes it full, and its pseudo-inverse huge."""
    a, b = (torch.randn(3, 1, dtype=torch.float64, generator=Generator().manual_seed(k)).requires_grad_() for k in (0, 1))

    def inverse(factor: float) -> Any:
        return lambda a, b: torch.linalg.pinv(scaler(factor)(a) @ b.mT)

    assert ac.gradcheck(inverse(1.0), (a, b), raise_exception=False).status is ac.Status.PASSED
    assert ac.gradcheck(inverse(1.0001), (a, b), raise_exception=False).status is ac.Status.FAILED


def test_a_gradient_that_is_rounding_beside_an_output_of_zeros_passes() -> None:
    x, weight = (torch.tensor([0.7], dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert ac.gradcheck(lambda x, w: torch.nn.functional.layer_norm(x, (1,), w), (x, weight))


def test_rounding_leaves_infinity_where_it_is() -> None:
    z = torch.tensor([complex(-torch.inf, 0.0), 1 + 1j], dtype=torch.complex128)
    with RandomRounding(Generator().manual_seed(0)):
        rounded = z + torch.zeros((), dtype=torch.float64)
    assert rounded[0].real == -torch.inf
    assert rounded[0].imag == rounded[0].imag  # no nan
    assert 0 < abs(complex(rounded[1]) - (1 + 1j)) < 4 * COARSE


def test_a_second_derivative_that_is_rounding_alone_passes() -> None:
    z = torch.randn(5, 3, dtype=torch.complex128, generator=Generator().manual_seed(1))
    z[0] = 1e4  # beside it every other term of the sum is 0, and the second derivative with them
    assert ac.gradgradcheck(lambda z: z.logcumsumexp(0), z.requires_grad_())


def test_what_chooses_a_number_does_not_round_it() -> None:
    x = torch.tensor([0.3183, -0.1], dtype=torch.float64)
    with RandomRounding(Generator().manual_seed(0)):
        chosen = [x.abs().amax(), torch.linalg.vector_norm(x, torch.inf), torch.maximum(x, -x)[0], x.clamp(max=0.3183)[0]]
        rounded = torch.linalg.vector_norm(x, 2)
    assert [float(number) for number in chosen] == [0.3183] * 4
    assert 0 < abs(float(rounded) - float(torch.linalg.vector_norm(x, 2))) < COARSE


@pytest.mark.parametrize("value", [0.3183, -1.157838949627, 0.7])
def test_the_second_derivative_of_a_number_over_itself_is_rounding(value: float) -> None:
    def normalised(x: Tensor) -> Tensor:
        return x / torch.linalg.vector_norm(x, torch.inf)

    assert ac.gradgradcheck(normalised, torch.tensor(value, dtype=torch.float64, requires_grad=True), seed=5)


def spoilt_sine(factor: Callable[[Tensor], Any], constant: Any = 1.0) -> Any:
    """A constant times sin, with a gradient that is off by a factor of x."""

    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.sin() * (constant() if callable(constant) else constant)

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return dout * x.cos() * (constant() if callable(constant) else constant) * factor(x)

    return Sine.apply


ROUGH: dict[str, Any] = {
    "an error of the last bits": spoilt_sine(lambda x: 1 + 1e-3 * (1.4e12 * x).sin()),
    "phases of milliseconds": spoilt_sine(
        lambda x: 1.003, lambda: torch.cos((1.7e12 + torch.arange(12, dtype=torch.float64)) * 1.0)
    ),
}


@pytest.mark.parametrize("name", ROUGH)
def test_what_rounding_would_upset_excuses_no_wrong_gradient(name: str) -> None:
    x = torch.randn(12, dtype=torch.float64, generator=Generator().manual_seed(0)).requires_grad_()
    for seed in range(4):
        assert ac.gradcheck(ROUGH[name], x, seed=seed, raise_exception=False).status is ac.Status.FAILED
