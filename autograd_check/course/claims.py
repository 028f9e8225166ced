"""A lesson's own claims about what its functions do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

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


# What claims are made of: asking, taking apart what came back, and comparing it.


def answer(candidate: Candidate, function: str, /, *args: Any, **kwargs: Any) -> Any:
    """What a call returned. Raises `Unanswered` where it returned nothing."""
    outcome = candidate.call(function, args, kwargs)
    if not outcome.ok:
        raise Unanswered(outcome.failure, function)
    return outcome.value


def two(value: Any) -> tuple[Any, Any]:
    """Both parts of a pair; (None, ()) where it is none."""
    return (value[0], value[1]) if isinstance(value, (tuple, list)) and len(value) == 2 else (None, ())


def flat(value: Any) -> list[Tensor]:
    """The tensors of [(w, b), ...] in order; none where it is anything else."""
    pairs = value if isinstance(value, (tuple, list)) else []
    found = [part for pair in pairs if isinstance(pair, (tuple, list)) for part in pair]
    return found if all(isinstance(part, Tensor) for part in found) else []


def number(value: Any) -> Tensor | None:
    """A single number, from a float or a tensor of one entry, as a float64 0-d tensor; None for anything else."""
    if not isinstance(value, (int, float, Tensor)) or (isinstance(value, Tensor) and value.is_complex()):
        return None
    made = torch.as_tensor(value, dtype=torch.float64)
    return made.reshape(()) if made.numel() == 1 else None


def close(got: Tensor, expected: Tensor, tolerance: float = 1e-10) -> bool:
    """Whether two tensors are one, but for `tolerance` of the largest entry."""
    if got.shape != expected.shape:
        return False
    return float((got - expected).abs().max()) <= tolerance * (1e-3 + float(expected.abs().max()))


def all_hold(claims: Iterable[Claim], says: str) -> Claim:
    """The first of some claims that does not hold; where all do, the claim that `says` so."""
    return next((claim for claim in claims if not claim.holds), Claim(says))


@dataclass(frozen=True)
class Planted:
    """What something is where a mistake is still in it: `says` what it is then, as "... is an average over N × N pairs"."""

    value: Tensor
    cause: str
    says: str


def agrees(what: str, got: Tensor | None, right: Tensor, planted: Planted, *, tolerance: float = 1e-10) -> Claim:
    """The claim that something is `right`: if not, whether it is what was planted, a multiple of either, or neither."""
    if got is None or got.shape != right.shape:
        return Claim(f"The {what} has the wrong shape; expected {tuple(right.shape)}.", "wrong_shape")
    if close(got, right, tolerance):
        return Claim(f"the {what} is right")
    evidence = {"got": got.tolist(), "expected": right.tolist(), "planted": planted.value.tolist()}
    if close(got, planted.value, tolerance):
        return Claim(f"The {what} is {planted.says}.", planted.cause, evidence=evidence)
    if got.numel() == 1:
        return Claim(f"The {what} is neither the right one nor the planted one.", "forward_wrong", evidence=evidence)
    others = ((right, "constant_factor", "the right one"), (planted.value, planted.cause, f"what it is if it is {planted.says}"))
    for other, cause, meaning in others:
        factor = float((got * other).sum() / (other * other).sum())
        if close(got, factor * other, tolerance):
            return Claim(f"The {what} is {factor:.6g} times {meaning}.", cause, evidence=evidence)
    return Claim(f"The {what} is neither the right one nor the planted one.", "unknown", evidence=evidence)
