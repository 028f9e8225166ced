"""Arguments that a function must refuse: `ValueError`, with the shapes that are wrong in its text."""

from __future__ import annotations

import re

from autograd_check.causes import Cause
from autograd_check.course.spec import Convention, Probe
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import draw
from autograd_check.verify.finding import Diagnosis, Finding, Kind, aggregate, failed, passed
from autograd_check.verify.tensors import is_tensor

BROADCAST = Convention(Cause.SILENT_BROADCAST, "they broadcast to a matrix nobody asked for; compare the two shapes first.")
"""What accepting a probe means where the probe says nothing."""


def refusals(function: str, probes: tuple[Probe, ...], context: Context) -> list[Finding]:
    """One finding for all that must be refused with a `ValueError` naming the shapes that the probe mentions."""
    return aggregate(_refusal(function, probe, context) for probe in probes)


def _refusal(function: str, probe: Probe, context: Context) -> Finding:
    point = draw(probe, context.seed)
    outcome = context.candidate.call(function, tuple(point.primals.values()), dict(point.hyper))
    shapes = {name: tuple(value.shape) for name, value in point.primals.items() if is_tensor(value)}
    mentioned = tuple(shapes) if probe.mentions is None else probe.mentions
    given = " and ".join(f"{name} {shapes[name]}" for name in mentioned or tuple(shapes)[:1])
    naming = " naming the shapes of " + " and ".join(mentioned) if mentioned else ""
    failure = outcome.failure
    if failure is None:
        meaning = probe.convention or BROADCAST
        text = f"{function} accepts {given}, but must raise ValueError{naming}: {meaning.says}"
        return _failed(function, probe, text, Diagnosis(meaning.cause, text, {"shapes": [list(s) for s in shapes.values()]}))
    if failure.exception != "ValueError":
        ended = f"raised {failure.exception}" if failure.exception else "gave no value"
        text = f"{function} must refuse {given} with a ValueError{naming}; it {ended}"
        return _failed(function, probe, text, Diagnosis(Cause.WRONG_ERROR, text, {"exception": failure.exception}))
    said = re.sub(r"\s", "", failure.says)
    if not all(_named(shapes[name], said) for name in mentioned):
        text = f"{function} refuses {given} with a ValueError, but not with one{naming}"
        return _failed(function, probe, text, Diagnosis(Cause.UNCLEAR_ERROR, text, {"says": failure.says}))
    return passed("refuses", function, probe.name, f"refuses {given}", Kind.CONVENTION)


def _failed(function: str, probe: Probe, text: str, diagnosis: Diagnosis) -> Finding:
    return failed("refuses", function, probe.name, text, Kind.CONVENTION, diagnosis=diagnosis)


def _named(shape: tuple[int, ...], said: str) -> bool:
    """Whether a text without spaces shows a shape, in any of the usual ways: (4,1) [4,1] 4x1."""
    digits = [str(size) for size in shape]
    if len(digits) == 1:
        return bool(re.search(rf"[(\[]{digits[0]},?[)\]]", said))
    return any(sign.join(digits) in said for sign in (",", "x", "×"))
