"""What a lesson asks for, as data: lessons, tasks of several kinds, probes, mistakes, variants.

    Lesson ── tasks ──► Pair         a forward and its backward (a layer, a loss, a whole network)
                        Stateful     a layer that carries a state from call to call (running statistics)
                        Stochastic   a layer that drops entries at random
                        Plain        a function with a value only
                        UpdateRule   one step of an optimiser, followed for many steps
                        Initialiser  random tensors with a stated distribution
                        Checker      a numerical gradient, judged as a checker of claimed gradients
                        WriteTheTest a test that the student writes, tried on right and on wrong implementations
                        Properties   claims of the lesson's own about what its functions do
           ── mistakes ► what people really write wrong; each is a test that the grader fails it, and says why
           ── variants ► right in another style; each is a test that the grader passes it

A new kind of task is a dataclass beside these and one module in `autograd_check.grade.kinds`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autograd_check.causes import Cause
from autograd_check.course.checkers import Checker, Scalar, Specimen, WriteTheTest, planted
from autograd_check.course.claims import Claim, Properties, Property, Unanswered
from autograd_check.course.functions import Initialiser, Plain, UpdateRule
from autograd_check.course.layers import Pair, Rival, Run, Stateful, Stochastic
from autograd_check.course.probe import Convention, Probe, probe

__all__ = [
    "Benchmark",
    "Checker",
    "Claim",
    "Convention",
    "Initialiser",
    "Lesson",
    "Mistake",
    "Pair",
    "Plain",
    "Probe",
    "Properties",
    "Property",
    "Rival",
    "Run",
    "Scalar",
    "Specimen",
    "Stateful",
    "Stochastic",
    "Task",
    "Unanswered",
    "UpdateRule",
    "Variant",
    "WriteTheTest",
    "mistake",
    "planted",
    "probe",
    "variant",
]

Task = Pair | Stateful | Stochastic | Plain | UpdateRule | Initialiser | Checker | WriteTheTest | Properties


@dataclass(frozen=True)
class Mistake:
    """A mistake that people really make. The grader must fail it and name `cause`.

    Written as an `edit` of the reference (old text, which must occur, and the new text for every occurrence), or as whole
    functions by name. `by_fingerprint` says why only its own fingerprint can name its cause, where nothing else does.
    """

    name: str
    cause: Cause
    edit: tuple[str, str] | None = None
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    by_fingerprint: str = ""


def mistake(
    name: str,
    cause: str,
    old: str | None = None,
    new: str | None = None,
    *,
    by_fingerprint: str = "",
    **functions: Callable[..., Any],
) -> Mistake:
    """A `Mistake` from an edit (`old`, `new`) or from functions given as keywords. Raises `UnknownCauseError`."""
    return Mistake(name, Cause.named(cause), None if old is None or new is None else (old, new), functions, by_fingerprint)


@dataclass(frozen=True)
class Variant:
    """A right solution in another style: functions by name; those not given are the reference's."""

    name: str
    functions: Mapping[str, Callable[..., Any]]


def variant(name: str, **functions: Callable[..., Any]) -> Variant:
    """A `Variant` whose functions are written as keywords."""
    return Variant(name, functions)


@dataclass(frozen=True)
class Benchmark:
    """Something of a lesson timed beside torch's own way of doing it, besides the passes of its pairs.

    `make` takes the lesson's functions by name and returns two calls without arguments: the lesson's and torch's.
    `size` says at what size, in words.
    """

    part: str
    size: str
    make: Callable[[Mapping[str, Callable[..., Any]]], tuple[Callable[[], Any], Callable[[], Any]]]


@dataclass(frozen=True)
class Lesson:
    """One lesson: what it is called, what it asks, and everything the course knows about getting it wrong.

    `requires` are lessons that come first. `forbids` are names that are the lesson's own answer (as an attribute, a
    function or an aten operation); `allows` takes names off the course-wide list of forbidden ones. `hints` lead step by
    step; `minutes` is the expected time; `source` is the paper or textbook equation. `given` lessons (hunts) hand out
    code that runs: an untouched one counts as not yet begun. `target` is how long both passes of the reference (or a step)
    may take beside torch's, as a ratio; None where the clear way is not meant to be fast. `benchmarks` are timed beside the passes of the pairs.
    `why` says, to who has passed, why the answer is what it is.
    """

    name: str
    title: str
    tasks: tuple[Task, ...]
    hints: tuple[str, ...]
    source: str
    mistakes: tuple[Mistake, ...] = ()
    variants: tuple[Variant, ...] = ()
    requires: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    allows: tuple[str, ...] = ()
    points: int = 10
    minutes: int = 15
    given: bool = False
    target: float | None = 1.5
    benchmarks: tuple[Benchmark, ...] = ()
    why: str = ""

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of all functions that the lesson asks for, without repeats."""
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.functions))
