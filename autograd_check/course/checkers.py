"""Tasks in which the student writes a check: a numerical gradient, or a test that is tried on right and wrong code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from autograd_check.course.probe import Sample
from autograd_check.errors import CourseError
from autograd_check.requests import Code


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
