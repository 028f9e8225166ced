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

A new kind of task is a dataclass here and one module in `autograd_check.grade.kinds`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from autograd_check.course.samples import Sample
from autograd_check.errors import CourseError
from autograd_check.verify.candidate import Candidate, Code
from autograd_check.verify.finding import Mismatch


@dataclass(frozen=True)
class Convention:
    """A definition where textbooks differ, or a quality apart from rightness. `cause` is of the vocabulary of diagnoses.

    `says` completes "dx is right; ...": one sentence that tells the student what the course expects, and why. A difference
    of more than `reach`, relative to the worst entry, is no other convention but an error.
    """

    cause: str
    says: str
    reach: float = float("inf")


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


@dataclass(frozen=True)
class Pair:
    """`NAME_forward(primals..., *, hyper) -> (out, cache)` and `NAME_backward(dout, cache) -> gradients`.

    `oracle` takes the same primals and hyperparameters, is built from torch's own functions, and returns `out` alone.
    `wrt` are the primals that get a gradient, in order. `leaves` names the parts of a nested primal's tuples
    (`{"params": ("w", "b")}` reports `dparams[2].w`). `refuses` are probes whose forward must raise `ValueError` (see
    `Probe`). `bench` is the size at which speed is measured (the first probe if there is none). `readings` are other
    definitions that the lesson's name stands for elsewhere: code whose forward is one of them is judged by it.
    """

    name: str
    wrt: tuple[str, ...]
    oracle: Callable[..., Any]
    probes: tuple[Probe, ...]
    refuses: tuple[Probe, ...] = ()
    leaves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bench: Probe | None = None
    readings: tuple[Callable[..., Any], ...] = ()

    @property
    def forward(self) -> str:
        """Name of the forward function."""
        return f"{self.name}_forward"

    @property
    def backward(self) -> str:
        """Name of the backward function."""
        return f"{self.name}_backward"

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.forward, self.backward)


@dataclass(frozen=True)
class Run:
    """Several calls of a layer with a state, each given the state that the one before returned; None at first."""

    name: str
    calls: tuple[Probe, ...]


@dataclass(frozen=True)
class Rival:
    """Another definition in use: code that follows `oracle` everywhere is right, but for the `convention`."""

    convention: Convention
    oracle: Callable[..., Any]


@dataclass(frozen=True)
class Stateful:
    """A layer with a state, such as running statistics: `NAME_forward(primals..., state, *, hyper) -> (out, state, cache)`.

    `NAME_backward(dout, cache)` gives the gradients of the primals in `wrt`; the state is a constant. `oracle` takes the same
    arguments as the forward and returns `(out, state)`. The state is the student's own: it is judged by what later calls of
    a run make of it. Every call of the `runs` is checked as a `Pair` is; a first run that shows each mode in its first two
    calls has both differenced. `refuses` are probes without a state, refused on the first call.
    """

    name: str
    wrt: tuple[str, ...]
    oracle: Callable[..., Any]
    runs: tuple[Run, ...]
    rivals: tuple[Rival, ...] = ()
    refuses: tuple[Probe, ...] = ()
    leaves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def forward(self) -> str:
        """Name of the forward function."""
        return f"{self.name}_forward"

    @property
    def backward(self) -> str:
        """Name of the backward function."""
        return f"{self.name}_backward"

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.forward, self.backward)


@dataclass(frozen=True)
class Stochastic:
    """A layer that drops entries at random: `NAME_forward(primals..., *, p, train, generator) -> (out, cache)`.

    In training each entry of `oracle(primals...)`, the layer without its noise, is dropped with probability p, or else
    divided by 1 − p; otherwise nothing is dropped. How the mask is drawn is free: it is read from the code's own output, and
    rate, scale and gradient are judged apart, for every p in `rates`. Where the oracle is exactly 0 the output cannot show the
    mask, so it is read from the gradient there. `bulk` (and each of `bulks`) has a big output, for the tests of the rate and of
    independence; `false_alarm` is the probability, per task and seed, that they reject right code.
    """

    name: str
    wrt: tuple[str, ...]
    oracle: Callable[..., Any]
    probes: tuple[Probe, ...]
    bulk: Probe
    bulks: tuple[Probe, ...] = ()
    rates: tuple[float, ...] = (0.0, 0.1, 0.5, 0.9)
    false_alarm: float = 1e-9

    @property
    def forward(self) -> str:
        """Name of the forward function."""
        return f"{self.name}_forward"

    @property
    def backward(self) -> str:
        """Name of the backward function."""
        return f"{self.name}_backward"

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.forward, self.backward)


@dataclass(frozen=True)
class Plain:
    """A function with a value and no backward: `oracle` takes the same arguments.

    Values agree to `tolerance`, relative, or to `absolute` (for values that are 0 only by cancellation).

    A probe's `primals` are positional arguments, `hyper` keyword arguments.
    """

    name: str
    oracle: Callable[..., Any]
    probes: tuple[Probe, ...]
    refuses: tuple[Probe, ...] = ()
    tolerance: float = 1e-12
    absolute: float = 0.0

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.name,)


@dataclass(frozen=True)
class UpdateRule:
    """One step of an optimiser; the trajectory must follow `torch.optim` for `steps` steps from random gradients.

    `twin(params, **hyper)` makes torch's optimiser. `together` steps take and return a list of tensors
    (`sgd_step(params, grads, *, lr) -> params`); others are `NAME_step(param, grad, state, *, ...) -> (param, state)`.
    Every entry of `hypers` is one probe.
    """

    name: str
    twin: Callable[..., Optimizer]
    hypers: tuple[Mapping[str, Any], ...]
    together: bool = False
    steps: int = 60
    tolerance: float = 1e-12

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (f"{self.name}_step",)


@dataclass(frozen=True)
class Initialiser:
    """`NAME(*sizes, generator=...)`: independent entries of mean 0 and standard deviation `std(*sizes)`, shape `sizes`.

    `law` is "normal" or "uniform". The test is statistical: `false_alarm` is the probability, per task, that right code is
    rejected on one seed.
    """

    name: str
    std: Callable[..., float]
    law: str
    sizes: tuple[tuple[int, ...], ...]
    false_alarm: float = 1e-9

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.name,)


@dataclass(frozen=True)
class Scalar:
    """A function of one tensor with a 0-d value on which a checker is tried, at the point `x`.

    `code` is an expression for the function, evaluated where the checker runs. `wrong` are claimed gradients that must not
    pass, by name: each is made from the right gradient.
    """

    name: str
    code: Code
    x: Sample
    wrong: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)


@dataclass(frozen=True)
class Checker:
    """`NAME(f, x, *, h) -> gradient`: a numerical gradient, like x, with which claimed gradients of f can be checked.

    Judged on every `Scalar` by its values at step `h` (as close to the derivative as central differences are), by its order
    (the errors at the steps `coarse` and `coarse / 2`), and by which gradients it lets through: those that differ from it by
    at most `resolution`, relative to the largest entry. The right gradient must pass, every wrong one must not.
    """

    name: str
    scalars: tuple[Scalar, ...]
    h: float = 1e-4
    coarse: float = 0.05
    resolution: float = 1e-5

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.name,)


@dataclass(frozen=True)
class Specimen:
    """An implementation to be tested by the student's own test: source text that defines the functions it is about.

    `says` is what is wrong in it, as the end of the sentence "Your test accepts an implementation that ..."; empty where
    nothing is.
    """

    name: str
    source: str
    says: str = ""


def planted(name: str, says: str, source: str, *edits: tuple[str, str]) -> Specimen:
    """A `Specimen` with a bug: `source`, which is right, after `edits` (old text, which must occur, and new text)."""
    for old, new in edits:
        if old not in source:
            raise CourseError(f"The planted bug {name!r} edits {old!r}, which does not occur in its source.")
        source = source.replace(old, new)
    return Specimen(name, source, says)


@dataclass(frozen=True)
class WriteTheTest:
    """`NAME(*functions, generator=...) -> bool`: the student's test says whether an implementation is right.

    It is judged by which `wrong` specimens it rejects and which `right` ones it accepts. `handed` are the names of the
    functions that every specimen defines, in the order in which they are passed. Each verdict is asked for with `repeats`
    different generators, and must be the same with all of them. Raises `CourseError` where two specimens share a name, or a
    name has a dot or bracket: a report uses it as a subject.
    """

    name: str
    handed: tuple[str, ...]
    wrong: tuple[Specimen, ...]
    right: tuple[Specimen, ...]
    repeats: int = 3

    def __post_init__(self) -> None:
        names = [specimen.name for specimen in (*self.wrong, *self.right)]
        for name in names:
            if names.count(name) > 1 or not {".", "["}.isdisjoint(name):
                raise CourseError(f"{self.name}: {name!r} must be the name of one specimen only, without dots and brackets.")

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.name,)


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


Task = Pair | Stateful | Stochastic | Plain | UpdateRule | Initialiser | Checker | WriteTheTest | Properties


@dataclass(frozen=True)
class Mistake:
    """A mistake that people really make. The grader must fail it and name `cause`.

    Written as an `edit` of the reference (old text, which must occur, and the new text for every occurrence), or as whole
    functions by name.
    """

    name: str
    cause: str
    edit: tuple[str, str] | None = None
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


def mistake(name: str, cause: str, old: str | None = None, new: str | None = None, **functions: Callable[..., Any]) -> Mistake:
    """A `Mistake` from an edit (`old`, `new`) or from functions given as keywords."""
    return Mistake(name, cause, None if old is None or new is None else (old, new), functions)


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

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of all functions that the lesson asks for, without repeats."""
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.functions))
