"""Closed forms of a lesson's gradients, as a page of formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autograd_check.course.load import CourseLesson
from autograd_check.course.spec import Layer
from autograd_check.course.symbolic.closed_form import ClosedForms, closed_forms
from autograd_check.errors import CourseError

SHOWN = 16
"""A lesson with more entries than this shows the first of each gradient; the others are shown when they are asked for."""


@dataclass(frozen=True)
class Derivation:
    """Formulas of one task by entry, the shapes they are for, what the branches took for granted, and how many there are."""

    task: str
    shapes: str
    formulas: dict[str, str]
    assumptions: tuple[str, ...]
    entries: int


def derivations(lesson: CourseLesson, entry: str | None = None) -> list[Derivation]:
    """The closed forms of every forward/backward pair of a lesson, or of one entry.

    Raises `CourseError` where the lesson has no such pair or no such entry, or sympy is not installed.
    """
    pairs = [task for task in lesson.spec.tasks if isinstance(task, Layer)]
    if not pairs:
        raise CourseError(f"{lesson.spec.name} has no forward/backward pair, so there is no gradient to derive.")
    return [_derivation(closed_forms(pair), entry) for pair in pairs]


def derivations_to_dict(lesson: str, found: Sequence[Derivation]) -> dict[str, Any]:
    """The formulas as a JSON-ready record."""
    return {
        "schema": 1,
        "lesson": lesson,
        "tasks": [{"task": one.task, "assumptions": list(one.assumptions), "formulas": one.formulas} for one in found],
    }


def render_derivations(found: Sequence[Derivation]) -> str:
    """The formulas as text: a line each."""
    return "\n\n".join(_text(one) for one in found)


def _derivation(forms: ClosedForms, entry: str | None) -> Derivation:
    wanted = (entry,) if entry is not None else _first_of_each(forms) if len(forms.entries) > SHOWN else forms.entries
    sizes = ", ".join(f"{name[1:]} {tuple(array.shape)}" for name, array in forms.symbols.items())
    formulas = {name.replace(" ", ""): forms.formula(name) for name in wanted}
    return Derivation(forms.task.name, sizes, formulas, forms.assumptions, len(forms.entries))


def _first_of_each(forms: ClosedForms) -> tuple[str, ...]:
    return tuple(next(name for name in forms.entries if name.startswith(subject)) for subject in forms.symbols)


def _text(one: Derivation) -> str:
    lines = [f"{one.task} at a tiny size: {one.shapes}; g is the upstream gradient"]
    lines += [f"{entry} = {formula}" for entry, formula in one.formulas.items()]
    if one.assumptions:
        lines += ["on the side of each branch where", *(f"  {text}" for text in one.assumptions)]
    if 1 < len(one.formulas) < one.entries:
        lines.append(f'{len(one.formulas)} of {one.entries} entries; any other with --entry "{next(iter(one.formulas))}"')
    return "\n".join(lines)
