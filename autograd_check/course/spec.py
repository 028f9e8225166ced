"""What a lesson asks for, as data: lessons, tasks of several kinds, probes, mistakes, variants.

    Lesson ── tasks ──► Layer         a forward and its backward (a layer, a loss, a whole network)
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
from dataclasses import dataclass, field, replace
from typing import Any

from autograd_check.causes import Cause
from autograd_check.course.checkers import Checker, Scalar, Specimen, WriteTheTest, planted
from autograd_check.course.claims import Claim, Properties, Property, Unanswered
from autograd_check.course.fields import FIELDS, misfit
from autograd_check.course.functions import Initialiser, Plain, UpdateRule
from autograd_check.course.layers import Layer, Reach, Rival, Run, Stateful, Stochastic
from autograd_check.course.probe import Convention, Probe
from autograd_check.course.standard_mistakes import Standard, wrapped
from autograd_check.errors import CourseError

__all__ = [
    "Benchmark",
    "Checker",
    "Claim",
    "Convention",
    "Initialiser",
    "Lesson",
    "Mistake",
    "Layer",
    "Plain",
    "Probe",
    "Properties",
    "Property",
    "Reach",
    "Rival",
    "Run",
    "Scalar",
    "Specimen",
    "Stateful",
    "Stochastic",
    "Task",
    "UNSEEN_INDEX",
    "UNSEEN_STATE",
    "UNSEEN_TERM",
    "Unanswered",
    "UpdateRule",
    "Variant",
    "WriteTheTest",
    "drop",
    "edit",
    "planted",
    "standard",
    "variant",
    "wrong",
]

Task = Layer | Stateful | Stochastic | Plain | UpdateRule | Initialiser | Checker | WriteTheTest | Properties


@dataclass(frozen=True)
class Mistake:
    """A mistake that people really make. The grader must fail it and name `cause`.

    Written as an `edit` of the reference (old text, which must occur, and the new text for every occurrence), as text `added`
    behind it, or as whole functions by name. `by_fingerprint` says why only its own fingerprint can name its cause, where
    nothing else does. `elsewhere`: its functions stand in the file of the lesson's variants; `standard`: how it is made.
    """

    name: str
    cause: Cause
    edit: tuple[str, str] | None = None
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    by_fingerprint: str = ""
    added: str = ""
    elsewhere: bool = False
    standard: Standard | None = None

    def __post_init__(self) -> None:
        """Raises `UnknownCauseError` where the cause is a word that is none."""
        object.__setattr__(self, "cause", Cause.named(self.cause))


UNSEEN_TERM = "what is edited is neither a term nor a factor that the arrays of the call can show"
UNSEEN_INDEX = "indices are edited: no single contribution, axis or order of the right array explains it"
UNSEEN_STATE = "the state of the run is edited, which no array of a single step shows"


def edit(old: str, new: str, name: str, cause: Cause, *, by_fingerprint: str = "") -> Mistake:
    """The reference with every `old` text replaced by `new`."""
    return Mistake(name, cause, (old, new), by_fingerprint=by_fingerprint)


def drop(text: str, name: str, cause: Cause, *, by_fingerprint: str = "") -> Mistake:
    """The reference without this text, wherever it occurs."""
    return edit(text, "", name, cause, by_fingerprint=by_fingerprint)


def wrong(name: str, cause: Cause, *, by_fingerprint: str = "") -> Mistake:
    """Whole functions that make a mistake: those of this name in `WRONG` of the file of the lesson's variants."""
    return Mistake(name, cause, by_fingerprint=by_fingerprint, elsewhere=True)


def standard(*names: str) -> tuple[Mistake, ...]:
    """Mistakes of every layer, made from the right gradient: "upstream ignored", "dw transposed", "dw divided by N".

    Raises `CourseError` for one that there is not.
    """
    found = [Standard.named(name) for name in names]
    return tuple(Mistake(name, each.cause, standard=each) for name, each in zip(names, found, strict=True))


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
    """Something of a lesson timed beside torch's own way of doing it, besides the passes of its layers.

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
    may take beside torch's, as a ratio, where the lesson is about speed. `benchmarks` are timed beside the passes of the layers.
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
    target: float | None = None
    benchmarks: tuple[Benchmark, ...] = ()
    why: str = ""

    def __post_init__(self) -> None:
        """Name the tasks that name themselves after the lesson, and make the standard mistakes. Raises `CourseError`."""
        for name in FIELDS:
            if unfit := misfit(name, getattr(self, name)):
                raise CourseError(unfit)
        tasks = tuple(task if task.name else replace(task, name=self.name) for task in self.tasks)
        object.__setattr__(self, "tasks", tasks)
        object.__setattr__(self, "mistakes", tuple(self._made(known) for known in self.mistakes))

    def _made(self, known: Mistake) -> Mistake:
        if known.standard is None:
            return known
        layers = [task for task in self.tasks if isinstance(task, (Layer, Stateful, Stochastic))]
        for layer in layers:
            if not known.standard.gradient or known.standard.gradient[1:] in layer.wrt:
                return replace(known, added=wrapped(known.standard, known.name, layer))
        raise CourseError(f"standard({known.name!r}): no layer of this lesson gives {known.standard.gradient or 'a gradient'}.")

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of all functions that the lesson asks for, without repeats."""
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.functions))

    def task_of(self, subject: str) -> int:
        """The place among the tasks of the one that findings about `subject` are about; 0 where none says."""
        names = [{*task.functions, *(f"d{name}" for name in getattr(task, "wrt", ()))} for task in self.tasks]
        return next((number for number, known in enumerate(names) if subject in known), 0)
