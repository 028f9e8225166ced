"""Timings as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_check.grade.bench import Timing


def timings_to_dict(timings: Sequence[Timing]) -> dict[str, Any]:
    """The timings as `--format json` prints them."""
    return {"schema": 1, "benchmarks": [timing.to_dict() for timing in timings]}


def render_timings(timings: Sequence[Timing]) -> str:
    """A line a timing; a ratio below 1 is faster than torch; its middle half of all rounds stands behind it."""
    if not timings:
        return "Nothing to time: these lessons have no forward/backward pair and no benchmark of their own."
    first = timings[0]
    lines = [
        f"{first.dtype}, {first.threads} thread; ratio = time / time of torch's forward and autograd (median, middle half)",
        f"  {'part':<18} {'time':>10} {'ratio':>7}  middle half",
    ]
    lesson = ""
    for timing in timings:
        if timing.lesson != lesson:
            lesson = timing.lesson
            lines.append(f"{lesson}: {timing.size}")
        low, high = timing.quartiles
        figures = f"{_time(timing.median_s):>10} {timing.ratio_to_torch:>7.2f}  {low:.2f} to {high:.2f}"
        lines.append(f"  {timing.part:<18} {figures}{_target(timing)}")
    return "\n".join(lines)


def _target(timing: Timing) -> str:
    return "" if timing.met is None else f"  {'met' if timing.met else 'missed'} (at most {timing.target:g})"


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"
