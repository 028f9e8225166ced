"""No error that depends on the cotangent passes: not by `gradcheck`, not by `check_vjp`, not by the grader, at any size or count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

import autograd_check as ac
from autograd_check.course.load import Course
from autograd_check.grade.grade import grade_candidate
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Kind, Status, worst
from tests.verify.cotangent_errors import SIZES, SPOILS, Spoil

COUNTS = (10, 1000)
ALL_COUNTS = (10, 100, 1000, 10_000)
RESOLUTION = 1e-8
"""Smaller errors, relative to the largest entry, are not promised to be seen."""

Backward = Callable[[Tensor, Tensor], Tensor]
LAYERS: dict[str, tuple[Callable[[Tensor], Tensor], Backward]] = {
    "square": (lambda x: x * x, lambda x, d: 2 * x * d),
    "softmax": (lambda x: x.softmax(-1), lambda x, d: x.softmax(-1) * (d - (d * x.softmax(-1)).sum(-1, keepdim=True))),
    "mean of squares": (lambda x: (x * x).mean(), lambda x, d: 2 * x * d / x.numel()),
}


def rows(count: int) -> Tensor:
    return torch.randn(count // 5, 5, generator=Generator().manual_seed(count), dtype=torch.float64)


def shows(spoil: Spoil, size: float, forward: Callable[[Tensor], Tensor], backward: Backward, x: Tensor) -> bool:
    """Whether the error is there for any cotangent with entries of about one size.

    What drops entries that are small enough has none to drop now and then; what it drops only beside entries of the cotangent
    that are a thousand times larger is not promised to be seen.
    """
    for seed in range(8):
        dout = torch.empty(forward(x).shape, dtype=x.dtype).uniform_(-1.5, 1.5, generator=Generator().manual_seed(seed))
        right = backward(x, dout + 0.5 * dout.sign())
        if float((spoil(right, size) - right).abs().max()) <= RESOLUTION * float(right.abs().max()):
            return False
    return True


def as_function(forward: Callable[[Tensor], Tensor], backward: Backward) -> Callable[[Tensor], Any]:
    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Tensor:
            return backward(ctx.saved_tensors[0], dout)

    apply: Callable[[Tensor], Any] = Layer.apply
    return apply


def checked(
    layer: str, spoil: Spoil, counts: Sequence[int] = COUNTS, sizes: Sequence[float] = SIZES[::5]
) -> Iterator[tuple[str, ac.Report, ac.Report]]:
    """What `gradcheck` and `check_vjp` say of every size and count for which the error is there."""
    forward, backward = LAYERS[layer]
    for count in counts:
        x = rows(count)
        for size in sizes:
            if shows(spoil, size, forward, backward, x):

                def wrong(x: Tensor, dout: Tensor, size: float = size) -> Tensor:
                    return spoil(backward(x, dout), size)

                name = f"{layer}, {count} entries, {size:g}"
                whole = ac.gradcheck(as_function(forward, wrong), x.clone().requires_grad_(), raise_exception=False)
                yield name, whole, ac.check_vjp(lambda x: (forward(x), x), lambda dout, x, wrong=wrong: wrong(x, dout), [x])


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", SPOILS)
def test_no_error_passes(name: str, layer: str) -> None:
    reports = list(checked(layer, SPOILS[name]))
    assert [(case, str(r.status)) for case, *both in reports for r in both if r.status is not Status.FAILED] == []


@pytest.mark.long
@pytest.mark.parametrize("layer", LAYERS)
def test_no_error_passes_at_any_size_and_count(layer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the table: for each error the checks in which it is there, by both ways, and how many of them failed."""
    passed: dict[str, Any] = {}
    for name, spoil in SPOILS.items():
        statuses = [str(r.status) for _, *both in checked(layer, spoil, ALL_COUNTS, SIZES) for r in both]
        passed |= {name: other} if (other := [status for status in statuses if status != "failed"]) else {}
        with capsys.disabled():
            print(f"\n{layer:16} {name:24} {statuses.count('failed'):3} of {len(statuses):3} failed", end="")
    assert passed == {}


def test_every_error_shows_somewhere() -> None:
    for spoil in SPOILS.values():
        assert any(shows(spoil, size, *LAYERS["square"], rows(count)) for size in SIZES for count in COUNTS), spoil.__name__


@pytest.fixture(scope="module")
def course() -> Course:
    return Course.load(Path(__file__).resolve().parents[2])


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param(name, size, marks=[] if size == 1e-7 and number % 4 == 0 else [pytest.mark.long])
        for number, name in enumerate(SPOILS)
        for size in (1e-2, 1e-7)
    ],
)
def test_the_grader_fails_the_gradient_itself(course: Course, name: str, size: float) -> None:
    forward, backward = LAYERS["softmax"]
    x = torch.randn(4, 7, generator=Generator().manual_seed(1), dtype=torch.float64)
    if not shows(SPOILS[name], size, forward, backward, x):
        size = 1e-1  # what drops small entries has few to drop
    functions: dict[str, Any] = {
        "softmax_forward": lambda x: (
            torch.exp(x - x.amax(-1, keepdim=True)).div(torch.exp(x - x.amax(-1, keepdim=True)).sum(-1, keepdim=True)),
            x,
        ),
        "softmax_backward": lambda dout, x: SPOILS[name](backward(x, dout), size),
    }
    with InProcess.of(functions) as candidate:
        findings = grade_candidate(course.lesson("softmax"), candidate)
    assert worst(f.status for f in findings if f.subject == "dx" and f.kind is Kind.GRADIENT) is Status.FAILED


def test_a_right_gradient_passes_the_same_way() -> None:
    reports = list(checked("softmax", lambda v, size: v * (1 + 10 * RESOLUTION)))
    assert all(whole.status is pair.status is Status.FAILED for _, whole, pair in reports)
    for layer, (forward, backward) in LAYERS.items():
        x = rows(100)
        assert ac.gradcheck(as_function(forward, backward), x.requires_grad_()), layer
        assert ac.check_vjp(lambda x, f=forward: (f(x), x), lambda dout, x, b=backward: b(x, dout), [x.detach()]), layer


def test_what_is_wrong_only_for_large_small_or_plain_cotangents() -> None:
    forward, backward = LAYERS["square"]
    for wrong in (
        lambda x, d: backward(x, d).clamp(-100, 100),
        lambda x, d: backward(x, d) + 1e-9,
        lambda x, d: torch.where(d.abs() > 30, 1.01, 1.0) * backward(x, d),
        lambda x, d: torch.where(d.abs().max() > 5, torch.nan, 1.0) * backward(x, d),
        lambda x, d: torch.where((d == 1).all(), 1.01, 1.0) * backward(x, d),
        lambda x, d: torch.where((d > 0).all(), 1.01, 1.0) * backward(x, d),
    ):
        report = ac.gradcheck(as_function(forward, wrong), rows(50).requires_grad_(), raise_exception=False)
        assert [f.check for f in report.findings if f.status is Status.FAILED][:1] == ["linear in dout"]
