"""Kernels that know one precision: judged in it, with a definition and without one, right and wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import autograd_check as ac
from tests.kernel.one_precision import KERNELS, WRONG

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
QUICK = [name for name in KERNELS if name != "attention in blocks"]


def judged(name: str, dtype: torch.dtype, seed: int, wrong: str = "", *, oracle: bool) -> ac.Report:
    kernel = KERNELS[name]
    function = kernel.function(dtype, *([WRONG[wrong]] if wrong else []))
    definition = kernel.definition if oracle else None
    return ac.gradcheck(function, kernel.inputs(dtype, seed), oracle=definition, seed=seed, raise_exception=False)


@pytest.mark.parametrize("name", KERNELS)
def test_a_right_kernel_matches_its_definition(name: str) -> None:
    for place, dtype in enumerate(DTYPES):
        report = judged(name, dtype, seed=100 + place, oracle=True)
        assert report.status is ac.Status.PASSED, report.to_text()
        assert "would have been seen" in report.to_text()


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_kernel_is_named_by_its_definition(wrong: str) -> None:
    for place, name in enumerate(KERNELS):
        report = judged(name, DTYPES[place % 3], seed=200 + place, wrong=wrong, oracle=True)
        failed = [finding.subject for finding in report.findings if finding.status is ac.Status.FAILED]
        assert failed == ["dinput0"], (name, report.to_text())


@pytest.mark.parametrize("name", ["matmul in blocks", "softmax", "cross-entropy"])
def test_a_right_kernel_matches_differences_of_itself(name: str) -> None:
    report = judged(name, DTYPES[len(name) % 3], seed=300, oracle=False)
    assert report.status is ac.Status.PASSED, report.to_text()
    assert "matches differences of the function in" in report.to_text()


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_kernel_does_not_match_differences_of_itself(wrong: str) -> None:
    name = QUICK[list(WRONG).index(wrong)]
    for dtype in (torch.float32, torch.bfloat16):
        assert judged(name, dtype, seed=400, wrong=wrong, oracle=False).status is ac.Status.FAILED


@pytest.mark.parametrize("seed", [15, 19])
def test_many_directions_see_together_what_none_sees_alone(seed: int) -> None:
    """A loss of one number of eight bits: its rounding is three times what the missing block leaves over along a direction."""
    assert judged("cross-entropy", torch.bfloat16, seed, oracle=False).status is ac.Status.PASSED
    assert judged("cross-entropy", torch.bfloat16, seed, "the last block", oracle=False).status is ac.Status.FAILED


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_over_and_over(name: str, seed: int) -> None:
    for dtype in DTYPES:
        for oracle in (True, False):
            assert judged(name, dtype, seed, oracle=oracle).status is ac.Status.PASSED
            for wrong in WRONG:
                assert judged(name, dtype, seed, wrong, oracle=oracle).status is ac.Status.FAILED, (dtype, oracle, wrong)


def test_one_percent_of_a_float32_kernel_and_ten_of_a_bfloat16_one() -> None:
    kernel = KERNELS["matmul in blocks"]
    for dtype, factor in ((torch.float32, 1.01), (torch.bfloat16, 1.1)):

        def spoil(grads: Any, factor: float = factor) -> Any:
            return (grads[0] * factor, *grads[1:])

        for oracle in (None, kernel.definition):
            report = ac.gradcheck(kernel.function(dtype, spoil), kernel.inputs(dtype, 5), oracle=oracle, raise_exception=False)
            assert report.status is ac.Status.FAILED


def causes(report: ac.Report) -> list[str]:
    return [finding.diagnosis.says for finding in report.findings if finding.diagnosis]


def test_a_factor_is_named_by_the_axis_that_has_its_length() -> None:
    (said,) = causes(judged("softmax", torch.float32, 1, "a missing reduction", oracle=True))
    assert said == "Every entry of dinput0 is 0.125 times the right value: 1/8, and axis 0 of input0 has length 8."


def test_a_block_at_the_border_is_named() -> None:
    (said,) = causes(judged("softmax", torch.bfloat16, 1, "the last block", oracle=True))
    assert said == "Only the last 4 of the 24 entries along axis 1 of dinput0 are wrong: a block at the border."


def test_a_wrong_forward_is_found_by_the_definition() -> None:
    kernel = KERNELS["layer norm"]
    report = ac.gradcheck(
        kernel.function(torch.float32),
        kernel.inputs(torch.float32, 0),
        oracle=lambda x, g, b: torch.nn.functional.layer_norm(x, x.shape[-1:], g, b, eps=0.5),
        raise_exception=False,
    )
    assert ("against the definition", "out") in {(f.check, f.subject) for f in report.findings if f.status is ac.Status.FAILED}


def test_an_oracle_in_float64_is_held_against_every_entry() -> None:
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert ac.gradcheck(torch.tanh, x, oracle=lambda x: 1 - 2 / ((2 * x).exp() + 1))
    assert not ac.gradcheck(torch.tanh, x, oracle=lambda x: x.tanh() * (1 + 1e-9), raise_exception=False)


def test_what_rounding_hides_is_inconclusive() -> None:
    def coarse(x: Tensor) -> Tensor:
        return (1000 + x.float().sum()).to(x.dtype)

    class Coarse(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            if x.dtype is not torch.bfloat16:
                raise RuntimeError("bfloat16 only")
            ctx.shape = x.shape
            return coarse(x)

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return dout.expand(ctx.shape)

    x = torch.randn(3, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    report = ac.gradcheck(Coarse.apply, x, raise_exception=False)
    assert report.status is ac.Status.INCONCLUSIVE
    assert "rounding in bfloat16 leaves nothing to see" in report.to_text()


def test_compare_holds_the_forward_alone() -> None:
    kernel = KERNELS["attention in blocks"]
    inputs = kernel.inputs(torch.bfloat16, 3)
    assert ac.compare(kernel.function(torch.bfloat16), kernel.definition, inputs)
    wrong = ac.compare(
        kernel.function(torch.bfloat16),
        lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=1.0),
        inputs,
        raise_exception=False,
    )
    assert "entries differ" in wrong.to_text()
    with pytest.raises(ac.GradientError, match="out"):
        ac.compare(kernel.function(torch.bfloat16), lambda q, k, v: v[:, :12] * math.pi, inputs)
