"""Points at which functions are tried: a sample for every argument, and what a difference there would mean."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Generator

from autograd_check.causes import Cause
from autograd_check.verify.finding import Mismatch

Sample = Callable[[Generator], Any]
"""Draws one argument: the specification says what to draw, the grader with which seed."""


@dataclass(frozen=True)
class Convention:
    """A definition where textbooks differ, or a quality apart from rightness. `cause` is of the vocabulary of diagnoses.

    `says` completes "dx is right; ...": one sentence that tells the student what the course expects, and why. A difference
    of more than `within`, relative to the worst entry, is no other convention but an error.
    """

    cause: Cause
    says: str
    within: float = float("inf")

    def __post_init__(self) -> None:
        """Take the word for the cause, as lessons write it. Raises `UnknownCauseError`."""
        object.__setattr__(self, "cause", Cause.named(self.cause))

    @property
    def overflows(self) -> bool:
        """Whether it is about numbers so large or small that a formula may overflow on them; else nan and infinity are errors."""
        return self.cause in (Cause.UNSTABLE, Cause.NOT_FINITE, Cause.MASK_MISSING)

    @property
    def tie(self) -> bool:
        """Whether it is about a point where a nudge of the inputs takes another branch."""
        return self.cause is Cause.TIES

    def covers(self, mismatch: Mismatch | None) -> bool:
        """Whether a difference can be another convention; what has no numbers (another shape) always can."""
        if mismatch is None:
            return True
        overflowed = cmath.isfinite(mismatch.expected) and not cmath.isfinite(mismatch.got)
        return mismatch.relative_error <= self.within and (self.overflows or not overflowed)


@dataclass(frozen=True)
class Probe:
    """One point at which functions are checked: a sample for every primal (in the function's order) and hyperparameters.

    With a `convention` the probe judges that convention alone, and never makes a gradient wrong. Where the probe is to be
    refused, `convention` says what accepting it means (a silent broadcast, if nothing is said), and the error's text must
    name the shapes of the primals in `mentions` (of all tensors, if None).
    """

    name: str
    primals: Mapping[str, Sample]
    hyper: Mapping[str, Any] = field(default_factory=dict)
    convention: Convention | None = None
    mentions: tuple[str, ...] | None = None
