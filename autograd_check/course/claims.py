"""A lesson's own claims about what its functions do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autograd_check.requests import Candidate
from autograd_check.verify.finding import Mismatch


@dataclass(frozen=True)
class Claim:
    """What a property check found: `cause` empty where the claim holds."""

    says: str
    cause: str = ""
    mismatch: Mismatch | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the claim holds."""
        return not self.cause


@dataclass(frozen=True)
class Property:
    """One claim: `test(candidate, seed)` asks the candidate and returns a `Claim`; raise `Unanswered` where a call failed.

    `check` is the claim's short name, `subject` what it is about (`out`, `dw`, ...).
    """

    check: str
    test: Callable[[Candidate, int], Claim]
    subject: str = "out"
    convention: bool = False


class Unanswered(Exception):
    """A call that a property needed gave no value; holds the outcome's failure."""


@dataclass(frozen=True)
class Properties:
    """Claims of a lesson's own, checked in order; after the first that does not hold the rest is skipped."""

    functions: tuple[str, ...]
    properties: tuple[Property, ...]
    name: str = "properties"
