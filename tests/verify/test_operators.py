"""A fixed sample of torch's operator database: right gradients pass, wrong ones fail. `make peers` runs all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import autograd_check as ac
from tests.operators import SPOILS, Case, cases, database, spoiled, title
from tests.peers import shows

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
NAMED = [
    "sgn",
    "mul",
    "floor",
    "round",
    "sort",
    "max.reduction_with_dim",
    "topk",
    "median",
    "lu_factor",
    "linalg.lu_factor",
    "linalg.lstsq",
    "native_layer_norm",
    "as_strided",
    "abs",
    "fft.rfft",
    "nn.functional.grid_sample",
    "nn.functional.max_pool2d",
    "nn.functional.batch_norm",
    "sparse.mm",
    "masked_select",
    "nn.functional.hardswish",
    "frac",
    "vdot",
    "nn.functional.scaled_dot_product_attention",
    "logsumexp",
    "linalg.householder_product",
    "svd_lowrank",
    "complex",
    "real",
    "view_as_complex",
    "where",
    "cummax",
]
"""What the table of faults is about, and what raised an alarm since."""
STRIDE = 6
JUSTIFIED = {"nn.functional.hardsigmoid"}
"""torch's slope of it in float64 is float32(1/6)."""


def sample(dtype: torch.dtype, seed: int) -> Iterator[tuple[str, Case]]:
    """One sample of every sixth operator and of the named ones: the first with more than three entries."""
    for place, op in enumerate(database()):
        if (place % STRIDE and title(op) not in NAMED) or title(op) in JUSTIFIED:
            continue
        large = (case for case in cases(op, dtype, seed) if sum(x.numel() for x in case.inputs if isinstance(x, Tensor)) > 3)
        case = next(large, None)
        if case is not None:
            yield title(op), case


def alarms(checked: Iterator[tuple[str, Any]], status: ac.Status) -> tuple[int, list[str]]:
    """How many operators there were, and what did not have the status that it should have."""
    answers = list(checked)
    return len({name for name, _ in answers}), [report.to_text() for _, report in answers if report.status is not status]


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
def test_right_gradients_pass(dtype: torch.dtype) -> None:
    count, wrong = alarms(
        (
            (name, ac.gradcheck(case.func, case.inputs, nondet_tol=case.nondet, raise_exception=False))
            for name, case in sample(dtype, seed=50)
        ),
        ac.Status.PASSED,
    )
    assert wrong == []
    assert count > (80 if dtype is torch.float64 else 40)


def test_forward_mode_passes() -> None:
    count, wrong = alarms(
        (
            (name, ac.gradcheck(case.func, case.inputs, check_forward_ad=True, check_backward_ad=False, raise_exception=False))
            for name, case in list(sample(torch.float64, seed=51))[::3]
            if case.forward
        ),
        ac.Status.PASSED,
    )
    assert wrong == []
    assert count > 20


def test_second_derivatives_pass() -> None:
    count, wrong = alarms(
        (
            (name, ac.gradgradcheck(case.func, case.inputs, nondet_tol=case.nondet, raise_exception=False))
            for name, case in list(sample(torch.float64, seed=52))[1::4]
            if case.second
        ),
        ac.Status.PASSED,
    )
    assert wrong == []
    assert count > 20


def test_wrong_gradients_fail() -> None:
    found = [
        (name, case)
        for name, case in sample(torch.float64, seed=53)
        if name not in {"nn.functional.scaled_dot_product_attention"}
    ]
    spoils = [(name, spoil) for name, spoil in SPOILS.items() if name != "conjugated"]
    count, wrong = alarms(
        (
            (name, ac.gradcheck(spoiled(case, spoils[place % len(spoils)][1]), case.inputs, raise_exception=False))
            for place, (name, case) in enumerate(found[2::9])
            if matters(case, spoils[place % len(spoils)][1])
        ),
        ac.Status.FAILED,
    )
    assert wrong == []
    assert count > 6


def matters(case: Case, spoil: Any) -> bool:
    """Whether the wrong gradient is one: an operator may not depend on the entry that is wrong."""
    place = next(k for k, x in enumerate(case.inputs) if isinstance(x, Tensor) and x.requires_grad)

    def gradient(func: Any) -> Tensor:
        torch.default_generator.manual_seed(0)
        out = func(*case.inputs)
        outs = [o for o in (out if isinstance(out, (tuple, list)) else [out]) if isinstance(o, Tensor) and o.requires_grad]
        (grad,) = torch.autograd.grad(
            outs, [case.inputs[place]], [torch.linspace(1, 2, o.numel()).reshape(o.shape).to(o) for o in outs]
        )
        return grad

    right, wrong = gradient(case.func), gradient(spoiled(case, spoil))
    return bool((right - wrong).abs().max() > 1e-7 * right.abs().max())


def test_what_rounds_inside_is_not_called_wrong() -> None:
    """logsumexp near 2,000: its largest entry moves in multiples of 2e-13 only, and its second derivatives are 1e-9 of the output."""
    (op,) = (op for op in database() if op.name == "logsumexp")
    case = list(cases(op, torch.float64, 4))[7]
    asked: dict[str, Any] = {"check_fwd_over_rev": True, "check_rev_over_rev": False, "check_undefined_grad": False}
    for seed in range(8):
        assert ac.gradgradcheck(case.func, case.inputs, seed=seed, raise_exception=False, **asked).status is not ac.Status.FAILED


def test_a_second_opinion_is_coarse_and_does_not_speak_alone() -> None:
    """Two observations correlate by numbers of size 1: rounding takes another branch at every step, so a direction cannot be told.

    In another one, which bends more, a gradient off by 1e-4 was within 1e-5 of all that moves.
    """
    (op,) = (op for op in database() if op.name == "corrcoef")
    case = next(case for case in cases(op, torch.complex128, 3) if case.inputs[0].numel() > 3)
    wrong = spoiled(case, SPOILS["everything × 1.0001"])
    for seed in (5, 19):
        assert ac.gradcheck(wrong, case.inputs, seed=seed, raise_exception=False).status is not ac.Status.PASSED
        assert ac.gradcheck(case.func, case.inputs, seed=seed)


def test_branches_that_rounding_decides_everywhere_hide_no_wrong_gradient() -> None:
    """No step stays on one piece of it, at any point: at last its slope is measured across them."""
    (op,) = (op for op in database() if op.name == "corrcoef")
    for data in (0, 3, 4):
        case = next(case for case in cases(op, torch.complex128, data) if case.inputs[0].numel() > 3)
        found = [
            ac.gradcheck(spoiled(case, SPOILS["zero"]), case.inputs, seed=s, raise_exception=False).status for s in range(12)
        ]
        assert found.count(ac.Status.FAILED) >= 11
        assert all(ac.gradcheck(case.func, case.inputs, seed=s) for s in range(12))


def test_two_quotients_that_agree_to_many_digits_speak_against_a_gradient() -> None:
    """Rounding leaves the two smallest steps only: they say 2.719818 both times, and the gradient says 0."""
    (op,) = (op for op in database() if op.name == "corrcoef")
    case = next(case for case in cases(op, torch.complex128, 0) if case.inputs[0].numel() > 3)
    wrong = spoiled(case, SPOILS["zero"])
    assert all(ac.gradcheck(wrong, case.inputs, seed=s, raise_exception=False).status is ac.Status.FAILED for s in range(4))


def first(name: str, seed: int) -> Case:
    (op,) = (op for op in database() if title(op) == name)
    return next(case for case in cases(op, torch.complex128, seed) if case.inputs[0].numel() > 3)


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize("name", ["pinverse", "corrcoef"])
def test_no_excuse_is_found_for_one_complex_entry(name: str, forward: bool) -> None:
    """Under a dispatch mode torch gave another pseudo-inverse, so that rounding seemed to move it by its size; and the largest
    correlation, which is 1, is clipped on rounding's say, so that only steps were left which rounding drowns."""
    asked: dict[str, Any] = {"check_forward_ad": forward, "check_backward_ad": not forward, "raise_exception": False}
    seen = 0
    for seed in range(12):
        case = first(name, seed)
        wrong = spoiled(case, SPOILS["one entry × (1 + 1e-5)"], forward=forward)
        if shows(case, wrong, forward):
            seen += 1
            assert ac.gradcheck(wrong, case.inputs, seed=seed, **asked).status is ac.Status.FAILED
        assert ac.gradcheck(case.func, case.inputs, seed=seed, **asked)
    assert seen >= 10


def test_a_ladder_goes_on_while_smaller_steps_say_more() -> None:
    """It had converged at a step that left 1e-7 of the slope; the next one leaves 1e-9."""
    case = first("sgn", 31)
    wrong = spoiled(case, SPOILS["one entry × (1 + 1e-5)"], forward=True)
    report = ac.gradcheck(wrong, case.inputs, check_forward_ad=True, check_backward_ad=False, seed=31, raise_exception=False)
    assert report.status is ac.Status.FAILED
