"""Layers that drop entries at random: the mask is read from the output; rate, scale, gradient and generator judged apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from autograd_check.course.draws import away_from_zero
from autograd_check.course.spec import Stochastic
from autograd_check.grade.context import Context
from autograd_check.grade.kinds import check_task
from autograd_check.grade.kinds.mask import Drawn, judge_rate, limit, surprise
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Kind, Status
from tests.probes import probe


def zeros_among(*shape: int) -> Callable[[Generator], Tensor]:
    return lambda generator: torch.randn(shape, generator=generator, dtype=torch.float64).clamp(min=0)


NOISE = Stochastic(
    "noise",
    ("x",),
    lambda x: x * 1.0,
    (probe("small", x=away_from_zero().of(4, 5)), probe("with zeros", x=zeros_among(10, 20))),
    bulk=probe("bulk", x=away_from_zero().of(30, 40)),
    rates=(0.0, 0.2, 0.9),
)


def keep(x: Tensor, p: float, generator: Generator) -> Tensor:
    return (torch.rand(x.shape, generator=generator) >= p).to(x.dtype)


def forward(x: Tensor, *, p: float, train: bool, generator: Generator) -> Any:
    scale = keep(x, p, generator) / (1 - p) if train else torch.ones_like(x)
    return x * scale, scale


def backward(dout: Tensor, scale: Tensor) -> Tensor:
    return dout * scale


def judge(seed: int = 0, task: Stochastic = NOISE, **functions: Callable[..., Any]) -> list[Finding]:
    with InProcess.of({"noise_forward": forward, "noise_backward": backward, **functions}) as candidate:
        return check_task(task, Context(candidate, seed))


def bad(findings: list[Finding]) -> set[tuple[str, str, str]]:
    return {(f.check, f.subject, f.diagnosis.cause if f.diagnosis else "") for f in findings if f.status is Status.FAILED}


@pytest.mark.parametrize("seed", range(12))
def test_right_code_passes(seed: int) -> None:
    findings = judge(seed)
    assert {f.status for f in findings} == {Status.PASSED}
    assert {("value", "out"), ("rate", "out"), ("autograd", "dx"), ("finite differences", "dx")} <= {
        (f.check, f.subject) for f in findings
    }


def trained(make: Callable[[Tensor, float, Generator], Tensor]) -> Callable[..., Any]:
    """A forward whose scale in training is made by `make`, and 1 otherwise."""

    def layer(x: Tensor, *, p: float, train: bool, generator: Generator) -> Any:
        scale = make(x, p, generator) if train else torch.ones_like(x)
        return x * scale, scale

    return layer


def with_generator(x: Tensor, *, p: float, train: bool, generator: Generator) -> Any:
    out, scale = forward(x, p=p, train=train, generator=generator)
    return out, (scale, p, train, generator)


def redraw(dout: Tensor, cache: Any) -> Tensor:
    scale, p, train, generator = cache
    return dout * keep(dout, p, generator) / (1 - p) if train else dout


def from_output(x: Tensor, *, p: float, train: bool, generator: Generator) -> Any:
    out, _ = forward(x, p=p, train=train, generator=generator)
    return out, (out != 0).to(x.dtype) / (1 - p) if train else torch.ones_like(x)


@pytest.mark.parametrize(
    ("functions", "expected"),
    [
        ({"noise_forward": trained(lambda x, p, g: keep(x, p, g))}, ("value", "out", "constant_factor")),
        ({"noise_forward": trained(lambda x, p, g: keep(x, 1 - p, g) / (1 - p))}, ("rate", "out", "mask_inverted")),
        ({"noise_forward": trained(lambda x, p, g: keep(x, p / 2, g) / (1 - p))}, ("rate", "out", "wrong_distribution")),
        ({"noise_forward": trained(lambda x, p, g: keep(x[:1], p, g).expand_as(x) / (1 - p))}, ("rate", "out", "wrong_distribution")),
        ({"noise_forward": trained(lambda x, p, g: keep(x[..., :1], p, g).expand_as(x) / (1 - p))}, ("rate", "out", "wrong_distribution")),
        ({"noise_forward": trained(lambda x, p, g: keep(x, p, Generator().manual_seed(1)) / (1 - p))}, ("rate", "out", "wrong_distribution")),
        ({"noise_forward": trained(lambda x, p, g: (torch.rand(x.shape) >= p) / (1 - p))}, ("generator", "noise_forward", "nondeterministic")),
        ({"noise_forward": from_output}, ("mask", "dx", "wrong_operand")),
        ({"noise_backward": lambda dout, scale: dout.clone()}, ("autograd", "dx", "mask_missing")),
        ({"noise_backward": lambda dout, scale: scale.clone()}, ("autograd", "dx", "ignores_upstream")),
        ({"noise_backward": lambda dout, scale: dout * (scale > 0)}, ("autograd", "dx", "constant_factor")),
        ({"noise_forward": with_generator, "noise_backward": redraw}, ("autograd", "dx", "mask_redrawn")),
        ({"noise_forward": lambda x, *, p, train, generator: forward(x, p=p, train=True, generator=generator)}, ("value", "out", "forward_wrong")),
        ({"noise_backward": lambda dout, scale: dout.mul_(scale)}, ("unmodified", "noise_backward", "mutates_input")),
        ({"noise_backward": lambda dout, scale: (dout * scale).double()}, ("keeps float32", "noise_backward", "wrong_dtype")),
        ({"noise_backward": lambda dout, scale: None}, ("returned", "dx", "returns_none")),
        ({"noise_forward": lambda x, *, p, train, generator: (x.sum(), x)}, ("shape", "out", "wrong_shape")),
    ],
)  # fmt: skip
def test_wrong_code_fails_for_its_reason(functions: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert expected in bad(judge(**functions))


def test_a_generator_that_is_not_used_costs_no_gradient() -> None:
    findings = judge(noise_forward=trained(lambda x, p, g: (torch.rand(x.shape) >= p) / (1 - p)))
    wrong = [f for f in findings if f.status is Status.FAILED]
    assert {f.kind for f in wrong} == {Kind.CONVENTION}
    assert "draw from the generator that is handed in" in wrong[0].message


def test_messages_name_the_rate_and_the_mask() -> None:
    inverted = judge(noise_forward=trained(lambda x, p, g: keep(x, 1 - p, g) / (1 - p)))
    rate = next(f for f in inverted if f.check == "rate")
    assert "p is the probability of dropping an entry, and 1 − p that of keeping it" in rate.message
    rows = judge(noise_forward=trained(lambda x, p, g: keep(x[:1], p, g).expand_as(x) / (1 - p)))
    assert "neighbouring rows are always dropped together" in next(f for f in rows if f.check == "rate").message
    fixed = judge(noise_forward=trained(lambda x, p, g: keep(x, p, Generator().manual_seed(1)) / (1 - p)))
    assert "equal entries of two seeds are always dropped together" in next(f for f in fixed if f.check == "rate").message
    signed = judge(noise_forward=trained(lambda x, p, g: torch.where(x > 0, keep(x, 1.5 * p, g), keep(x, p / 2, g)) / (1 - p)))
    assert any("The mask must not depend on x" in f.message for f in signed)
    seen = next(f for f in judge(noise_forward=from_output) if f.check == "mask")
    assert "nonzero in 0 of the" in seen.message
    assert "Keep the mask itself" in seen.diagnosis.says  # type: ignore[union-attr]


def test_an_unwritten_backward_is_todo() -> None:
    def unwritten(dout: Tensor, cache: Any) -> Tensor:
        raise NotImplementedError

    assert Status.TODO in {f.status for f in judge(noise_backward=unwritten) if f.subject == "dx"}


HIDDEN = Stochastic(
    "noise",
    ("x", "w"),
    lambda x, w: torch.relu(x @ w),
    (probe("small", x=away_from_zero().of(4, 5), w=away_from_zero().of(5, 6)),),
    bulk=probe("bulk", x=away_from_zero().of(40, 8), w=away_from_zero().of(8, 40)),
)


def hidden(x: Tensor, w: Tensor, *, p: float, train: bool, generator: Generator) -> Any:
    slope = (x @ w > 0).to(x.dtype) * (keep(x @ w, p, generator) / (1 - p) if train else 1)
    return x @ w * slope, (x, w, slope)


def test_a_layer_with_several_primals_and_zeros_of_its_own() -> None:
    def back(dout: Tensor, cache: Any) -> Any:
        x, w, slope = cache
        return dout * slope @ w.T, x.T @ (dout * slope)

    def swapped(dout: Tensor, cache: Any) -> Any:
        x, w, slope = cache
        return dout * slope @ w.T, x.T @ dout

    square = replace(HIDDEN, probes=(probe("square", x=away_from_zero().of(4, 6), w=away_from_zero().of(6, 6)),))
    assert bad(judge(0, HIDDEN, noise_forward=hidden, noise_backward=back)) == set()
    assert bad(judge(0, square, noise_forward=hidden, noise_backward=back)) == set()
    wrong = bad(judge(0, HIDDEN, noise_forward=hidden, noise_backward=swapped))
    assert {subject for _, subject, _ in wrong} == {"dw"}


def test_surprise_is_the_exponent_of_chernoffs_bound() -> None:
    assert surprise(0, 0, 0.5) == 0
    assert surprise(30, 60, 0.5) == 0
    assert math.isclose(surprise(60, 60, 0.5), 60 * math.log(2))
    assert surprise(59, 60, 1.0) == math.inf
    assert surprise(60, 60, 1.0) == 0
    assert limit(1e-9, 10) == pytest.approx(math.log(2e10))


def test_no_false_alarm_in_many_draws_and_exact_counts_are_fine() -> None:
    generator = Generator().manual_seed(7)
    base = torch.randn(20, 30, generator=generator, dtype=torch.float64)
    bound = limit(1e-4, 6)
    for p in (0.1, 0.5, 0.9):
        for _ in range(100):
            draws = [Drawn(base, torch.rand(base.shape, generator=generator) >= p) for _ in range(4)]
            assert judge_rate(draws, p, bound) is None
        exact = []
        for _ in range(4):
            kept = torch.zeros(600, dtype=torch.bool)
            kept[torch.randperm(600, generator=generator)[: round(600 * (1 - p))]] = True
            exact.append(Drawn(base, kept.reshape(20, 30)))
        assert judge_rate(exact, p, bound) is None


def initial(x: Tensor, p: float, generator: Generator) -> Tensor:
    return keep(x, p, Generator().manual_seed(generator.initial_seed()))


def a_column_never(x: Tensor, p: float, generator: Generator) -> Tensor:
    kept = keep(x, p, generator)
    kept[..., 0] = 1
    return kept


def a_channel_each(x: Tensor, p: float, generator: Generator) -> Tensor:
    if x.dim() < 4:
        return keep(x, p, generator)
    return keep(x[..., :1, :1], p, generator).expand_as(x)


@pytest.mark.parametrize("draw", [initial, a_column_never, a_channel_each])
def test_masks_that_are_random_only_at_first_sight(draw: Callable[[Tensor, float, Generator], Tensor]) -> None:
    task = replace(NOISE, bulks=(probe("images", x=away_from_zero().of(6, 5, 8, 8)),), rates=(0.0, 0.4))
    assert bad(judge(task=task)) == set()
    assert bad(judge(task=task, noise_forward=trained(lambda x, p, g: draw(x, p, g) / (1 - p)))) == {
        ("rate", "out", "wrong_distribution")
    }


def test_a_mask_outside_the_cache_is_a_wrong_gradient() -> None:
    kept: dict[str, Tensor] = {}

    def remembers(x: Tensor, *, p: float, train: bool, generator: Generator) -> Any:
        out, kept["scale"] = forward(x, p=p, train=train, generator=generator)
        return out, None

    findings = judge(noise_forward=remembers, noise_backward=lambda dout, cache: backward(dout, kept["scale"]))
    assert ("own cache", "dx", "stale_state") in bad(findings)


def test_a_wrong_rate_says_nothing_about_the_mask() -> None:
    def half(x: Tensor, p: float, generator: Generator) -> Tensor:
        return keep(x, 0.5, generator) / (1 - p)

    assert {check for check, _, _ in bad(judge(noise_forward=trained(half)))} == {"rate"}
