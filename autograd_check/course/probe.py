"""Points at which functions are tried: a sample for every argument, and what a difference there would mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autograd_check.causes import Cause
from autograd_check.course.samples import Sample
from autograd_check.verify.trial import Meaning

OVERFLOWS = (Cause.UNSTABLE, Cause.NOT_FINITE, Cause.MASK_MISSING)
"""Conventions about values so large or small that a formula may overflow on them."""


@dataclass(frozen=True)
class Convention:
    """A definition where textbooks differ, or a quality apart from rightness. `cause` is of the vocabulary of diagnoses.

    `says` completes "dx is right; ...": one sentence that tells the student what the course expects, and why. A difference
    of more than `reach`, relative to the worst entry, is no other convention but an error.
    """

    cause: Cause
    says: str
    reach: float = float("inf")

    def __post_init__(self) -> None:
        """Take the word for the cause, as lessons write it. Raises `UnknownCauseError`."""
        object.__setattr__(self, "cause", Cause.named(self.cause))

    @property
    def meaning(self) -> Meaning:
        """The same, as checks take it."""
        return Meaning(self.cause, self.says, self.reach, tie=self.cause is Cause.TIES, overflows=self.cause in OVERFLOWS)


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


def probe(
    name: str,
    *,
    hyper: Mapping[str, Any] | None = None,
    convention: Convention | None = None,
    mentions: tuple[str, ...] | None = None,
    **primals: Sample,
) -> Probe:
    """A `Probe` whose primals are written as keywords: `probe("batch of one", x=normal(1, 3), w=normal(3, 2))`."""
    return Probe(name, primals, dict(hyper or {}), convention, mentions)
