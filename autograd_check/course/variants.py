"""Other right ways to write a lesson, and whole functions that go wrong: `solutions/variants/uNN_UNIT/NAME.py`.

They test the grader and not the student, so they stand beside the lesson and not in it. Such a file has

    VARIANTS = (variant("python numbers", square_forward=..., square_backward=...), ...)
    WRONG = (variant("return inside the loop", square_backward=...), ...)

where every name in `WRONG` is that of a `wrong(name, cause)` among the lesson's mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autograd_check.course.places import Places
from autograd_check.course.spec import Lesson, Variant
from autograd_check.errors import CourseError

FOLDER = "variants"


def variants_file(solution: Path) -> Path:
    """Where the variants of a solution file stand, if it has any."""
    return solution.parents[1] / FOLDER / solution.parent.name / solution.name


@dataclass(frozen=True)
class Others:
    """What a file of variants holds, and where it stands in the course."""

    places: Places
    variants: tuple[Variant, ...]
    wrong: tuple[Variant, ...]

    def where(self, name: str) -> str:
        """The file, with the line in which a variant is named."""
        return self.places.at(self.places.text(name, "") or self.places.assigned("WRONG"))


def completed(spec: Lesson, others: Others, source: str, where: str) -> Lesson:
    """The lesson with its variants and the functions of its `wrong(...)` mistakes; `source` is its text, in the file `where`.

    Raises `CourseError`, with the line, where a mistake has no functions or edits what is not there, or where functions are
    no mistake.
    """
    places = Places.of(source, Path(where))
    _refuse_twice(spec, others, places)
    for known in spec.mistakes:
        line = places.at(places.text(known.name, "mistakes") or places.keyword("mistakes"))
        if known.elsewhere and known.name not in {each.name for each in others.wrong}:
            raise CourseError(
                f"{line}: wrong({known.name!r}) has no functions: add variant({known.name!r}, ...) to WRONG in {others.places.file}."
            )
        if known.edit is not None and known.edit[0] not in source.partition("### BEGIN SPEC")[0]:
            raise CourseError(
                f"{line}: mistake {known.name!r} edits {known.edit[0]!r}, which does not occur in the reference: write the text "
                "as it stands there."
            )
    wanted = {known.name for known in spec.mistakes if known.elsewhere}
    for each in others.wrong:
        if each.name not in wanted:
            raise CourseError(
                f"{others.where(each.name)}: {each.name!r} in WRONG is no mistake of {where}: add wrong({each.name!r}, Cause....)."
            )
    for each in (*others.variants, *others.wrong):
        for name in each.functions:
            if name not in spec.functions:
                asked = ", ".join(spec.functions)
                raise CourseError(f"{others.where(each.name)}: {each.name!r} defines {name}, and the lesson asks for {asked}.")
    functions = {each.name: each.functions for each in others.wrong}
    mistakes = tuple(replace(known, functions=functions[known.name]) if known.elsewhere else known for known in spec.mistakes)
    return replace(spec, variants=(*spec.variants, *others.variants), mistakes=mistakes)


def _refuse_twice(spec: Lesson, others: Others, places: Places) -> None:
    """Raise `CourseError` where a mistake, a variant, or the name of one is written twice, or an edit changes nothing."""
    for number, known in enumerate(spec.mistakes):
        line = places.at(places.text(known.name, "mistakes") or places.keyword("mistakes"))
        if known.edit is not None and known.edit[0] == known.edit[1]:
            raise CourseError(
                f"{line}: mistake {known.name!r} edits {known.edit[0]!r} to the same text: write what people write instead."
            )
        for other in spec.mistakes[:number]:
            if other.name == known.name:
                raise CourseError(f"{line}: two mistakes are named {known.name!r}: leave one out, or give it a name of its own.")
            if known.edit is not None and other.edit == known.edit:
                raise CourseError(f"{line}: the mistakes {other.name!r} and {known.name!r} are the same edit: leave one out.")
    for each, earlier in ((each, others.variants[:n]) for n, each in enumerate(others.variants)):
        for before in earlier:
            if before.name == each.name:
                raise CourseError(
                    f"{others.where(each.name)}: two variants are named {each.name!r}: give each a name of its own."
                )
            if before.functions == each.functions:
                raise CourseError(
                    f"{others.where(each.name)}: the variants {before.name!r} and {each.name!r} are the same functions: write "
                    "another way, or leave one out."
                )


def listed(module: Any, name: str) -> tuple[Variant, ...]:
    """`VARIANTS` or `WRONG` of a file of variants; none where it is not there."""
    return tuple(getattr(module, name, ()))
