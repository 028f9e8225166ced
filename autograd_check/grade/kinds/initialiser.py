"""Checks of an `Initialiser`: shape, mean, spread and law of the drawn entries, and that the generator decides them.

All tests are statistical with a stated probability of rejecting right code: `task.false_alarm`, shared among the tests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.course.spec import Initialiser
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, failed_call, unusable
from autograd_check.requests import Seed
from autograd_check.verify.contract import shape_text, type_text
from autograd_check.verify.finding import Finding, Kind, aggregate, failed, passed
from autograd_check.verify.tensors import equal_bits, is_tensor

TESTS = 5
"""Statistical tests for each size: mean, spread, law, tails, and correlation of neighbours."""


@check_task.register
def check(task: Initialiser, context: Context) -> list[Finding]:
    """Every size in turn; a size whose shape is wrong is not judged further."""
    bad = unusable(context.candidate, task.functions)
    if bad:
        return bad
    return aggregate(finding for sizes in task.sizes for finding in _check_size(task, sizes, context))


def _check_size(task: Initialiser, sizes: tuple[int, ...], context: Context) -> Iterator[Finding]:
    probe = f"sizes {sizes}"
    seed = context.seed * 31 + sum(sizes)
    outcome = context.candidate.call(task.name, sizes, {"generator": Seed(seed)})
    if not outcome.ok:
        yield failed_call(task.name, outcome, probe)
        return
    value = outcome.value
    if not is_tensor(value) or value.is_complex() or tuple(value.shape) != sizes:
        text = f"{task.name}{sizes} returned {type_text(value)}, expected a tensor of shape {shape_text(sizes)}"
        cause = Cause.TRANSPOSED if is_tensor(value) and tuple(value.shape) == sizes[::-1] else Cause.WRONG_SHAPE
        yield failed("shape", "out", probe, text, Kind.VALUE, cause)
        return
    again = context.candidate.call(task.name, sizes, {"generator": Seed(seed)})
    other = context.candidate.call(task.name, sizes, {"generator": Seed(seed + 1)})
    yield _generator_finding(task.name, value, again.value, other.value, probe)
    if value.dtype is not torch.float64:
        own = str(value.dtype).removeprefix("torch.")
        text = f"{task.name}{sizes} is {own}, expected float64, as its docstring says: give torch.randn or torch.rand a dtype"
        yield failed("keeps float64", task.name, probe, text, Kind.CONVENTION, Cause.WRONG_DTYPE)
    yield from _law(task, value.to(torch.float64).reshape(-1), sizes, probe)


def _generator_finding(function: str, first: Tensor, again: Any, other: Any, probe: str) -> Finding:
    drawn = isinstance(again, Tensor) and isinstance(other, Tensor)
    if drawn and equal_bits(first, again) and not equal_bits(first, other):
        return passed("generator", "out", probe, "the generator decides the draw")
    text = f"{function} does not draw from the generator it is given: one seed must give one result, another seed another"
    return failed("generator", "out", probe, text, Kind.VALUE, Cause.NONDETERMINISTIC)


def _law(task: Initialiser, x: Tensor, sizes: tuple[int, ...], probe: str) -> Iterator[Finding]:
    std = task.std(*sizes)
    n = x.numel()
    z = NormalDist().inv_cdf(1 - task.false_alarm / (2 * TESTS * len(task.sizes)))
    mean, spread = float(x.mean()), float(x.std())
    kurtosis = 3.0 if task.law == "normal" else 1.8
    spread_error = std * math.sqrt((kurtosis - 1) / (4 * n))
    if not abs(mean) <= z * max(std, spread) / math.sqrt(n):
        text = f"{task.name}{sizes} has mean {mean:.4g}, expected 0 (± {z * std / math.sqrt(n):.1g})"
        yield failed("mean", "out", probe, text, Kind.VALUE, Cause.WRONG_DISTRIBUTION)
        return
    # third order terms of the square root matter at small n; a tenth of a standard error covers them for n ≥ 1000
    if not abs(spread - std) <= 1.1 * z * spread_error:
        text = f"{task.name}{sizes} has standard deviation {spread:.4g}, expected {std:.4g} (± {z * spread_error:.1g})"
        says = _spread_says(spread, std, sizes)
        yield failed("spread", "out", probe, text, Kind.VALUE, Cause.CONSTANT_FACTOR, says=says)
        return
    distance = _distance(x, std, task.law)
    # Massart's form of the Dvoretzky-Kiefer-Wolfowitz inequality: P(D > d) <= 2 exp(-2 n d^2), for every n
    bound = math.sqrt(math.log(2 * TESTS * len(task.sizes) / task.false_alarm) / (2 * n))
    if distance > bound:
        apart = f"distance {distance:.3f}, allowed {bound:.3f}"
        text = f"the entries of {task.name}{sizes} do not follow the {task.law} law ({apart})"
        yield failed("law", "out", probe, text, Kind.VALUE, Cause.WRONG_DISTRIBUTION)
        return
    if task.law == "normal" and _cut(x, std, math.log(2 * TESTS * len(task.sizes) / task.false_alarm)):
        text = f"of {n} entries of {task.name}{sizes} far too few lie beyond 2 standard deviations: the normal law is cut off"
        yield failed("law", "out", probe, text, Kind.VALUE, Cause.WRONG_DISTRIBUTION)
        return
    neighbours = float((x[1:] * x[:-1]).mean()) / std**2
    if not abs(neighbours) <= 1.2 * z / math.sqrt(n - 1):
        text = f"neighbouring entries of {task.name}{sizes} are correlated ({neighbours:.3f}); draw every entry independently"
        yield failed("independent", "out", probe, text, Kind.VALUE, Cause.WRONG_DISTRIBUTION)
        return
    yield passed("law", "out", probe, f"{task.law}, mean 0, standard deviation {std:.4g}")


def _cut(x: Tensor, std: float, bits: float) -> bool:
    """Whether the tail beyond some 2 to 3 standard deviations holds fewer entries than chance allows.

    The number beyond a bound is binomial with mean m; by Chernoff P(k or fewer) ≤ exp(−(m − k)² / 2m). Three bounds are tried,
    and pay for it with log 3.
    """
    for bound in (2.0, 2.5, 3.0):
        beyond = int((x.abs() > bound * std).sum())
        expected = 2 * (1 - NormalDist().cdf(bound)) * x.numel()
        if beyond < expected and (expected - beyond) ** 2 / (2 * expected) > bits + math.log(3):
            return True
    return False


def _spread_says(spread: float, std: float, sizes: tuple[int, ...]) -> str:
    ratio = spread / std
    for what, value in (("the square root of 2", math.sqrt(2)), ("the square root of 3", math.sqrt(3))):
        for name, candidate in ((f"{what} times", value), (f"1 over {what} times", 1 / value)):
            if abs(ratio / candidate - 1) < 0.05:
                return f"The spread is {name} the expected one."
    if len(sizes) == 2 and abs(spread / (std * math.sqrt(sizes[0] / sizes[1])) - 1) < 0.05:
        return "The spread is the one for fan_out; fan_in is the number of inputs, the first size."
    return f"The spread is {ratio:.3g} times the expected one."


def _distance(x: Tensor, std: float, law: str) -> float:
    """Kolmogorov-Smirnov distance of the sample to the law."""
    ordered = x.sort().values
    if law == "normal":
        below = torch.special.ndtr(ordered / std)
    else:
        half = std * math.sqrt(3)
        below = ((ordered + half) / (2 * half)).clamp(0, 1)
    steps = torch.arange(1, x.numel() + 1, dtype=torch.float64) / x.numel()
    return float(torch.maximum((steps - below).abs(), (below - steps + 1 / x.numel()).abs()).max())
