"""The drop-in for torch.autograd.gradcheck: right functions pass, each with one perturbed backward fails and says where."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.utils._python_dispatch import TorchDispatchMode

import autograd_check as ac
from autograd_check.verify.trial import cotangents_of
from tests.verify.spoiling import scaler, spoiler


def tensor(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale
    return x.requires_grad_()


class Exp(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = x.exp()
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (out,) = ctx.saved_tensors
        return grad * out


class Affine(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight.T + bias

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        return grad @ weight, grad.T @ x, grad.sum(0)


class TimesConstant(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, constant: float) -> Tensor:
        ctx.constant = constant
        return x * constant

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return grad * ctx.constant, None


class Legendre(Function):
    """P₃(x) = (5x³ − 3x)/2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return 0.5 * (5 * x**3 - 3 * x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return grad * 1.5 * (5 * x**2 - 1)


class SinCos(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        ctx.save_for_backward(x)
        return x.sin(), x.cos()

    @staticmethod
    def backward(ctx: Any, from_sin: Tensor, from_cos: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return from_sin * x.cos() - from_cos * x.sin()


FUNCTIONS: list[tuple[type[Function], tuple[Any, ...], str]] = [
    (Exp, (tensor(3, 4),), "x"),
    (Affine, (tensor(4, 3), tensor(5, 3, seed=1), tensor(5, seed=2)), "weight"),
    (TimesConstant, (tensor(6), 3.5), "x"),
    (Legendre, (tensor(2, 5),), "x"),
    (SinCos, (tensor(7),), "x"),
]


def perturbed(original: type[Function], position: int) -> type[Function]:
    """The same function with one entry of one gradient wrong by one part in a thousand."""

    class Perturbed(original):  # type: ignore[misc, valid-type]
        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> Any:
            answer = original.backward(ctx, *grads)
            answers = list(answer) if isinstance(answer, tuple) else [answer]
            wrong = answers[position].clone()
            wrong.view(-1)[1] *= 1.001
            answers[position] = wrong
            return tuple(answers)

    return Perturbed


@pytest.mark.parametrize(("function", "inputs", "name"), FUNCTIONS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_right_function_passes_and_a_perturbed_one_names_its_input(
    function: type[Function], inputs: tuple[Any, ...], name: str
) -> None:
    assert ac.gradcheck(function.apply, inputs)
    position = 1 if name == "weight" else 0
    wrong = perturbed(function, position)
    with pytest.raises(ac.GradientError) as raised:
        ac.gradcheck(wrong.apply, inputs)
    text = " ".join(str(raised.value).split())
    assert f"d{name}" in text
    assert "1 of" in text
    assert "worst at" in text
    assert "expected" in text
    assert "resolution" in text


IMAGE, SIGNAL = tensor(2, 3, 5, 4), tensor(2, 3, 7)
BUILTINS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "linear": (F.linear, (tensor(4, 3), tensor(5, 3, seed=1), tensor(5, seed=2))),
    "conv1d": (F.conv1d, (SIGNAL, tensor(2, 3, 3, seed=1))),
    "conv2d": (F.conv2d, (IMAGE, tensor(2, 3, 3, 2, seed=1), tensor(2, seed=2))),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), (IMAGE,)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), (IMAGE,)),
    "softmax": (lambda x: F.softmax(x, -1), (tensor(3, 5),)),
    "log_softmax": (lambda x: F.log_softmax(x, -1), (tensor(3, 5),)),
    "gelu": (F.gelu, (tensor(4, 3),)),
    "silu": (F.silu, (tensor(4, 3),)),
    "elu": (F.elu, (tensor(4, 3),)),
    "softplus": (F.softplus, (tensor(4, 3),)),
    "layer_norm": (lambda x: F.layer_norm(x, (6,)), (tensor(3, 6),)),
    "group_norm": (lambda x: F.group_norm(x, 3), (tensor(2, 6, 3),)),
    "cross_entropy": (F.cross_entropy, (tensor(4, 5), torch.tensor([0, 4, 2, 2]))),
    "mse_loss": (F.mse_loss, (tensor(4, 3), tensor(4, 3, seed=1))),
    "huber_loss": (F.huber_loss, (tensor(4, 3), tensor(4, 3, seed=1))),
    "normalize": (F.normalize, (tensor(4, 3),)),
    "embedding": (lambda w: F.embedding(torch.tensor([0, 2, 2, 1]), w), (tensor(4, 3),)),
    "attention": (F.scaled_dot_product_attention, (tensor(2, 4, 3), tensor(2, 4, 3, seed=1), tensor(2, 4, 3, seed=2))),
    "relu": (F.relu, (tensor(5, 4),)),
}


def spoiled(fn: Callable[..., Any], inputs: tuple[Any, ...], size: float) -> Callable[..., Any]:
    """The same value; the gradient of the first input is off by `size`, relative, in one entry that matters."""
    out = fn(*inputs)
    slopes = torch.autograd.grad((out * torch.linspace(1, 2, out.numel()).reshape(out.shape)).sum(), inputs[0])[0]
    entry = int(slopes.abs().argmax())

    class Spoil(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            wrong = grad.clone()
            wrong.view(-1)[entry] *= 1 + size
            return wrong

    return lambda x, *rest: fn(Spoil.apply(x), *rest)


@pytest.mark.parametrize("name", BUILTINS)
def test_functions_of_torch_pass_and_with_one_wrong_entry_fail(name: str) -> None:
    fn, inputs = BUILTINS[name]
    assert ac.gradcheck(fn, inputs).status is ac.Status.PASSED
    report = ac.gradcheck(spoiled(fn, inputs, 1e-3), inputs, raise_exception=False)
    assert report.status is ac.Status.FAILED
    wrong = [finding for finding in report.findings if finding.status is ac.Status.FAILED]
    assert [finding.subject for finding in wrong] == ["dinput0"] or wrong[0].subject == "dx"
    assert wrong[0].mismatch is not None
    assert wrong[0].mismatch.wrong == 1
    assert wrong[0].mismatch.relative_error == pytest.approx(1e-3, rel=1e-2)


class Blind(Function):
    """1e-6·Σx with a gradient of zero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = x.shape
        return 1e-6 * x.sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return torch.zeros(ctx.shape, dtype=grad.dtype)


class Doubled(Function):
    """1e-6·Σx² with twice its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return 1e-6 * (x * x).sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 4e-6 * ctx.saved_tensors[0]


class Mutating(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 3 * x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.mul_(3).clone()


class DeafSoftmax(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = torch.softmax(x, -1)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (out,) = ctx.saved_tensors
        return out - out * out.sum(-1, keepdim=True)


class DeafNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (x - x.mean(0)) / x.std(0, unbiased=False)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return torch.zeros_like(grad)


@pytest.mark.parametrize(
    ("function", "cause"),
    [
        (Blind, "zero_gradient"),
        (Doubled, "constant_factor"),
        (Mutating, "mutates_input"),
        (DeafSoftmax, ""),
        (DeafNorm, "zero_gradient"),
    ],
)
def test_blind_spots_of_other_checkers_are_closed(function: type[Function], cause: str) -> None:
    report = ac.gradcheck(function.apply, (tensor(6, 4),), raise_exception=False)
    assert report.status is ac.Status.FAILED
    causes = {f.diagnosis.cause for f in report.findings if f.diagnosis and f.status is ac.Status.FAILED}
    assert not cause or cause in causes


def test_torch_itself_passes_the_first_three() -> None:
    """The reason for those tests: if torch's checker learns to see them, say so in the documents."""
    for function in (Blind, Doubled):
        assert torch.autograd.gradcheck(function.apply, (tensor(6, 4),))


def test_running_statistics_are_as_before() -> None:
    layer = nn.BatchNorm1d(4).double()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    assert ac.gradcheck(layer, (tensor(6, 4),))
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_dropout_draws_the_same_mask_each_time() -> None:
    assert ac.gradcheck(lambda x: F.dropout(x, 0.4), (tensor(6, 4),))


def test_something_that_differs_from_call_to_call_is_said_to() -> None:
    calls = iter(range(10**6))
    report = ac.gradcheck(lambda x: x * (1 + 1e-3 * next(calls)), (tensor(3),), raise_exception=False)
    assert any(f.diagnosis and f.diagnosis.cause == "nondeterministic" for f in report.findings)
    assert not report


def test_a_backward_that_cannot_do_without_a_cotangent_is_found() -> None:
    class Greedy(SinCos):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Any:
            ctx.set_materialize_grads(False)
            return SinCos.forward(ctx, x)

    report = ac.gradcheck(Greedy.apply, (tensor(4),), raise_exception=False)
    failed = [f for f in report.findings if f.status is ac.Status.FAILED]
    assert [f.check for f in failed] == ["undefined gradients"]
    assert "alone the backward raised TypeError" in failed[0].message


def test_complex_functions() -> None:
    z = torch.randn(3, 2, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert ac.gradcheck(lambda z: z * z.conj() + z.exp(), (z,))
    assert ac.gradcheck(lambda z: z.abs(), (z,))


@pytest.mark.parametrize("part", ["real", "imag"])
def test_a_backward_that_drops_a_part_of_a_complex_cotangent(part: str) -> None:
    class Square(Function):
        """z² whose backward sees the real or the imaginary part of its cotangent alone."""

        @staticmethod
        def forward(ctx: Any, z: Tensor) -> Tensor:
            ctx.save_for_backward(z)
            return z * z

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            seen = grad.real if part == "real" else 1j * grad.imag
            return seen * 2 * ctx.saved_tensors[0].conj()

    z = torch.randn(3, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    report = ac.gradcheck(Square.apply, (z,), raise_exception=False)
    assert {f.subject for f in report.findings if f.status is ac.Status.FAILED} == {"dz"}


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9])
def test_a_constant_function_with_a_gradient(size: float) -> None:
    """The output is 0 but for rounding, so the gradient is; one that means something is wrong."""

    class Excess(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.softmax(-1).sum(-1) - 1

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return size * grad[:, None] * ctx.saved_tensors[0]

    report = ac.gradcheck(Excess.apply, (tensor(4, 5),), raise_exception=False)
    assert report.status is ac.Status.FAILED


@pytest.mark.parametrize(("value", "said"), [(None, "returned None"), ("text", "returned str"), ((None,), "returned tuple")])
def test_a_function_that_returns_no_tensor(value: Any, said: str) -> None:
    report = ac.gradcheck(lambda x: value, (tensor(3),), raise_exception=False)
    (finding,) = report.findings
    assert finding.status is ac.Status.FAILED
    assert finding.message == f"the function {said}, expected a tensor, or several in a tuple: is a return missing?"


def test_a_backward_that_divides_by_its_cotangent() -> None:
    class Divides(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return 2 * grad * grad / grad

    report = ac.gradcheck(Divides.apply, (tensor(3),), raise_exception=False)
    assert [f.check for f in report.findings if f.status is ac.Status.FAILED] == ["linear in dout"]


@pytest.mark.parametrize("seed", range(5))
def test_a_gradient_that_jumps_where_it_is_wrong(seed: int) -> None:
    """An entry lies right where the wrong backward changes its mind, and a nudge takes it across."""

    class Cube(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return grad * torch.where(x < -1, 3.01 * x**2, 3 * x**2)

    x = torch.linspace(-2, 2, 9, dtype=torch.float64).requires_grad_()
    assert ac.gradcheck(Cube.apply, (x,), raise_exception=False, seed=seed).status is ac.Status.FAILED


def test_a_small_entry_beside_large_ones() -> None:
    """Seven entries hide an eighth that is wrong by a millionth of them."""
    spoilt = spoiler([7], 1e-3)
    x = torch.tensor([0.15, -0.2, 0.9, -0.8, 0.5, 0.7, -0.6, 2.0], dtype=torch.float64).requires_grad_()
    report = ac.gradcheck(lambda x: spoilt(x) ** -2, (x,), raise_exception=False)
    finding = next(f for f in report.findings if f.status is ac.Status.FAILED)
    assert finding.mismatch is not None
    assert finding.mismatch.index == (7,)


def test_float32_is_checked_in_float64_and_then_as_it_is() -> None:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    report = ac.gradcheck(lambda x: torch.softmax(x, -1), (x,))
    assert ("own precision", "dx") in {(f.check, f.subject) for f in report.findings}
    assert ac.gradcheck(nn.Linear(3, 2), (x,))


def test_a_hidden_float_is_exposed() -> None:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    report = ac.gradcheck(lambda x: x.float().exp().to(x.dtype), (x,), raise_exception=False)
    assert any(f.diagnosis and f.diagnosis.cause == "wrong_dtype" for f in report.findings)


def test_second_derivatives() -> None:
    assert ac.gradgradcheck(lambda x, y: x.sin() * y**2, (tensor(3), tensor(3, seed=1)))

    class First(Function):
        """x³ whose backward is right but whose second derivative is cut off."""

        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return grad * 3 * ctx.saved_tensors[0].detach() ** 2

    assert ac.gradcheck(First.apply, (tensor(3),))
    with pytest.raises(ac.GradientError, match="zero_gradient|zero in every entry"):
        ac.gradgradcheck(First.apply, (tensor(3),))


def test_torchs_keywords_are_taken_and_explained() -> None:
    report = ac.gradcheck(torch.sin, (tensor(3),), 1e-6, 1e-4, 1e-3, fast_mode=True)
    assert report
    assert report.notes == ("eps is ignored: steps are chosen from the function", "fast_mode is ignored: there is one mode")
    with pytest.raises(TypeError, match="unexpected keyword argument 'tolerance'"):
        ac.gradcheck(torch.sin, (tensor(3),), tolerance=1)  # type: ignore[call-arg]  # the error is what is looked at


def test_inputs_without_a_gradient_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one input tensor with requires_grad=True"):
        ac.gradcheck(torch.sin, (torch.zeros(3, dtype=torch.float64),))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (2, 0, 4)])
def test_odd_shapes(shape: tuple[int, ...]) -> None:
    assert ac.gradcheck(lambda x: x.sin(), (tensor(*shape),)).status is ac.Status.PASSED


def test_importing_the_package_does_not_import_torch() -> None:
    import subprocess
    import sys

    code = "import sys, autograd_check; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def phases(seed: int) -> Tensor:
    """Numbers whose phase turns a thousand times in the smallest step but one: `log` jumps by 2πi beside some of them."""
    g = torch.Generator().manual_seed(seed)
    parts = [1e6 * torch.randn(4, 4, dtype=torch.float64, generator=g) for _ in range(2)]
    return torch.complex(*parts).requires_grad_()


@pytest.mark.parametrize("seed", [7, 20, 28, 40])
def test_a_jump_nearby_does_not_speak_against_a_right_gradient(seed: int) -> None:
    def sums(z: Tensor) -> Tensor:
        return z.logsumexp(1)

    assert ac.gradcheck(sums, phases(seed))
    spoilt = scaler(1.0001)
    assert ac.gradcheck(lambda z: sums(spoilt(z)), phases(seed), raise_exception=False).status is ac.Status.FAILED


def test_a_kink_in_the_imaginary_part_is_stepped_off() -> None:
    z = torch.tensor([1 + 0j, 2 + 0j, -1 + 1j], dtype=torch.complex128, requires_grad=True)
    assert ac.gradcheck(lambda z: z.imag.abs() * z.real, z)
    spoilt = scaler(1.001)
    assert ac.gradcheck(lambda z: (w := spoilt(z)).imag.abs() * w.real, z, raise_exception=False).status is ac.Status.FAILED


class RoundsToFloat32(Function):
    """A square that loses its digits inside, so that it stands still at the finest steps; with a gradient of zero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (x.float() ** 2).double()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return torch.zeros_like(grad)


@pytest.mark.parametrize("seed", range(4))
def test_a_function_that_stands_still_at_tiny_steps_does_not_speak_for_a_gradient_of_zero(seed: int) -> None:
    report = ac.gradcheck(RoundsToFloat32.apply, tensor(1, seed=seed), raise_exception=False, seed=seed)
    assert [f.status for f in report.findings if f.check == "finite differences"] == [ac.Status.FAILED]


def rounded_softmax(x: Tensor) -> Tensor:
    """x − logsumexp(x) is a multiple of 2e-13 for x near 2,000: at the finest steps the largest entry's part of a slope is lost."""
    return torch.exp(x - torch.logsumexp(x, 0))


@pytest.mark.parametrize("gap", [10, 14, 18, 20, 22])
def test_an_output_that_stands_still_in_one_entry_does_not_speak_against_a_right_gradient(gap: int) -> None:
    x = torch.tensor([1975.63, 1491.1, 1140.5, 1975.63 - gap, 1227.0], dtype=torch.float64, requires_grad=True)
    for seed in range(8):
        assert ac.gradcheck(rounded_softmax, x, seed=seed)


@pytest.mark.parametrize("gap", [10, 14, 18])
def test_nor_does_it_hide_a_wrong_one(gap: int) -> None:
    x = torch.tensor([1975.63, 1491.1, 1140.5, 1975.63 - gap, 1227.0], dtype=torch.float64, requires_grad=True)
    spoilt = scaler(1.1)
    for seed in range(8):
        report = ac.gradcheck(lambda x: rounded_softmax(spoilt(x)), x, seed=seed, raise_exception=False)
        assert report.status is ac.Status.FAILED


@pytest.mark.parametrize("seed", range(3))
def test_a_jump_that_only_large_steps_cross_excuses_no_wrong_gradient(seed: int) -> None:
    """arctan jumps where an entry's real part changes its sign beyond ±i; the steps that the estimate rests on do not reach that far."""
    g = torch.Generator().manual_seed(seed)
    z = torch.complex(*(5 * torch.randn(40, dtype=torch.float64, generator=g) for _ in range(2)))
    z[[3, 7]] = torch.tensor([1e-4 + 3j, 1 + 1j], dtype=z.dtype)
    z.requires_grad_()
    assert ac.gradcheck(torch.atan, z)
    spoilt = spoiler([7], 1e-5)
    assert ac.gradcheck(lambda z: torch.atan(spoilt(z)), z, raise_exception=False).status is ac.Status.FAILED


def test_a_slope_far_below_the_output_is_measured_with_larger_steps() -> None:
    """A bias that adds 1e-11 of the output: steps of a 64th of its size leave a tenth of the slope to rounding."""

    def layer(x: Tensor, bias: Tensor) -> Tensor:
        return 1e3 * x.exp() + 1e-8 * bias

    x, bias, spoilt = tensor(3), 3 * tensor(3, seed=1).detach(), scaler(1.2)
    bias.requires_grad_()
    for seed in range(24):  # where a second direction drowns, it goes farther as well
        assert ac.gradcheck(layer, (x, bias), seed=seed)
        report = ac.gradcheck(lambda x, b: layer(x, spoilt(b)), (x, bias), seed=seed, raise_exception=False)
        assert report.status is ac.Status.FAILED


def test_long_steps_say_nothing_of_what_bends_on_the_size_of_a_tiny_input() -> None:
    """Beyond 1e-6 the first term is flat; before that rounding of the second drowns it. Whether its slope is right cannot be seen."""
    both = tensor(6).detach()
    x, y = (1e-6 * both[:3]).requires_grad_(), both[3:].clone().requires_grad_()
    for seed in range(12):
        assert ac.gradcheck(lambda x, y: 1e-8 * torch.tanh(x / 1e-6) + 1e6 * y**2, (x, y), seed=seed)


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_a_function_that_is_zero_but_for_rounding_are_no_kinks(seed: int) -> None:
    """Two columns correlate by ±1, which is clipped: whether rounding reached beyond 1 decides what the gradient of 1e-16 is."""
    x = (5 * tensor(3, 2, seed=seed).detach()).requires_grad_()
    for other in range(4):
        assert ac.gradgradcheck(torch.corrcoef, (x,), seed=other)


def test_a_backward_that_writes_into_its_cotangent_spoils_no_other_check() -> None:
    """Cotangents of one form are drawn once for all checks."""

    class Writes(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            return grad.zero_()

    x = tensor(7)
    first = ac.gradcheck(torch.tanh, x).to_text()
    assert ac.gradcheck(Writes.apply, x, raise_exception=False).status is ac.Status.FAILED
    assert ac.gradcheck(torch.tanh, x).to_text() == first


@pytest.mark.parametrize("scale", [1e-14, 1e-20, 1e-100])
def test_a_tiny_function_at_a_kink_is_no_rounding(scale: float) -> None:
    """It falls with the step, as rounding does not."""
    x, zero = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64, requires_grad=True), scaler(0.0)
    assert ac.gradcheck(lambda x: scale * x.abs(), x)
    assert ac.gradcheck(lambda x: scale * zero(x).abs(), x, raise_exception=False).status is ac.Status.FAILED


@pytest.mark.parametrize("seed", range(3))
def test_what_is_smooth_and_flat_is_no_rounding(seed: int) -> None:
    """exp(−1/z²) falls below one unit of 1 within a step or two; a quarter of what it moved by before is no noise."""

    def function(x: Tensor) -> Tensor:
        return torch.cat([1e4 + 1e4 * torch.exp(-1 / (1e3 * (x - 1) ** 2 + 1e-30)), x.sin()])

    x, spoilt = torch.ones(3, dtype=torch.float64, requires_grad=True), scaler(1.0001)
    assert ac.gradcheck(function, x, seed=seed)
    assert ac.gradcheck(lambda x: function(spoilt(x)), x, seed=seed, raise_exception=False).status is ac.Status.FAILED


def test_a_function_that_moves_at_large_steps_is_not_constant_at_small_ones() -> None:
    """log rounded to multiples of 0.002: it stands still at small steps, and a gradient of zero is not right."""
    x, zero = torch.tensor([0.3, 0.7, 1.4, 2.0], dtype=torch.float64, requires_grad=True), scaler(0.0)
    for seed in range(4):
        report = ac.gradcheck(lambda x: (zero(x).log() + 1e13) - 1e13, x, seed=seed, raise_exception=False)
        assert report.status is not ac.Status.PASSED


@pytest.mark.parametrize("gap", [20.0, 38.0, 100.0])
def test_a_second_derivative_below_the_rounding_of_ones_is_not_called_wrong(gap: float) -> None:
    """g − Σ g·s is 0 where s is 1 to the last bit: the tail of 1e-17 is lost in it, and not in the other entries."""
    x = torch.tensor([gap, 0.0, -2.0], dtype=torch.float64, requires_grad=True)
    for seed in range(6):
        assert ac.gradgradcheck(lambda x: x.softmax(0), x, seed=seed, raise_exception=False).status is ac.Status.PASSED


@pytest.mark.parametrize("several", [(tensor(3), None, tensor(2, 2)), (tensor(3), tensor(2, 2))])
def test_cotangents_that_are_kept_are_those_that_are_drawn(several: tuple[Any, ...]) -> None:
    """Those of a list are drawn each time, those of a tuple once; what carries no gradient has none."""
    drawn = cotangents_of(list(several), 5, full=True)
    for _ in range(2):
        kept = cotangents_of(several, 5, full=True)
        assert len(kept) == len(drawn) == 5
        for one, other in zip(kept, drawn, strict=True):
            assert [leaf is None for leaf in one] == [leaf is None for leaf in several]
            assert all(a is b or torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_cotangents_drawn_under_a_mode_are_its_own() -> None:
    class Zeroes(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            return out.mul_(0) if "uniform_" in str(func) else out

    x, zero = tensor(11), scaler(0.0)
    with Zeroes():
        ac.gradcheck(torch.sin, x, raise_exception=False)
    assert ac.gradcheck(lambda x: zero(x).sin(), x, raise_exception=False).status is ac.Status.FAILED


def test_a_buffer_that_is_returned_again_and_again_has_a_tape_in_every_check() -> None:
    buffer = torch.zeros(5, dtype=torch.float64)

    class Fills(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            torch.sin(x.detach(), out=buffer)
            return buffer

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            return grad * ctx.saved_tensors[0].cos()

    assert ac.gradcheck(Fills.apply, tensor(5), check_batched_grad=True)


@pytest.mark.parametrize(("given", "said"), [(None, "RuntimeError"), (torch.ones(2, dtype=torch.float64), "Mismatch in shape")])
def test_a_cotangent_that_does_not_fit_is_refused_in_the_words_of_torch(given: Tensor | None, said: str) -> None:
    report = ac.gradgradcheck(torch.tanh, tensor(3), [given], raise_exception=False)
    assert report.status is ac.Status.FAILED
    assert said in report.to_text()


@pytest.mark.parametrize("bits", [28, 30])
def test_a_function_on_a_grid_shows_its_slope_to_large_steps(bits: int) -> None:
    """Rounded to a fixed point, straight through: small steps see the grid, larger ones land on it."""

    def function(x: Tensor) -> Tensor:
        return x + (torch.round(x * 2**bits) / 2**bits - x).detach()

    x = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for seed in range(4):
        assert ac.gradcheck(function, x, seed=seed)


TENTH_MORE = scaler(1.1)


@pytest.mark.parametrize(
    "check",
    [
        lambda: ac.gradcheck(torch.tanh, tensor(5), check_forward_ad=True),
        lambda: ac.gradgradcheck(torch.tanh, tensor(5), check_fwd_over_rev=True),
        lambda: ac.gradcheck(lambda x: TENTH_MORE(x).relu(), tensor(5), raise_exception=False),
        lambda: ac.check_vjp(lambda x: (x.exp(), x.exp()), lambda dout, cache: dout * cache, [tensor(5).detach()]),
    ],
)
def test_a_check_leaves_nothing_to_the_collector_of_garbage(check: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tensors and its tape are gone when it returns: a device's memory is free again, and no test-suite waits for the collector."""
    monkeypatch.setattr("autograd_check.run.batch.LONG", float("inf"))  # torch.vmap leaves cycles of its own
    check()
    gc.collect()
    gc.disable()
    try:
        check()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_nothing_is_kept_of_a_check_inside_a_transform() -> None:
    """What is made while functorch interprets has no numbers once it is over."""
    x = tensor(5, 2)

    def inside(z: Tensor) -> Tensor:
        with contextlib.suppress(RuntimeError):  # what a check gives there is a matter of torch's own
            ac.gradgradcheck(torch.exp, (x,), raise_exception=False, seed=77)
        return 2 * z

    torch.func.functionalize(inside)(torch.ones(3))
    assert ac.gradgradcheck(torch.exp, (x,), seed=77)


def test_a_workspace_that_the_next_forward_fills_is_asked_about_in_one_go() -> None:
    work = torch.empty(4, dtype=torch.float64)

    class Reuses(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Any:
            torch.cos(x, out=work)
            return x.sin(), x * 2

        @staticmethod
        def backward(ctx: Any, g: Tensor, h: Tensor) -> Tensor:
            return g * work + 2 * h

    assert ac.gradcheck(Reuses.apply, (tensor(4),))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_kernel_at_an_input_without_a_finite_entry_ends_in_a_report(value: float) -> None:
    def kernel(x: Tensor) -> Tensor:
        if x.dtype is torch.float64:
            raise RuntimeError("float32 only")
        return x * 2

    report = ac.gradcheck(kernel, torch.full((3,), value, requires_grad=True), raise_exception=False)
    assert report.status is ac.Status.INCONCLUSIVE
    assert "no entry of x is finite, so that nothing can move" in report.to_text()


@pytest.mark.parametrize("count", [3, 200])
def test_entries_whose_squares_overflow_are_located(count: int) -> None:
    x = torch.full((count,), 1e200, dtype=torch.float64, requires_grad=True)
    assert ac.gradcheck(lambda x: x / 1e190, x)
    report = ac.gradcheck(lambda x: scaler(2.0)(x) / 1e190, x, raise_exception=False)
    assert report.status is ac.Status.FAILED
    assert f"{count} of {count} entries differ" in report.to_text()


class Unwraps(Tensor):
    """A subclass whose operations give plain tensors."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Unwraps:
        made: Unwraps = Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype)
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch declares another form than it calls
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.ops.aten.detach.default:
            return Unwraps(args[0].held)
        return func(*(x.held if isinstance(x, Unwraps) else x for x in args), **(kwargs or {}))


def test_an_input_of_a_class_that_numpy_does_not_know() -> None:
    assert ac.gradcheck(torch.sin, Unwraps(tensor(3).detach()).requires_grad_())
