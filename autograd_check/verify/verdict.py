"""From a measured slope and a gradient to a verdict: the tolerance comes from the measured error alone, nobody sets it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.differences import Estimate
from autograd_check.verify.directions import real_dtype
from autograd_check.verify.finding import Status
from autograd_check.verify.ground import QUIET, Careful, Ground
from autograd_check.verify.lines import Line

Spread = Callable[[str], Sequence[Tensor]]
"""How far every entry of a primal's gradient may be off by rounding, for each of its tensors."""

SAFETY = 8.0
"""Error bound over error estimate."""
PRECISION = 3e-10
"""How far, relative to its size, a gradient may be off that is right: torch's own formulas (digamma's) are no better."""
SINGLE = 4e-6
"""The same where float32 takes part: 2⁻²⁴ times a few dozen roundings."""
INCONCLUSIVE_SHARE = 0.05
"""A bound wider than this share of the signal decides nothing."""
TIGHT = 1e-5
"""Agreement to this share of the signal is no coincidence, however the ladder looked."""
FAINT = 2.0**-52
"""A slope of this share of an output of ones, beside an output that is zero, is a tail that the output has rounded off."""
ROUGH = 1e-4
"""A function that changes by this share of itself between the smallest steps has no slope that these steps could measure."""
ON_A_KINK = "the point lies on a kink"


@dataclass(frozen=True)
class ProbeResult:
    """The verdict on one primal: of its worst direction, or of those that could tell.

    `numeric` and `analytic` are the two directional derivatives and `tolerance` the bound on their difference (made of
    `truncation` and `roundoff` at the step `step`); `resolution` is the size of a single-entry error that would have been
    seen, `moved` whether the point lay on a kink and was moved, `evaluations` how often the forward ran for this primal,
    `leaf` the number of the tensor in a nested primal.
    """

    status: Status
    numeric: float = 0.0
    analytic: float = 0.0
    tolerance: float = 0.0
    resolution: float = 0.0
    moved: bool = False
    evaluations: int = 0
    reason: str = ""
    truncation: float = 0.0
    roundoff: float = 0.0
    step: float = 0.0
    leaf: int = 0


@dataclass(frozen=True)
class UnderTest:
    """Gradients under test on some ground, and what may be said for them where they disagree with it.

    `spread` is what rounding does to them, `single` whether float32 takes part; both are asked for only where a gradient
    disagrees, before anything is said of it.
    """

    ground: Ground
    grads: Mapping[str, Any]
    spread: Spread | None = None
    single: Callable[[], bool] = lambda: False

    def slope(self, line: Line) -> tuple[float, float]:
        """⟨g, u⟩ and ‖g·u‖₂."""
        return line.slope(self.grads[line.primal])

    def shake(self, line: Line) -> float:
        """‖δg·u‖₂ for what rounding does to the gradient."""
        change = self.spread(line.primal) if self.spread is not None else []
        size = line.slope(change)[1] if len(change) > line.leaf else 0.0
        return size if math.isfinite(size) else 0.0


def measured(
    line: Line, analytic: float, size: float, estimate: Estimate, shake: float = 0.0, precision: float = PRECISION
) -> tuple[ProbeResult, float]:
    """What an estimate says, still undecided, and the signal: the size of what is being compared."""
    precision = max(precision, 8 * float(torch.finfo(real_dtype(line.u)).eps))
    tolerance = SAFETY * (estimate.error + shake) + precision * size
    result = ProbeResult(
        Status.PASSED,
        numeric=estimate.value,
        analytic=analytic,
        tolerance=tolerance,
        resolution=tolerance / line.narrowest,
        truncation=estimate.truncation,
        roundoff=estimate.roundoff,
        step=estimate.step,
        leaf=line.leaf,
    )
    return result, max(abs(estimate.value), size)


def verdict_on(test: UnderTest, line: Line, careful: Careful) -> ProbeResult:
    """What a careful measurement says of the gradient along a line."""
    analytic, size = test.slope(line)
    result, signal = measured(line, analytic, size, careful.estimate)
    gap = abs(result.numeric - result.analytic)
    if max(signal, gap) <= FAINT * test.ground.pairing.unit() and _is_noise(test, line, careful):
        return replace(result, reason="no larger than rounding")
    shake = 0.0
    if result.tolerance < gap < math.inf:
        shake = test.shake(line)
        result, signal = measured(line, analytic, size, careful.against(analytic), shake)
        gap = abs(result.numeric - result.analytic)
        if gap <= result.tolerance and signal <= SAFETY * shake:
            return replace(result, reason="no larger than rounding")
    if result.tolerance < gap <= result.tolerance + SINGLE * size and test.single():
        result, signal = measured(line, analytic, size, careful.against(analytic), shake, SINGLE)
    if gap != gap and result.numeric == result.numeric and abs(result.numeric) != float("inf"):
        return replace(result, status=Status.FAILED, reason="the gradient is not finite")
    if gap != gap or gap == float("inf"):
        return replace(result, status=Status.INCONCLUSIVE, reason="the function is not finite around the point")
    if gap > result.tolerance:
        rough = careful.estimate.roundoff * careful.estimate.step > ROUGH * test.ground.pairing.size()
        if rough and not _is_noise(test, line, careful):
            return replace(result, status=Status.INCONCLUSIVE, reason="the function is rough at the smallest steps")
        if careful.kinked(gap):
            return replace(result, status=Status.INCONCLUSIVE, reason=ON_A_KINK)
        if careful.estimate.settled or careful.steady(gap):
            return replace(result, status=Status.FAILED, reason="the slopes differ")
        return replace(result, status=Status.INCONCLUSIVE, reason="the differences do not converge")
    if result.tolerance <= TIGHT * signal:
        return result
    quiet = result.tolerance <= QUIET * test.ground.pairing.size() or _is_noise(test, line, careful)
    if quiet and signal <= max(2 * careful.estimate.roundoff, careful.estimate.error):
        return replace(result, reason="no larger than rounding")
    if signal <= SAFETY * (shake or test.shake(line)):
        return replace(result, reason="no larger than rounding")
    if result.tolerance > INCONCLUSIVE_SHARE * signal and (signal > 0 or result.tolerance > 0):
        return replace(result, status=Status.INCONCLUSIVE, reason="rounding drowns the signal")
    if not careful.estimate.settled:
        return replace(result, status=Status.INCONCLUSIVE, reason="the differences do not converge")
    return result


def _is_noise(test: UnderTest, line: Line, careful: Careful) -> bool:
    return test.ground.is_noise(line, careful.estimate.roundoff * careful.estimate.step)


def combined(verdicts: Sequence[tuple[Line, ProbeResult]], count: int) -> ProbeResult:
    """One verdict for a primal: failed where any direction fails, passed where every tensor has one that passes."""
    if not verdicts:
        return ProbeResult(Status.PASSED, evaluations=count, reason="it has no entries")
    failed = [verdict for _, verdict in verdicts if verdict.status is Status.FAILED]
    if failed:
        return replace(failed[0], evaluations=count)
    weakest: ProbeResult | None = None
    for leaf in dict.fromkeys(verdict.leaf for _, verdict in verdicts):
        of_leaf = [verdict for _, verdict in verdicts if verdict.leaf == leaf]
        passed = [verdict for verdict in of_leaf if verdict.status is Status.PASSED]
        best = min(passed or of_leaf, key=lambda verdict: verdict.resolution)
        if not passed:
            kinked = [verdict for verdict in of_leaf if verdict.reason == ON_A_KINK]
            return replace(kinked[0] if kinked else best, evaluations=count)
        weakest = best if weakest is None or best.resolution > weakest.resolution else weakest
    return replace(weakest or verdicts[0][1], evaluations=count)
